import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { desiredState } from '../../src/domain/desired.ts';
import { selects } from '../../src/domain/globs.ts';
import { type Commit, commitId } from '../../src/domain/names.ts';
import { laterFact, type PullRequestFact } from '../../src/domain/pull-requests.ts';

const HEAD = commitId('a'.repeat(40));
const OLDER = commitId('b'.repeat(40));

function fact(number: number, more: Partial<PullRequestFact> = {}): PullRequestFact {
  return { number, open: true, merged: false, head: HEAD, updatedAt: 1_000, ...more };
}
const closed = (number: number, head: Commit) => fact(number, { open: false, head });
const merged = (number: number, head: Commit) => fact(number, { open: false, merged: true, head });

const facts = fc.record({
  number: fc.integer({ min: 1, max: 3 }),
  open: fc.boolean(),
  merged: fc.boolean(),
  head: fc.constantFrom(HEAD, OLDER),
  updatedAt: fc.integer({ min: 0, max: 3 }),
});

describe('what should run', () => {
  it.each<[string, Parameters<typeof desiredState>[0], string]>([
    ['a branch without a pull request', { head: HEAD, pullRequests: [], excluded: undefined }, `present ${HEAD}`],
    [
      'a branch that is gone',
      { head: undefined, pullRequests: [], excluded: undefined },
      'absent: the branch was deleted',
    ],
    [
      'a branch that is gone, with an open pull request',
      { head: undefined, pullRequests: [fact(1)], excluded: undefined },
      'absent: the branch was deleted',
    ],
    ['a branch that is left out', { head: HEAD, pullRequests: [fact(1)], excluded: 'too many' }, 'absent: too many'],
    ['an open pull request', { head: HEAD, pullRequests: [fact(1)], excluded: undefined }, `present ${HEAD}`],
    [
      'a merged one',
      { head: HEAD, pullRequests: [merged(7, HEAD)], excluded: undefined },
      'absent: pull request #7 was merged',
    ],
    [
      'a closed one',
      { head: HEAD, pullRequests: [closed(8, HEAD)], excluded: undefined },
      'absent: pull request #8 was closed',
    ],
    [
      'a merged one, and another commit since',
      { head: HEAD, pullRequests: [merged(7, OLDER)], excluded: undefined },
      `present ${HEAD}`,
    ],
    [
      'a merged one beside an open one',
      { head: HEAD, pullRequests: [merged(7, HEAD), fact(9)], excluded: undefined },
      `present ${HEAD}`,
    ],
    [
      'one that was set aside here',
      { head: HEAD, pullRequests: [fact(1)], excluded: undefined, aside: { commit: HEAD, cause: 'nobody used it' } },
      'absent: nobody used it',
    ],
    [
      'one that was set aside, and another commit since',
      { head: HEAD, pullRequests: [], excluded: undefined, aside: { commit: OLDER, cause: 'nobody used it' } },
      `present ${HEAD}`,
    ],
    [
      'two that ended here, the later named',
      { head: HEAD, pullRequests: [closed(8, HEAD), merged(9, HEAD), closed(3, HEAD)], excluded: undefined },
      'absent: pull request #9 was merged',
    ],
  ])('%s', (_what, input, text) => {
    const desired = desiredState(input);
    expect(desired.kind === 'present' ? `present ${desired.commit}` : `absent: ${desired.cause}`).toBe(text);
  });

  it('does not depend on the order of the pull requests', () => {
    fc.assert(
      fc.property(
        fc.array(facts, { maxLength: 6 }),
        fc.option(fc.constantFrom(HEAD, OLDER), { nil: undefined }),
        (all, head) => {
          const ask = (pullRequests: readonly PullRequestFact[]) =>
            desiredState({ head, pullRequests, excluded: undefined });
          expect(ask(all.toReversed())).toEqual(ask(all));
          expect(ask(all.toSorted((a, b) => a.number - b.number))).toEqual(ask(all));
        },
      ),
    );
  });
});

describe('the later fact', () => {
  const early = fact(1, { updatedAt: 1 });
  const late = fact(1, { updatedAt: 2 });
  const closedAtOnce = fact(1, { updatedAt: 1, open: false });

  it.each([
    ['the first that is heard', undefined, early, early],
    ['a newer one', early, late, late],
    ['an older one that comes late', late, early, late],
    ['of the same second, the closed one', early, closedAtOnce, closedAtOnce],
    ['of the same second, the closed one that came first', closedAtOnce, early, closedAtOnce],
    ['the same again, so that nothing is written', early, { ...early }, early],
  ])('%s', (_what, known, heard, expected) => {
    expect(laterFact(known, heard)).toBe(expected);
  });

  it('is the same in whatever order, and however often, facts come in', () => {
    const heard = (all: readonly PullRequestFact[]) => all.reduce<PullRequestFact | undefined>(laterFact, undefined);
    fc.assert(
      fc.property(
        fc
          .array(facts, { minLength: 1, maxLength: 6 })
          .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        ([all, shuffled]) => {
          expect(heard([...shuffled, ...shuffled])).toEqual(heard(all));
        },
      ),
    );
  });
});

describe('the branches of a repository', () => {
  it.each<[string[], string, boolean]>([
    [['*'], 'main', true],
    [['*'], 'feature/a', true],
    [['**'], 'feature/a/b', true],
    [['main'], 'main', true],
    [['main'], 'main2', false],
    [['main'], 'amain', false],
    [[], 'main', false],
    [['*', '!dependabot/**'], 'dependabot/npm/x', false],
    [['*', '!dependabot/**'], 'dependabot', true],
    [['!main', '*'], 'main', true],
    [['*', '!release/*', 'release/9'], 'release/9', true],
    [['*', '!release/*', 'release/9'], 'release/8', false],
    [['!*'], 'main', false],
    [['v?'], 'v1', true],
    [['v?'], 'v10', false],
    [['v?'], 'v木', true],
    [['v?'], 'v🌳', true],
    [['a.c'], 'abc', false],
    [['a.c'], 'a.c', true],
    [['a+(b)[c]{d}|e^$'], 'a+(b)[c]{d}|e^$', true],
    [['a+'], 'aa', false],
    [['[ab]'], 'a', false],
    [['(a|b)'], 'a', false],
    [['\\d'], '1', false],
    [['a*b*c'], 'a/x/b/y/c', true],
    [['*a'], 'x\na', true],
  ])('%j select %j: %s', (patterns, branch, expected) => {
    expect(selects(patterns, branch)).toBe(expected);
  });

  it('take a pattern without wildcards for the name itself', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }).filter((text) => !/^!|[*?]/.test(text)),
        fc.string({ unit: 'grapheme' }),
        (text, other) => {
          expect(selects([text], text)).toBe(true);
          expect(selects([text], other)).toBe(text === other);
        },
      ),
    );
  });

  it('are matched as a regular expression would', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 6 });
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 6 }), texts, (pattern, text) => {
        const same = new RegExp(`^${pattern.replaceAll('?', '.').replaceAll('*', '.*')}$`);
        expect(selects([pattern], text)).toBe(same.test(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('are matched in no time by a pattern of many stars', () => {
    expect(selects([`${'*a'.repeat(4)}*b`], 'a'.repeat(255))).toBe(false);
    expect(selects([`${'*'.repeat(200)}b`], 'a'.repeat(255))).toBe(false);
  });
});
