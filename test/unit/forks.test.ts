/** Pull requests from forks: nothing of them is approved but the one commit that somebody looked at. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Approval, approvedCommit, type ForkFact, forkState, laterFork } from '../../src/domain/forks.ts';
import { commitId } from '../../src/domain/names.ts';
import { EVERY_BRANCH } from '../../src/domain/selection.ts';

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
