/** Which branches have previews, by what an admin asks of their pull requests. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Desired, desiredState, type SetAside, settled } from '../../src/domain/desired.ts';
import { branchName, commitId } from '../../src/domain/names.ts';
import type { PullRequestFact } from '../../src/domain/pull-requests.ts';
import { EVERY_BRANCH, type PathsVerdict, PULL_REQUESTS, type Selection, touches } from '../../src/domain/selection.ts';

const HEAD = commitId('a'.repeat(40));
const OLDER = commitId('b'.repeat(40));
const MAIN = branchName('main');
const STACKED = branchName('feature/below');

function fact(number: number, more: Partial<PullRequestFact> = {}): PullRequestFact {
  const whole = { base: MAIN, draft: false, labels: [], bot: false };
  return { number, open: true, merged: false, head: HEAD, updatedAt: 1_000, ...whole, ...more };
}
/** As an earlier version noted it. */
function bare({ number, open, merged, head, updatedAt }: PullRequestFact): PullRequestFact {
  return { number, open, merged, head, updatedAt };
}

function text(desired: Desired): string {
  switch (desired.kind) {
    case 'present':
      return desired.question ? `asks against ${desired.question.bases}` : 'present';
    case 'as-is':
      return `as is: ${desired.cause}`;
    case 'absent':
      return `absent: ${desired.cause}`;
  }
}

function wish(selection: Partial<Selection>, pullRequests: readonly PullRequestFact[], verdict?: PathsVerdict): string {
  const asked = { ...EVERY_BRANCH, ...selection };
  return text(desiredState({ head: HEAD, pullRequests, excluded: undefined, selection: asked, verdict }));
}

describe('a branch has a preview', () => {
  const closed = fact(4, { open: false });
  const closedBefore = fact(4, { open: false, merged: true, head: OLDER });
  it.each<[string, Partial<Selection>, readonly PullRequestFact[], string]>([
    ['without a pull request', {}, [], 'present'],
    ['with a draft', {}, [fact(5, { draft: true })], 'present'],
    ['while one is open', { pullRequests: 'all' }, [fact(5)], 'present'],
    [
      'while one is open, and none was heard of',
      { pullRequests: 'all' },
      [],
      'as is: no pull request of it is open, and `pullRequests: all` asks for one',
    ],
    [
      'while one is open, and its only one ended before',
      { pullRequests: 'all' },
      [closedBefore],
      'absent: no pull request of it is open, and `pullRequests: all` asks for one',
    ],
    ['while one is open, and it was closed', { pullRequests: 'all' }, [closed], 'absent: pull request #4 was closed'],
    ['whatever becomes of pull requests', { pullRequests: 'none', drafts: false }, [closed], 'present'],
    ['with the label, in any case', { pullRequests: 'labelled' }, [fact(5, { labels: ['x', 'Preview'] })], 'present'],
    [
      'with a label, and it was taken away',
      { pullRequests: 'labelled', label: 'show me' },
      [fact(5, { labels: ['x'] })],
      "absent: pull request #5 has not the label 'show me', which `pullRequests: labelled` asks for",
    ],
    [
      'with a label, and labels were not noted',
      { pullRequests: 'labelled' },
      [bare(fact(5))],
      'as is: of pull request #5 it was not heard yet its labels',
    ],
    [
      'but drafts',
      { drafts: false },
      [fact(5, { draft: true })],
      'absent: pull request #5 is a draft, and `drafts: false` leaves those out',
    ],
    ['but drafts, with one that is none beside it', { drafts: false }, [fact(5, { draft: true }), fact(6)], 'present'],
    [
      'but those of bots',
      { bots: false },
      [fact(5, { bot: true })],
      'absent: pull request #5 is of a bot, and `bots: false` leaves those out',
    ],
    [
      'into main alone, and it is stacked on another',
      { base: ['main', 'release/*'] },
      [fact(5, { base: STACKED })],
      "absent: pull request #5 is to be merged into 'feature/below', which `base` leaves out",
    ],
    ['into main alone, and it was retargeted', { base: ['main'] }, [fact(5)], 'present'],
    ['stacked on a branch that has one itself', { pullRequests: 'all' }, [fact(5, { base: STACKED })], 'present'],
    [
      'and says all that leaves it out',
      { drafts: false, bots: false },
      [fact(6, { bot: true }), fact(5, { draft: true })],
      'absent: pull request #5 is a draft, and `drafts: false` leaves those out; pull request #6 is of a bot, and `bots: false` leaves those out',
    ],
  ])('%s', (_what, selection, pullRequests, expected) => {
    expect(wish(selection, pullRequests)).toBe(expected);
  });
});

