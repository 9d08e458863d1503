/** Commands in comments and `paths` through GitHub's own API, as its description has it: who may is asked there, and the answer is seen there. */
import { expect, it } from 'vitest';
import { carryOut } from '../../src/commands/carry-out.ts';
import type { CommandDeps } from '../../src/commands/deps.ts';
import { askForPaths } from '../../src/converge/changed-paths.ts';
import { type CommandOrder, commandIn } from '../../src/domain/comment-commands.ts';
import type { Approval } from '../../src/domain/forks.ts';
import { branchName, commitId } from '../../src/domain/names.ts';
import type { PathsVerdict } from '../../src/domain/selection.ts';
import { endStages, never, SHOP, type Stage, setStage } from '../support/github/adapter.ts';
import { keyOf, repository } from '../support/sweep-world.ts';

endStages();
const HEAD = commitId('a'.repeat(40));
const ACME = repository(SHOP);

/** What somebody's comment on a fork's pull request comes to. */
async function approval(stage: Stage, author: string) {
  const { github, shop } = stage;
  shop.collaborators.set('ada', 'write');
  shop.collaborators.set('rita', 'read');
  const pull = github.pull(shop, { head: { repository: 'eve/shop', branch: 'main', commit: HEAD } });
  const body = `/preview approve ${HEAD}`;
  const comment = github.comment(shop, pull.number, author, body);
  const approvals: Approval[] = [];
  const unasked = {} as unknown as CommandDeps;
  const deps: CommandDeps = {
    ...{ ...unasked, forge: stage.forge, clock: { now: () => 0 }, repositories: () => [ACME] },
    store: { know: async () => undefined, notePullRequest: async () => undefined } as unknown as CommandDeps['store'],
    hints: { hint: async () => undefined },
    forks: {
      note: async () => undefined,
      all: async () => [],
      approve: async (_repository, one) => void approvals.push(one),
      approvals: async () => approvals,
    },
    notes: { put: async () => undefined },
    trail: { note: async () => undefined },
  };
  const command = commandIn(body);
  if (!command) throw new Error('it is a command');
  const order: CommandOrder = {
    ...{ repository: SHOP, pullRequest: pull.number, comment, command, at: Date.now() },
    author: { login: author, isBot: false },
  };
  await carryOut(deps, order, { signal: never, before: undefined, onAnswer: async () => undefined });
  return { approvals, signs: shop.comments.flatMap((one) => one.reactions.map(({ content }) => content)) };
}

it('an approval of somebody who may write is taken, and seen under the comment', async () => {
  const { approvals, signs } = await approval(await setStage(), 'ada');
  expect(approvals).toMatchObject([{ commit: HEAD, by: 'ada' }]);
  expect(signs).toEqual(['eyes', '+1']);
});

it.each(['rita', 'eve'])('one of %s, who may read or is nobody, is not', async (author) => {
  const { approvals, signs } = await approval(await setStage(), author);
  expect(approvals).toEqual([]);
  expect(signs).toEqual(['-1']);
});

it('what a branch changed is asked of GitHub, and remembered', async () => {
  const { shop, forge } = await setStage();
  shop.comparisons.set(`main...${HEAD}`, [{ filename: 'docs/a.md' }]);
  const noted: PathsVerdict[] = [];
  const store = { notePaths: async (_key: unknown, verdict: PathsVerdict) => void noted.push(verdict) };
  const ask = (paths: readonly string[]) => {
    const question = { commit: HEAD, bases: [branchName('main')], paths };
    const deps = { forge, store } as unknown as Parameters<typeof askForPaths>[0];
    return askForPaths(deps, keyOf('topic'), { repository: ACME, question, signal: never });
  };
  expect(await ask(['web'])).toMatchObject({ commit: HEAD, touched: false });
  expect(await ask(['docs'])).toMatchObject({ commit: HEAD, touched: true });
  expect(noted.map((one) => one.touched)).toEqual([false, true]);
});
