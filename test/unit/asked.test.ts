/** What asking the forge adds to what webhooks told: never less than they did, and in the end what is so. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AgreementState, agreementView, isOnForge } from '../../src/domain/agreement.ts';
import { type ForgeAnswer, type KnownPullRequests, learn, unlisted, withLearnt } from '../../src/domain/asked.ts';
import type { PullRequestNow } from '../../src/domain/forge.ts';
import { approvedCommit, type ForkFact, laterFork } from '../../src/domain/forks.ts';
import { branchName, commitId, repositoryName } from '../../src/domain/names.ts';
import { laterFact, type PullRequestFact } from '../../src/domain/pull-requests.ts';

const SHOP = repositoryName('acme/shop');
const TOPIC = branchName('topic');
const MAIN = branchName('main');
const [A, B] = ['a', 'b'].map((digit) => commitId(digit.repeat(40))) as [never, never];
const MINUTE = 60_000;

function now(more: Partial<PullRequestNow> = {}): PullRequestNow {
  return {
    ...{ number: 7, state: 'open', base: MAIN, isDraft: false, labels: [], updatedAt: 1_000 },
    head: { repository: SHOP, branch: TOPIC, commit: A },
    author: { login: 'ada', isBot: false },
    ...more,
  };
}

function fact(more: Partial<PullRequestFact> = {}): PullRequestFact {
  const rest = { base: MAIN, draft: false, labels: [], bot: false };
  return { number: 7, open: true, merged: false, head: A, updatedAt: 1_000, ...rest, ...more };
}

const stranger = { repository: 'eve/shop', branch: 'main' };
function ofFork(more: Partial<PullRequestNow> = {}, commit = A): PullRequestNow {
  return now({ head: { repository: repositoryName('eve/shop'), branch: MAIN, commit }, ...more });
}

function known(own: readonly PullRequestFact[], forks: readonly ForkFact[] = []): KnownPullRequests {
  return { own: new Map(own.length === 0 ? [] : [[TOPIC, own]]), forks };
}

function answer(open: readonly PullRequestNow[], more: Partial<ForgeAnswer> = {}): ForgeAnswer {
  return { open, others: [], askedAt: 1_500, answeredAt: 1_600, ...more };
}
const whats = (...of: Parameters<typeof learn>) => learn(...of).map((one) => one.what);

describe('what is learnt', () => {
  it.each<[string, readonly PullRequestFact[], PullRequestNow, readonly (string | undefined)[]]>([
    ['one that nobody told of', [], now(), ['pull request #7 is open']],
    ['nothing that is known', [fact()], now(), []],
    ['a later time of what is known, of which nothing is said', [fact()], now({ updatedAt: 2_000 }), [undefined]],
    ['new commits', [fact({ head: B })], now({ updatedAt: 2_000 }), ['pull request #7 has new commits']],
    [
      'labels, a base and a draft',
      [fact({ draft: true, base: TOPIC })],
      now({ updatedAt: 2_000, labels: ['preview'] }),
      ["pull request #7 is to be merged into 'main', is ready for review, has the labels 'preview'"],
    ],
    ['that it is open again', [fact({ open: false })], now({ updatedAt: 2_000 }), ['pull request #7 is open again']],
    ['nothing that is older than what is known', [fact({ open: false, updatedAt: 3_000 })], now(), []],
    [
      'what nobody told before',
      [{ number: 7, open: true, merged: false, head: A, updatedAt: 0 }],
      now(),
      ["pull request #7 is to be merged into 'main', is ready for review, has no label"],
    ],
  ])('is %s', (_what, before, one, said) => {
    expect(whats(SHOP, known(before), answer([one]))).toEqual(said);
  });

  it('is what became of those that were open and are not in the list, with their last head', () => {
    const before = known([fact(), fact({ number: 8 }), fact({ number: 9, open: false })]);
    expect(unlisted(before, [now({ number: 8 })])).toEqual([7]);
    const head = { repository: SHOP, branch: TOPIC, commit: B };
    const others = [now({ state: 'merged', head, updatedAt: 5_000 })];
    const learnt = learn(SHOP, before, answer([now({ number: 8 })], { others }));
    expect(learnt).toMatchObject([
      { what: 'pull request #7 was merged', fact: { open: false, merged: true, head: B } },
    ]);
    const after = withLearnt(before.own, learnt).get(TOPIC) ?? [];
    expect(after.map((one) => [one.number, one.open])).toEqual([
      [8, true],
      [9, false],
      [7, false],
    ]);
  });

  it('is nothing of one that is not in the list and of which the forge does not say what became', () => {
    expect(learn(SHOP, known([fact()]), answer([]))).toEqual([]);
  });

  it('is the last of a second only where that second was over long ago', () => {
    // Within one second it got a label and lost it, and only the first was heard.
    const before = known([fact({ labels: ['preview'] })]);
    expect(learn(SHOP, before, answer([now()]))).toEqual([]);
    const later = answer([now()], { askedAt: 1_000 + MINUTE });
    const [learnt] = learn(SHOP, before, later);
    expect(learnt?.what).toBe('pull request #7 has no label');
    expect(laterFact(before.own.get(TOPIC)?.[0], learnt?.fact as PullRequestFact)).toBe(learnt?.fact);
  });

  it('of a fork is no earlier time of its head than that at which it was seen', () => {
    const before: ForkFact = { ...fact(), fork: stranger, headSince: 1_000 };
    // The forge's own time of the pull request is older than the push.
    const moved = answer([ofFork({ updatedAt: 1_200 }, B)], { askedAt: 4_000, answeredAt: 5_000 });
    const [learnt] = learn(SHOP, known([], [before]), moved);
    expect(learnt).toMatchObject({ kind: 'fork', what: 'pull request #7 has new commits', fact: { headSince: 5_000 } });
    const after = laterFork(before, learnt?.fact as ForkFact);
    const at = (time: number) => approvedCommit({ at: time, named: undefined }, B, after);
    expect(at(4_999)).toHaveProperty('refused');
    expect(at(5_001)).toEqual({ commit: B });
    // What was known of a head before stays known.
    const labelled = learn(SHOP, known([], [before]), answer([ofFork({ updatedAt: 9_000, labels: ['x'] })]));
    expect(laterFork(before, labelled[0]?.fact as ForkFact).headSince).toBe(1_000);
  });

  it('of a fork that is gone is known by what it was, or not at all', () => {
    const gone = now({ head: { repository: undefined, branch: MAIN, commit: A }, updatedAt: 2_000, labels: ['x'] });
    expect(learn(SHOP, known([]), answer([gone]))).toEqual([]);
    const before: ForkFact = { ...fact(), fork: stranger, headSince: 1_000 };
    expect(learn(SHOP, known([], [before]), answer([gone]))).toMatchObject([{ fact: { fork: stranger } }]);
  });

  it('makes what is known what is so, whatever was heard before and comes late', () => {
    const step = fc.record({
      state: fc.constantFrom('open', 'closed', 'merged'),
      labels: fc.subarray(['a', 'b']),
      commit: fc.constantFrom(A, B),
      gap: fc.integer({ min: 0, max: 2 }),
    });
    const life = fc.array(step, { minLength: 1, maxLength: 6 }).map((steps) => {
      let time = 0;
      return steps.map(({ state, labels, commit, gap }) => {
        time += gap * 1_000;
        const head = { repository: SHOP, branch: TOPIC, commit };
        return now({ state: state as PullRequestNow['state'], labels, updatedAt: time, head });
      });
    });
    const heard = (one: PullRequestNow) =>
      fact({
        ...{ open: one.state === 'open', merged: one.state === 'merged', head: one.head.commit },
        ...{ labels: one.labels, updatedAt: one.updatedAt },
      });
    const cases = life.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all), fc.shuffledSubarray(all)));
    fc.assert(
      fc.property(cases, ([all, before, late]) => {
        const first = before.map(heard).reduce<PullRequestFact | undefined>(laterFact, undefined);
        const last = all.at(-1) as PullRequestNow;
        const isListed = last.state === 'open';
        const facts = known(first ? [first] : []);
        const isAsked = unlisted(facts, isListed ? [last] : []).length > 0;
        const said = { askedAt: 3 * MINUTE, answeredAt: 3 * MINUTE, others: isAsked ? [last] : [] };
        const learnt = learn(SHOP, facts, answer(isListed ? [last] : [], said));
        // What was never open here ends nothing.
        fc.pre(isListed || isAsked);
        const noted = [...learnt.map((one) => one.fact), ...late.map(heard)];
        const after = noted.reduce<PullRequestFact | undefined>(laterFact, first);
        expect({ ...after, asked: 0 }).toEqual({ ...heard(last), asked: 0 });
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('when it was last agreed', () => {
  const names = ['acme/shop', 'acme/blog', 'rho/site'].map(repositoryName);
  const state = (more: AgreementState['repositories']): AgreementState => ({
    repositories: more,
    deliveries: undefined,
  });
  const [shop, blog, site] = names as [never, never, never];

  it('is when the last of an installation did, but for those that are not shown to it', () => {
    const fault = { why: 'it is not there', kind: 'terminal' as const };
    const all = state(
      new Map([
        [shop, { triedAt: 9_000, agreedAt: 9_000 }],
        [blog, { triedAt: 9_000, agreedAt: 2_000, fault }],
        [site, { triedAt: 9_000, agreedAt: 1_000, fault: { why: 'it is away', kind: 'transient' } }],
      ]),
    );
    expect(agreementView(names, all, { host: 'github.com', isApp: true })).toEqual({
      host: 'github.com',
      installations: [
        { owner: 'acme', agreedAt: 9_000, faults: [{ repositories: ['acme/blog'], why: 'it is not there' }] },
        { owner: 'rho', agreedAt: 1_000, faults: [{ repositories: ['rho/site'], why: 'it is away' }] },
      ],
      deliveries: { doneAt: undefined, fault: undefined },
    });
    const token = agreementView(names, all, { host: 'github.com', isApp: false });
    expect(token.installations.map((one) => [one.owner, one.agreedAt])).toEqual([[undefined, 1_000]]);
    expect(token.deliveries).toBeUndefined();
  });

  it('is never where one of it was not asked about yet, or none is shown', () => {
    const one = (repositories: AgreementState['repositories']) =>
      agreementView(names.slice(0, 2), state(repositories), { host: 'github.com', isApp: true }).installations[0];
    expect(one(new Map([[shop, { triedAt: 1, agreedAt: 1 }]]))?.agreedAt).toBeUndefined();
    const hidden = { triedAt: 1, fault: { why: 'no', kind: 'terminal' as const } };
    expect(one(new Map([shop, blog].map((name) => [name, hidden])))?.agreedAt).toBeUndefined();
  });
});

it.each([
  ['acme/shop', 'https://github.com/acme/shop.git', true],
  ['acme/shop', 'git@github.com:acme/shop.git', true],
  ['acme/shop', 'ssh://git@ssh.github.com:443/acme/shop.git', true],
  ['acme/shop', 'https://gitlab.com/acme/shop.git', false],
  ['acme/shop', 'https://github.com.example.org/acme/shop.git', false],
  ['acme/shop', '/srv/mirror/shop.git', true],
  ['local/shop', '/home/me/shop', false],
])('asks about %s at %s: %s', (name, url, isAsked) => {
  expect(isOnForge({ name, url }, 'github.com')).toBe(isAsked);
});