describe('paths', () => {
  const paths = ['web', '!*.md'];
  const verdict = { commit: HEAD, bases: [MAIN], paths, touched: false };

  it('are asked about once for each head, base and list', () => {
    expect(wish({ paths }, [fact(5)])).toBe('asks against main');
    expect(wish({ paths }, [fact(5), fact(6, { base: STACKED })])).toBe('asks against feature/below,main');
    expect(wish({ paths }, [fact(5)], { ...verdict, touched: true })).toBe('present');
    expect(wish({ paths }, [fact(5)], verdict)).toBe('as is: aaaaaaaaaaaa changes nothing under `paths` against main');
    expect(wish({ paths: ['api'] }, [fact(5)], verdict)).toBe('asks against main');
    expect(wish({ paths }, [fact(5, { base: STACKED })], verdict)).toBe('asks against feature/below');
    expect(wish({ paths }, [fact(5)], { ...verdict, commit: OLDER })).toBe('asks against main');
  });

  it('say nothing of a branch without a pull request: against what is not known', () => {
    expect(wish({ paths }, [])).toBe('present');
    expect(wish({ paths }, [bare(fact(5))])).toBe('present');
  });

  it.each<[readonly string[], readonly string[], boolean]>([
    [['web'], ['web/a/b.ts'], true],
    [['web/'], ['web/a.ts'], true],
    [['web'], ['website/a.ts'], false],
    [['web/**'], ['web/a.ts'], true],
    [['*.ts'], ['a/b.ts'], true],
    [['Dockerfile'], ['Dockerfile', 'x'], true],
    [['Dockerfile'], ['web/Dockerfile'], false],
    [['web', '!*.md'], ['web/README.md'], false],
    [['web', '!*.md'], ['web/README.md', 'web/x'], true],
    [['!docs', '!*.md'], ['docs/a.html', 'README.md'], false],
    [['!docs'], ['src/a.ts'], true],
    [['web'], [], false],
  ])('%j of %j: %s', (patterns, files, expected) => {
    expect(touches(patterns, files)).toBe(expected);
  });
});

describe('what is to stay as it is', () => {
  const asIs = { kind: 'as-is', head: HEAD, cause: 'why' } as const;
  const aside: SetAside = { commit: OLDER, cause: 'ada took it down' };
  it.each<[string, Desired, Parameters<typeof settled>[1], string]>([
    ['serves on', asIs, { serving: OLDER, isAsked: false }, `${OLDER} since why: it stays as it is`],
    ['is nothing where nothing serves', asIs, { serving: undefined, isAsked: false }, 'none since why'],
    ['is built where somebody asks', asIs, { serving: OLDER, isAsked: true }, `${HEAD} since undefined`],
    [
      'goes where somebody takes it down',
      { ...asIs, aside },
      { serving: OLDER, isAsked: false },
      'none since ada took it down',
    ],
    [
      'goes by its timer only as it was',
      { ...asIs, aside: { ...aside, commit: HEAD } },
      { serving: OLDER, isAsked: false },
      `${OLDER} since why: it stays as it is`,
    ],
  ])('%s', (_what, desired, now, expected) => {
    const found = settled(desired, now);
    expect(found.kind === 'present' ? `${found.commit} since ${found.because}` : `none since ${found.cause}`).toBe(
      expected,
    );
  });
});

const selections: fc.Arbitrary<Selection> = fc.record({
  pullRequests: fc.constantFrom(undefined, ...PULL_REQUESTS),
  label: fc.constantFrom('preview', 'x'),
  drafts: fc.boolean(),
  bots: fc.boolean(),
  base: fc.constantFrom([], ['main'], ['!main', 'f*']),
  paths: fc.constantFrom([], ['web']),
});
const openFacts = fc.array(
  fc.record({
    number: fc.integer({ min: 1, max: 3 }),
    open: fc.constant(true),
    merged: fc.constant(false),
    head: fc.constantFrom(HEAD, OLDER),
    updatedAt: fc.integer({ min: 0, max: 3 }),
    base: fc.constantFrom(MAIN, STACKED),
    draft: fc.boolean(),
    labels: fc.constantFrom([], ['preview']),
    bot: fc.boolean(),
  }),
  { maxLength: 4 },
);

describe('whatever is asked', () => {
  it('what was not heard takes nothing away', () => {
    fc.assert(
      fc.property(selections, openFacts, fc.boolean(), (selection, facts, isWiped) => {
        const pullRequests = isWiped ? [] : facts.map(bare);
        expect(desiredState({ head: HEAD, pullRequests, excluded: undefined, selection }).kind).not.toBe('absent');
      }),
    );
  });

  it('an earlier word of a pull request decides as it did, where nothing is asked of it', () => {
    fc.assert(
      fc.property(openFacts, (pullRequests) => {
        const of = (facts: readonly PullRequestFact[]) =>
          desiredState({ head: HEAD, pullRequests: facts, excluded: undefined });
        expect(of(pullRequests)).toEqual({ kind: 'present', commit: HEAD });
        expect(of(pullRequests.map(bare))).toEqual(of(pullRequests));
      }),
    );
  });

  it('nothing is built but the head, and nothing serves but it or what served', () => {
    const verdicts = fc.option(
      fc.record({
        commit: fc.constantFrom(HEAD, OLDER),
        bases: fc.constant([MAIN]),
        paths: fc.constant(['web']),
        touched: fc.boolean(),
      }),
      { nil: undefined },
    );
    const served = fc.constantFrom(undefined, HEAD, OLDER);
    fc.assert(
      fc.property(
        selections,
        openFacts,
        verdicts,
        served,
        fc.boolean(),
        (selection, pullRequests, verdict, serving, isAsked) => {
          const desired = desiredState({ head: HEAD, pullRequests, excluded: undefined, selection, verdict });
          const now = settled(desired, { serving, isAsked });
          if (now.kind === 'absent') expect(desired.kind).not.toBe('present');
          else expect([HEAD, serving]).toContain(now.commit);
        },
      ),
    );
  });
});
