/** What is said where `paths` is set and nobody can ask GitHub what was changed. */
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { repositoryName } from '../../src/domain/names.ts';
import { EVERY_BRANCH } from '../../src/domain/selection.ts';
import { tellOfUnasked, unaskedOf } from '../../src/github-side.ts';
import { keptLog } from '../support/log.ts';

const home = path.join(tmpdir(), 'treehouse-no-such-home');
const GITHUB = { apiUrl: 'https://api.github.com', credentials: { token: 'x' } };

function repository(name: string, paths: readonly string[] = []) {
  const selection = { ...EVERY_BRANCH, drafts: false, paths };
  return { name: repositoryName(name), slug: 'x', url: '/srv/x', branches: ['*'], selection };
}
const SHOP = repository('acme/shop', ['web']);
const BLOG = repository('acme/blog');

it('names the repository, what happens instead, and the way out', () => {
  expect(unaskedOf({ github: undefined, home }, SHOP)).toEqual([
    '`paths` of acme/shop is not applied: there are no credentials here to ask GitHub what a pull request changed, so its branches are built as if nothing were said; set GITHUB_TOKEN or make an App (`treehouse github init`), or take `paths` away',
  ]);
  expect(unaskedOf({ github: undefined, home }, BLOG)).toEqual([]);
  expect(unaskedOf({ github: undefined, home }, { ...BLOG, selection: undefined })).toEqual([]);
  expect(unaskedOf({ github: GITHUB, home }, SHOP)).toEqual([]);
});

it('is in the log once for as long as it holds', () => {
  const { log, logged } = keptLog();
  const tell = tellOfUnasked(false, log);
  const told = () => logged.splice(0).map((one) => [one.level, one.repository]);
  tell([SHOP, BLOG]);
  expect(told()).toEqual([[40, 'acme/shop']]);
  tell([SHOP, repository('acme/blog', ['src'])]);
  expect(told()).toEqual([[40, 'acme/blog']]);
  tell([BLOG]);
  tell([SHOP]);
  expect(told()).toEqual([[40, 'acme/shop']]);
  tellOfUnasked(true, log)([SHOP]);
  expect(told()).toEqual([]);
});
