/** What a repository asks of pull requests, as the API, the table and the page of repositories show it. */
import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { type RepositoryView, repositoryRoutes } from '../../src/api/repositories.ts';
import { h, toText } from '../../src/dashboard/markup.ts';
import { RepositoriesPage } from '../../src/dashboard/repositories-page.tsx';
import { repositoryName } from '../../src/domain/names.ts';
import { EVERY_BRANCH, type Selection } from '../../src/domain/selection.ts';
import { selectionWords, shownSelection } from '../../src/domain/selection-words.ts';
import { repositoryTable } from '../../src/terminal/repositories.ts';

const ALL: Selection = {
  ...{ pullRequests: 'labelled', label: 'preview', drafts: false, bots: false },
  ...{ base: ['main', 'release/*'], paths: ['web', 'api/**', '!*.md', 'more'] },
};

it.each<[Partial<Selection> | undefined, string]>([
  [undefined, ''],
  [{}, ''],
  [{ pullRequests: 'all' }, 'only with an open one'],
  [{ pullRequests: 'labelled', label: 'try me' }, "only with an open one labelled 'try me'"],
  [{ pullRequests: 'none' }, 'whatever becomes of them'],
  [{ drafts: false }, 'no drafts'],
  [{ bots: false, base: ['main'] }, 'none of bots | into main'],
  [
    ALL,
    "only with an open one labelled 'preview' | no drafts | none of bots | into main, release/* | that change web, api/**, !*.md and 1 more",
  ],
])('%j is said in words', (selection, words) => {
  const shown = shownSelection(selection && { ...EVERY_BRANCH, ...selection });
  expect(selectionWords(shown, 3).join(' | ')).toBe(words);
});

/** As the API answers. */
async function viewsOf(selections: readonly (Selection | undefined)[]): Promise<readonly RepositoryView[]> {
  const all = selections.map((selection, index) => ({
    ...{ name: repositoryName(`acme/shop${index}`), slug: `shop${index}`, url: '/srv/shop', branches: ['*'] },
    ...(selection ? { selection } : {}),
  }));
  const book = { all: () => all, isConfigured: () => true, put: async () => [], remove: async () => false };
  const list = repositoryRoutes({ book, secretsOf: async () => [] }).find((one) => one.name === 'listRepositories');
  if (!list) throw new Error('there is no such route');
  const principal = { id: 'a', name: 'a', role: 'admin', repositories: 'all' } as const;
  const answer = await list.handle({ principal } as never);
  return (answer as { readonly body: { readonly repositories: readonly RepositoryView[] } }).body.repositories;
}

it('is whole in the API, under the names of the configuration', async () => {
  const [nothing, all] = await viewsOf([undefined, ALL]);
  expect(nothing).toMatchObject({
    ...{ pullRequests: null, label: null, drafts: true, bots: true, base: [], paths: [] },
  });
  expect(all).toMatchObject({ ...ALL });
});

it('has a column of the table where anything is asked', async () => {
  const table = async (...all: Parameters<typeof viewsOf>[0]) =>
    stripVTControlCharacters(repositoryTable(await viewsOf(all)));
  expect(await table(undefined)).not.toContain('PULL REQUESTS');
  const both = await table(undefined, { ...EVERY_BRANCH, drafts: false, paths: ['\u202eweb'] });
  expect(both).toMatch(/BRANCHES +PULL REQUESTS +SLEEPS/);
  expect(both).toMatch(/acme\/shop0 +\* +any +never/);
  expect(both).toMatch(/acme\/shop1 +\* +no drafts; that change web +never/);
});

it('is on the page of repositories', async () => {
  const html = toText(await h(RepositoriesPage, { repositories: await viewsOf([undefined, ALL]), counts: new Map() }));
  expect(html).toContain('<td data-label="Pull requests" class="wide">any</td>');
  expect(html).toContain('into main, release/*; that change web, api/**, !*.md, more</td>');
});
