/** What a repository's entry may ask of pull requests: what could have no effect is refused. */
import { describe, expect, it } from 'vitest';
import { repositorySchema } from '../../src/config/schema.ts';
import { selectionOf } from '../../src/config/selection.ts';
import { desiredState } from '../../src/domain/desired.ts';
import { branchName, commitId } from '../../src/domain/names.ts';
import type { PullRequestFact } from '../../src/domain/pull-requests.ts';
import { PULL_REQUESTS } from '../../src/domain/selection.ts';

const HEAD = commitId('a'.repeat(40));
const FACT = { number: 5, open: true, merged: false, head: HEAD, updatedAt: 1_000, base: branchName('main') };
/** One that counts whatever is asked, and some that do not for one thing each. */
const COUNTS: PullRequestFact = { ...FACT, draft: false, bot: false, labels: ['preview', 'ready'] };
const FACTS: readonly PullRequestFact[] = [
  ...[COUNTS, { ...COUNTS, draft: true }, { ...COUNTS, bot: true }, { ...COUNTS, labels: [] }],
  ...[
    { ...COUNTS, labels: ['preview'] },
    { ...COUNTS, base: branchName('other') },
  ],
];
const ASKED = { label: 'ready', drafts: false, bots: false, base: ['main'], paths: ['web'] } as const;

type Section = Parameters<typeof selectionOf>[0];

function wishes(said: Section): string {
  const selection = selectionOf(said);
  return JSON.stringify(
    [[], ...FACTS.map((one) => [one])].map((pullRequests) =>
      desiredState({ head: HEAD, pullRequests, excluded: undefined, selection }),
    ),
  );
}

function faultsOf(section: Section): readonly string[] {
  const issues = repositorySchema.safeParse(section).error?.issues ?? [];
  return issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe.each([undefined, ...PULL_REQUESTS])('with `pullRequests: %s`', (pullRequests) => {
  it.each(Object.entries(ASKED))('%s: %j is refused exactly where it changes nothing', (key, value) => {
    const without = pullRequests === undefined ? {} : { pullRequests };
    const section = { ...without, [key]: value };
    const isIdle = wishes(section) === wishes(without);
    expect(faultsOf(section)).toEqual(
      isIdle ? [expect.stringContaining(`${key}: \`pullRequests: ${pullRequests}\``)] : [],
    );
  });

  it('what is so anyway may be said', () => {
    expect(faultsOf({ ...(pullRequests === undefined ? {} : { pullRequests }), drafts: true, bots: true })).toEqual([]);
  });
});
