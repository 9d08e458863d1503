/** Pull requests from forks: nothing of them is approved but the one commit that somebody looked at. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { observeFork } from '../../src/converge/fork.ts';
import { settled } from '../../src/domain/desired.ts';
import {
  type Approval,
  approvedCommit,
  desiredFork,
  FORK_IDLE,
  FORK_TTL,
  type ForkFact,
  forkState,
  laterFork,
  settingsFor,
} from '../../src/domain/forks.ts';
import { DEFAULT_LIMITS } from '../../src/domain/isolation.ts';
import { branchName, commitId, forkBranch, forkNumber, previewBranch, previewId } from '../../src/domain/names.ts';
import { newRecord } from '../../src/domain/preview.ts';
import { EVERY_BRANCH } from '../../src/domain/selection.ts';
import { decide } from '../../src/sweep/decide.ts';
import { standings } from '../../src/sweep/standing.ts';
import { heads, SHOP, seen } from '../support/sweep-world.ts';

const [A, B, C] = ['a', 'b', 'c'].map((digit) => commitId(digit.repeat(40))) as [never, never, never];

function fact(more: Partial<ForkFact> = {}): ForkFact {
  const fork = { repository: 'stranger/shop', branch: 'main' };
  return { number: 7, open: true, merged: false, head: A, updatedAt: 1_000, headSince: 1_000, fork, ...more };
}
const approval = (commit: ForkFact['head'], pullRequest = 7): Approval => ({
  pullRequest,
  commit,
  by: 'ada',
  at: 2_000,
});

describe('the head of a fork', () => {
  it.each<[string, ForkFact, readonly Approval[], object]>([
    ['waits', fact(), [], { kind: 'waiting', commit: A, why: 'waiting for approval of aaaaaaaaaaaa' }],
    ['is approved', fact(), [approval(A)], { kind: 'approved', approval: approval(A) }],
    ['waits again after a push', fact({ head: B }), [approval(A)], { kind: 'waiting', commit: B }],
    ['is not approved by what was said of another pull request', fact(), [approval(A, 8)], { kind: 'waiting' }],
    [
      'is nothing once it is closed',
      fact({ open: false }),
      [approval(A)],
      { kind: 'none', why: 'pull request #7 was closed' },
    ],
  ])('%s', (_what, one, approvals, expected) => {
    expect(forkState(one, approvals, undefined)).toMatchObject(expected);
  });

  it('is left out as a branch of the repository would be', () => {
    const of = (selection: object) =>
      forkState(fact({ draft: true }), [approval(A)], { ...EVERY_BRANCH, ...selection });
    expect(of({ drafts: false })).toEqual({
      kind: 'none',
      why: 'pull request #7 is a draft, and `drafts: false` leaves those out',
    });
    expect(of({ pullRequests: 'none' })).toMatchObject({ kind: 'none' });
    expect(of({})).toMatchObject({ kind: 'approved' });
  });
});

describe('what a comment approves', () => {
  const said = (at: number, named?: string) => ({ at, named });
  it.each<[string, ReturnType<typeof said>, ForkFact | undefined, object]>([
    ['the head of when it was written', said(2_000), fact(), { commit: A }],
    [
      'not one that was pushed after it',
      said(2_000),
      fact({ headSince: 3_000 }),
      { refused: expect.stringMatching(/^a commit was pushed about when/) },
    ],
    [
      'not one of the same second',
      said(2_000),
      fact({ headSince: 2_000 }),
      { refused: expect.stringMatching(/^a commit was pushed about when/) },
    ],
    [
      'not one that was not heard of yet',
      said(2_000),
      fact({ head: B }),
      { refused: expect.stringMatching(/^which head was meant is not known/) },
    ],
    [
      'not one of which nothing was heard',
      said(2_000),
      undefined,
      { refused: expect.stringMatching(/^which head was meant is not known/) },
    ],
    ['one that it names whole, whatever was heard', said(2_000, A), undefined, { commit: A }],
    ['one of which it names the first digits', said(2_000, 'aaaaaaa'), fact(), { commit: A }],
    [
      'not one that was pushed after it with the same first digits',
      said(2_000, 'aaaaaaa'),
      fact({ headSince: 3_000 }),
      { refused: expect.stringMatching(/^a commit was pushed about when/) },
    ],
    [
      'not one that it names and that is not the head',
      said(2_000, 'bbbbbbb'),
      fact(),
      { refused: expect.stringMatching(/^the head is not bbbbbbb/) },
    ],
  ])('%s', (_what, comment, one, expected) => {
    expect(approvedCommit(comment, A, one)).toEqual(expected);
  });
});

describe('what should run of a fork', () => {
  const wanted = (more: Partial<Parameters<typeof desiredFork>[0]> = {}) =>
    desiredFork({
      ...{ fact: fact(), head: A, approvals: [approval(A)], selection: undefined, aside: undefined },
      ...more,
    });

  it('is the head that was approved', () => expect(wanted()).toEqual({ kind: 'present', commit: A }));

  it('is what is at the forge, whatever was heard: what came there unheard waits', () => {
    expect(wanted({ head: B })).toEqual({ kind: 'as-is', cause: 'waiting for approval of bbbbbbbbbbbb' });
  });

  it('is what serves while a newer one waits, and never that one, though somebody asks for a build', () => {
    const desired = wanted({ fact: fact({ head: B }), head: B });
    const because = 'waiting for approval of bbbbbbbbbbbb: it stays as it is';
    for (const isAsked of [false, true]) {
      expect(settled(desired, { serving: A, isAsked })).toEqual({ kind: 'present', commit: A, because });
      expect(settled(desired, { serving: undefined, isAsked })).toMatchObject({ kind: 'absent' });
    }
  });

  it.each<[string, Parameters<typeof wanted>[0], string]>([
    ['nothing once it is closed', { fact: fact({ open: false }) }, 'pull request #7 was closed'],
    ['nothing where its code is gone', { head: undefined }, 'the code of pull request #7 is gone'],
    [
      'nothing where its preview was taken down',
      { aside: { commit: A, cause: 'ada took it down' } },
      'ada took it down',
    ],
  ])('is %s', (_what, more, cause) => expect(wanted(more)).toEqual({ kind: 'absent', cause }));

  it('is seen by a sweep as by a build', () => {
    const [two, ten] = [2, 10].map((number) => fact({ number })) as [ForkFact, ForkFact];
    const closed = fact({ number: 3, open: false });
    const {
      wanted: all,
      asIs,
      of,
    } = standings([{ repository: SHOP, heads: heads('main') }], {
      ...{ pullRequests: new Map(), aside: new Map(), paths: new Map() },
      forks: new Map([[SHOP.name, { facts: [two, closed, ten], approvals: [approval(A, 2)] }]]),
    });
    const id = (number: number) => previewId(SHOP.slug, forkBranch(number));
    const owner = (number: number) => {
      const key = { id: id(number), repository: SHOP.name, branch: forkBranch(number) };
      return [of({ kind: 'preview', id: key.id, key }).kind, of({ kind: 'branch', ...key }).kind];
    };
    expect([...all.keys()]).toEqual(['main--shop', id(2)]);
    expect([...asIs.keys()]).toEqual([id(10)]);
    expect(owner(2)).toEqual(['wanted', 'wanted']);
    expect(owner(3)).toEqual(['absent', 'absent']);
    expect(owner(10)).toEqual(['unknown', 'wanted']);
    // Of one that was never heard of, Redis may have been wiped.
    expect(owner(4)).toEqual(['unknown', 'unknown']);
  });
});

describe('a fork of which nothing was heard, since Redis was wiped', () => {
  const branch = forkBranch(7);
  const key = { id: previewId(SHOP.slug, branch), repository: SHOP.name, branch };
  const record = { ...newRecord(key, 0), state: 'live' as const };

  it('is looked at by each sweep, until something is', () => {
    const world = { repositories: [{ repository: SHOP, heads: heads() }], records: [record] };
    const lines = (more: object = {}) =>
      decide(seen({ ...world, ...more }), { firstSeen: new Map(), isFirst: false }, { now: 0, graceMs: 0 }).decisions;
    const hint = { what: 'preview', name: key.id, action: 'hint', why: 'nothing is known of its pull request' };
    expect(lines()).toMatchObject([hint]);
    const heard = new Map([[SHOP.name, { facts: [fact()], approvals: [approval(A)] }]]);
    expect(lines({ forks: heard })).not.toContainEqual(expect.objectContaining(hint));
  });

  it.each<[string, readonly object[] | undefined, object]>([
    ['goes where the forge says that it was merged', [{ state: 'merged' }], absent('pull request #7 was merged')],
    ['goes where the forge says that it was closed', [{ state: 'closed' }], absent('pull request #7 was closed')],
    ['stays where it is open', [{ state: 'open' }], { kind: 'as-is' }],
    ['stays where the forge knows nothing of it', [], { kind: 'as-is' }],
    ['stays where nobody can be asked', undefined, { kind: 'as-is' }],
  ])('%s, and is never built', async (_what, now, expected) => {
    const deps = {
      forge: now && { pullRequestsNow: async () => now },
      forks: { all: async () => [], approvals: async () => [approval(A)] },
      store: { aside: async () => undefined },
      git: {},
    } as unknown as Parameters<typeof observeFork>[0];
    const signal = new AbortController().signal;
    const desired = await observeFork(deps, key, { repository: SHOP, pullRequest: 7, signal });
    expect(desired).toMatchObject(expected);
    expect(settled(desired, { serving: undefined, isAsked: true }).kind).toBe('absent');
  });

  function absent(cause: string) {
    return { kind: 'absent', cause };
  }
});

describe('a fork is given', () => {
  const admin = { ...SHOP, idle: 3_600_000, policy: { keys: {}, capabilities: ['NET_ADMIN'], limits: DEFAULT_LIMITS } };

  it('half of what others have, less time, and nothing that an admin granted', () => {
    const { idle, ttl, policy, ...rest } = settingsFor(admin, forkBranch(7));
    expect({ idle, ttl }).toEqual({ idle: FORK_IDLE, ttl: FORK_TTL });
    expect(policy?.capabilities).toEqual([]);
    for (const what of ['memory', 'cpus', 'pids'] as const) {
      expect(policy?.limits[what].most).toBe(DEFAULT_LIMITS[what].most / 2);
    }
    expect(rest).toMatchObject({ name: SHOP.name, branches: SHOP.branches });
    expect(settingsFor({ ...admin, idle: 1_000, ttl: 2_000 }, forkBranch(7))).toMatchObject({
      idle: 1_000,
      ttl: 2_000,
    });
  });

  it('and a branch what the admin says', () => expect(settingsFor(admin, branchName('pull-7'))).toBe(admin));
});

it('no branch can be called as a fork is', () => {
  expect(forkNumber(forkBranch(12))).toBe(12);
  expect(previewBranch('pull~12')).toBe(forkBranch(12));
  expect(() => branchName('pull~12')).toThrow('git allows no');
  for (const text of ['pull~', 'pull~0', 'pull~x', 'pull~1/a', 'a/pull~1', 'pull~-1']) {
    expect(() => previewBranch(text)).toThrow('git allows no');
  }
  const ids = ['pull-12', 'pull/12', 'pull_12'].map((text) => previewId('shop', branchName(text)));
  expect(new Set([...ids, previewId('shop', forkBranch(12))]).size).toBe(4);
});

it('since when a head was there is never said to be before it was, in whatever order that is heard', () => {
  // What happened: pushes and other changes, each later than the one before.
  const life = fc
    .array(fc.record({ head: fc.constantFrom(A, B, C), gap: fc.integer({ min: 1, max: 3 }) }), {
      minLength: 1,
      maxLength: 6,
    })
    .map((steps) => {
      let now = 0;
      return steps.map(({ head, gap }) => {
        now += gap;
        return fact({ head, updatedAt: now, headSince: now });
      });
    });
  const heard = life.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })));
  fc.assert(
    fc.property(heard, ([all, shuffled]) => {
      const last = all.at(-1);
      const known = shuffled.reduce<ForkFact | undefined>(laterFork, undefined);
      const since = all.findLastIndex((one) => one.head !== last?.head) + 1;
      expect(known?.head).toBe(last?.head);
      expect(known?.headSince).toBeGreaterThanOrEqual(all[since]?.headSince ?? Number.NaN);
    }),
    { numRuns: 2_000 },
  );
});
