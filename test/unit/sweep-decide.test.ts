/** What a sweep decides: drift becomes a hint, what belongs to nothing goes after a while, and doubt leaves things alone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ObservedContainer } from '../../src/domain/observed.ts';
import type { PreviewKey } from '../../src/domain/preview.ts';
import { EVERY_BRANCH } from '../../src/domain/selection.ts';
import { type Decision, KINDS, type Owner, type Thing } from '../../src/domain/sweep.ts';
import { decide, type Memory, type Seen, thingKey } from '../../src/sweep/decide.ts';
import { branchKey } from '../../src/sweep/standing.ts';
import {
  GRACE,
  HEAD,
  heads,
  keyOf,
  OTHER,
  repository,
  SHOP,
  seen,
  type Whole,
  whole,
  worldOf,
} from '../support/sweep-world.ts';

const MAIN = keyOf('main');
const GONE = keyOf('gone');
const BLOG = repository('acme/blog');
/** Its branches have previews by their pull requests, and of none was anything heard. */
const ASKED = { ...SHOP, selection: { ...EVERY_BRANCH, pullRequests: 'all' as const } };
const LATER: Memory = { firstSeen: new Map(), isFirst: false };

function lines(world: Seen, memory: Memory = LATER, now = 0): string[] {
  return decide(world, memory, { now, graceMs: GRACE }).decisions.map(text);
}

function text({ action, what, name, why }: Decision): string {
  return `${action} ${what} ${name}: ${why}`;
}

/** The second of two sweeps that saw the same world, the grace apart. */
function again(world: Seen, apart = GRACE): readonly Decision[] {
  const first = decide(world, LATER, { now: 1_000, graceMs: GRACE });
  return decide(world, { ...LATER, firstSeen: first.firstSeen }, { now: 1_000 + apart, graceMs: GRACE }).decisions;
}

function shop(previews: readonly Whole[], more: Partial<Seen> = {}): Seen {
  return seen({ repositories: [{ repository: SHOP, heads: heads('main') }], ...worldOf(previews), ...more });
}

function altered(one: Whole, container: Partial<ObservedContainer>): Whole {
  return { ...one, stack: { ...one.stack, containers: one.stack.containers.map((had) => ({ ...had, ...container })) } };
}

describe('previews that should be', () => {
  it('are left alone where they are as they should be', () => {
    expect(lines(shop([whole(MAIN)]))).toEqual([]);
  });

  it('are all looked at by the first sweep: a crash leaves more than what shows', () => {
    expect(lines(shop([whole(MAIN)]), { ...LATER, isFirst: true })).toEqual([
      'hint preview main--shop: Treehouse has just started',
    ]);
  });

  const one = whole(MAIN);
  const failed = { ...one.record, attempt: { build: one.route.build, commit: HEAD, startedAt: 0, stages: {} } };
  const dead = { ...one.stack.containers[0], id: 'dead', name: 'dead', networks: new Map() } as ObservedContainer;
  it.each<[string, Partial<Seen>, string | undefined]>([
    [
      'nothing is known of',
      { records: [], stacks: new Map() },
      'the branch is at 111111111111, and nothing is known of its preview',
    ],
    [
      'were removed',
      { records: [{ ...one.record, state: 'removed' }] },
      'the branch is at 111111111111, and its preview was removed',
    ],
    ['nothing serves', { stacks: new Map(), routes: [] }, 'the branch is at 111111111111, and nothing serves it'],
    [
      'serve another commit',
      worldOf([whole(MAIN, OTHER)]),
      'it serves 222222222222, and the branch is at 111111111111',
    ],
    ['lost their route', { routes: [] }, 'it has 111111111111, and not all of it answers where it should'],
    [
      'have a container that ended',
      worldOf([altered(one, { running: false })]),
      'it has 111111111111, and not all of it answers where it should',
    ],
    [
      'sleep',
      { ...worldOf([altered(one, { running: false })]), records: [{ ...one.record, state: 'asleep' }] },
      undefined,
    ],
    [
      'sleep, and run all the same',
      { records: [{ ...one.record, state: 'asleep' }] },
      'it sleeps, and not all of it is stopped',
    ],
    [
      'have a container at another address',
      worldOf([altered(one, { networks: new Map([['th-main--shop-b1-default', '10.0.0.9']]) })]),
      'it has 111111111111, and not all of it answers where it should',
    ],
    [
      'have a container of a dead build',
      { stacks: new Map([[MAIN.id, { ...one.stack, containers: [...one.stack.containers, dead] }]]) },
      'container dead is left of a build that does not serve',
    ],
    [
      'have a network of a dead build',
      {
        stacks: new Map([
          [
            MAIN.id,
            { ...one.stack, networks: [...one.stack.networks, { ...one.stack.networks[0], name: 'old', build: 'b0' }] },
          ],
        ]) as Seen['stacks'],
      },
      'network old is left of a build that does not serve',
    ],
    [
      'serve and are known as building',
      { records: [{ ...one.record, state: 'building' }] },
      'it serves 111111111111, and is known as building',
    ],
    [
      'failed for good at this commit',
      {
        stacks: new Map(),
        routes: [],
        records: [{ ...failed, state: 'failed', attempt: { ...failed.attempt, outcome: 'failed', kind: 'terminal' } }],
      },
      undefined,
    ],
    [
      'failed for good at this commit, and what serves in its place was ended',
      {
        ...worldOf([altered(whole(MAIN, OTHER), { running: false })]),
        records: [
          { ...failed, state: 'outdated', attempt: { ...failed.attempt, outcome: 'failed', kind: 'terminal' } },
        ],
      },
      'it serves 222222222222, since 111111111111 failed, and not all of it answers where it should',
    ],
    [
      'failed for now, and wait for their next try',
      { stacks: new Map(), routes: [], later: new Set([MAIN.id]) },
      undefined,
    ],
  ])('and %s are hinted, or not', (_what, more, why) => {
    const said = lines(shop([one], { ...more, things: [] }));
    expect(said).toEqual(why === undefined ? [] : [`hint preview main--shop: ${why}`]);
  });

  it('are left to the converge that runs', () => {
    expect(lines(shop([one], { routes: [], running: new Set([MAIN.id]) }))).toEqual([
      'leave preview main--shop: it is being converged; it has 111111111111, and not all of it answers where it should',
    ]);
  });

  it('are hinted where the build that runs is of an older commit', () => {
    const attempt = { build: one.route.build, commit: OTHER, startedAt: 0, stages: {} };
    const building = shop([one], { records: [{ ...one.record, attempt }], running: new Set([MAIN.id]) });
    expect(lines(building)).toEqual([
      'hint preview main--shop: it builds 222222222222, and the branch is at 111111111111',
    ]);
    // That one has ended: what runs is about to see the branch itself.
    const ended = shop([whole(MAIN, OTHER)], { running: new Set([MAIN.id]) });
    expect(lines(ended)).toEqual([
      'leave preview main--shop: it is being converged; it serves 222222222222, and the branch is at 111111111111',
    ]);
  });

  it('are made known by their hint', () => {
    const [hint] = decide(shop([]), LATER, { now: 0, graceMs: GRACE }).decisions;
    expect(hint).toMatchObject({ action: 'hint', id: MAIN.id, know: MAIN });
  });
});

describe('what belongs to nothing', () => {
  it('is a hint for its preview at once, and waits', () => {
    expect(lines(shop([whole(MAIN), whole(GONE)]))).toEqual([
      'hint preview gone--shop: the branch was deleted, and it is not gone',
      ...KINDS.flatMap((kind) => whole(GONE).things.filter((one) => one.what === kind)).map(
        (one) => `wait ${one.what} ${one.name}: the branch was deleted; it goes in 120 s if that is still so`,
      ),
    ]);
  });

  it('is not touched while its preview is converged, which is told of it', () => {
    const world = shop([whole(MAIN), whole(GONE)], { running: new Set([GONE.id]) });
    const [hint, ...rest] = again(world).map(text);
    expect(hint).toBe('hint preview gone--shop: the branch was deleted, and it is not gone');
    expect(new Set(rest.map((said) => said.replace(/ .*:/, ' …:')))).toEqual(
      new Set(['leave …: gone--shop is being converged']),
    );
  });

  it('goes once two sweeps saw it, the grace apart, in an order in which things let go', () => {
    const gone = again(shop([whole(MAIN), whole(GONE)])).filter((one) => one.action === 'remove');
    expect(gone.map((one) => one.what)).toEqual([
      'route',
      'container',
      'network',
      'volume',
      'image',
      'tag',
      'folder',
      'key',
    ]);
    expect(gone.every((one) => one.name.includes('gone--shop'))).toBe(true);
    expect(again(shop([whole(GONE)]), GRACE - 1).filter((one) => one.action === 'remove')).toEqual([]);
  });

  it('begins to wait anew where a sweep between saw it owned', () => {
    const world = shop([whole(GONE)]);
    const first = decide(world, LATER, { now: 0, graceMs: GRACE });
    const back = decide(
      { ...world, repositories: [{ repository: SHOP, heads: heads('gone') }] },
      { ...LATER, firstSeen: first.firstSeen },
      { now: GRACE / 2, graceMs: GRACE },
    );
    expect(back.firstSeen.size).toBe(0);
    expect(lines(world, { ...LATER, firstSeen: back.firstSeen }, GRACE).some((one) => one.startsWith('remove'))).toBe(
      false,
    );
  });

  it('says which reason there is', () => {
    const fact = { number: 3, open: false, merged: true, head: HEAD, updatedAt: 1 };
    const merged = shop([whole(MAIN)], { pullRequests: new Map([[branchKey(SHOP.name, MAIN.branch), [fact]]]) });
    const nobody: Thing = { what: 'container', name: 'x', ref: 'x', owner: { kind: 'nobody' } };
    const unnamed: Thing = { what: 'route', name: 'y', ref: 'y', owner: { kind: 'preview', id: keyOf('y').id } };
    const mirror: Thing = {
      what: 'mirror',
      name: 'acme/blog',
      ref: 'acme/blog',
      owner: { kind: 'repository', repository: BLOG.name },
    };
    const pulls: Thing = {
      what: 'key',
      name: 'k',
      ref: 'k',
      owner: { kind: 'branch', repository: SHOP.name, branch: GONE.branch },
    };
    const why = (world: Seen) => new Set(again(world).map((one) => `${one.action}: ${one.why}`));
    expect(why(merged)).toEqual(
      new Set(['hint: pull request #3 was merged, and it is not gone', 'remove: pull request #3 was merged']),
    );
    expect(
      why(
        shop([], { things: [nobody, unnamed, mirror, pulls], repositories: [{ repository: SHOP, heads: new Map() }] }),
      ),
    ).toEqual(
      new Set([
        'remove: it says no preview that it belongs to',
        'remove: no branch has a preview of this name',
        'remove: acme/blog is not in the configuration any more',
        'remove: the branch was deleted',
      ]),
    );
    expect(why(shop([whole(keyOf('x', BLOG))], { repositories: [] }))).toContain(
      'remove: acme/blog is not in the configuration any more',
    );
    const only = { ...SHOP, branches: ['main'] };
    expect(why(shop([whole(GONE)], { repositories: [{ repository: only, heads: heads('gone') }] }))).toContain(
      "remove: the configuration's branches leave 'gone' out",
    );
  });
});

describe('a remote that does not answer', () => {
  it('is not one without branches: nothing of it goes, and that is said', () => {
    const world = shop([whole(MAIN), whole(GONE)], {
      repositories: [{ repository: SHOP, heads: { unread: 'no route to host' } }],
    });
    expect(again(world).map(text)).toEqual(['leave repository acme/shop: nothing of it is touched: no route to host']);
    // Nor of that whose name alone could make it its.
    const things = whole(GONE).things.filter((one) => one.owner.kind === 'preview' && !one.owner.key);
    expect(again({ ...world, things, records: [], stacks: new Map() }).map((one) => one.action)).toEqual(['leave']);
  });

  it('keeps no other repository from being swept', () => {
    const other = whole(keyOf('gone', BLOG));
    const world = shop([whole(GONE), other], {
      repositories: [
        { repository: SHOP, heads: { unread: 'no' } },
        { repository: BLOG, heads: heads('main') },
      ],
    });
    const removed = again(world).filter((one) => one.action === 'remove');
    expect(removed.map((one) => one.name)).toEqual(expect.arrayContaining([other.stack.containers[0]?.name]));
    expect(removed).toHaveLength(other.things.length);
  });
});

describe('whatever the world', () => {
  const [SLOW, ALONE] = [repository('acme/slow'), repository('acme/alone')];
  const all = [SHOP, BLOG, SLOW, ALONE];
  const branches = ['main', 'a', 'b', 'feature/x'];
  const key = fc
    .record({ of: fc.constantFrom(...all), branch: fc.constantFrom(...branches) })
    .map(({ of, branch }) => keyOf(branch, of));
  const owner = fc.oneof(
    key.map((one): Owner => ({ kind: 'preview', id: one.id, key: one })),
    key.map((one): Owner => ({ kind: 'preview', id: one.id })),
    key.map((one): Owner => ({ kind: 'branch', repository: one.repository, branch: one.branch })),
    fc.constantFrom(...all).map((one): Owner => ({ kind: 'repository', repository: one.name })),
    fc.constant<Owner>({ kind: 'nobody' }),
  );
  const thing = fc
    .record({ what: fc.constantFrom(...KINDS), ref: fc.nat(30).map(String), owner })
    .map((one): Thing => ({ ...one, name: one.ref }));
  const world = fc.record({
    things: fc.uniqueArray(thing, { selector: thingKey, maxLength: 20 }),
    present: fc.uniqueArray(key, { selector: (one) => one.id }),
    running: fc.uniqueArray(key.map((one) => one.id)),
    whole: fc.uniqueArray(key, { selector: (one) => one.id, maxLength: 4 }),
    ages: fc.array(fc.constantFrom(undefined, 0, GRACE - 1, GRACE, 2 * GRACE), { minLength: 80, maxLength: 80 }),
  });

  it('only that goes which is surely nobody’s, for long enough, and in use by no converge', () => {
    fc.assert(
      fc.property(world, ({ things, present, running, whole: there, ages }) => {
        // SLOW never answers, and ALONE is not configured.
        const repositories = [SHOP, BLOG].map((one) => ({
          repository: one,
          heads: new Map(present.filter(({ repository: of }) => of === one.name).map(({ branch }) => [branch, HEAD])),
        }));
        const now = 10 * GRACE;
        const every = [...there.flatMap((one) => whole(one).things), ...things];
        const firstSeen = new Map(
          every.flatMap((one, index) => {
            const age = ages[index % ages.length];
            return age === undefined ? [] : [[thingKey(one), now - age] as const];
          }),
        );
        const before = [...there.map((one) => whole(one))];
        const { decisions, firstSeen: next } = decide(
          seen({
            ...worldOf(before),
            things: every,
            repositories: [...repositories, { repository: SLOW, heads: { unread: 'no' } }],
            running: new Set(running),
          }),
          { firstSeen, isFirst: false },
          { now, graceMs: GRACE },
        );
        const ids = new Set(
          present.filter((one) => one.repository === SHOP.name || one.repository === BLOG.name).map((one) => one.id),
        );
        const mayGo = (one: Thing): boolean => {
          const since = firstSeen.get(thingKey(one));
          if (since === undefined || now - since < GRACE) return false;
          if (one.owner.kind === 'nobody') return true;
          if (one.owner.kind === 'repository') return one.owner.repository === ALONE.name;
          const id =
            one.owner.kind === 'preview'
              ? one.owner.id
              : keyOf(
                  one.owner.branch,
                  all.find((of) => one.owner.kind === 'branch' && of.name === one.owner.repository),
                ).id;
          return (
            !ids.has(id) &&
            !id.endsWith('--slow') &&
            (one.owner.kind === 'branch' && id.endsWith('--alone') ? true : !running.includes(id))
          );
        };
        const gone = decisions.flatMap((one) => (one.action === 'remove' ? [thingKey(one.thing)] : []));
        expect(new Set(gone)).toEqual(new Set(every.filter(mayGo).map(thingKey)));
        // Who waits is remembered, from when it was first seen; nobody else is.
        for (const [name, since] of next) expect(since).toBe(firstSeen.get(name) ?? now);
      }),
      { numRuns: 300 },
    );
  });

  it('a second look at what the first put right finds nothing', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { selector: (one) => one.id }), (present: readonly PreviewKey[]) => {
        const repositories = all.map((one) => ({
          repository: one,
          heads: new Map(present.filter(({ repository: of }) => of === one.name).map(({ branch }) => [branch, HEAD])),
        }));
        expect(lines(seen({ repositories, ...worldOf(present.map((one) => whole(one))) }))).toEqual([]);
      }),
    );
  });
});

describe('many previews', () => {
  /** Half of them are drifted or orphaned, so that nothing is cheap. */
  function many(count: number): Seen {
    const branches = Array.from({ length: count }, (_, index) => `feature/number-${index}`);
    const previews = branches.map((branch, index) => whole(keyOf(branch), index % 4 === 0 ? OTHER : HEAD));
    return seen({
      repositories: [{ repository: SHOP, heads: heads(...branches.filter((_, index) => index % 4 !== 1)) }],
      ...worldOf(previews),
    });
  }

  /** Milliseconds of CPU, the least of some runs. */
  function cost(count: number): number {
    const world = many(count);
    const runs = Array.from({ length: 5 }, () => {
      const before = process.cpuUsage();
      decide(world, LATER, { now: 0, graceMs: GRACE });
      const used = process.cpuUsage(before);
      return (used.user + used.system) / 1000;
    });
    return Math.min(...runs);
  }

  it('take less than a second of CPU for a thousand, and four times as long for four thousand', () => {
    const [some, more] = [cost(1_000), cost(4_000)];
    expect(some).toBeLessThan(1_000);
    // Sixteen times would be the square.
    expect(more).toBeLessThan(10 * Math.max(some, 5));
  }, 60_000);
});

describe('previews that are to stay as they are', () => {
  const CAUSE = 'no pull request of it is open, and `pullRequests: all` asks for one';
  const asked = (previews: readonly Whole[], more: Partial<Seen> = {}) =>
    shop(previews, { repositories: [{ repository: ASKED, heads: heads('main') }], ...more });

  it('are left alone, whatever their branch is at', () => {
    expect(again(asked([whole(MAIN)]))).toEqual([]);
    expect(again(asked([whole(MAIN, OTHER)]))).toEqual([]);
  });

  it('are looked at where they do not answer as they did', () => {
    expect(lines(asked([whole(MAIN, OTHER)], { routes: [] }))).toEqual([
      'hint preview main--shop: it has 222222222222, and not all of it answers where it should',
    ]);
  });

  it('are none where nothing serves, and then said to be', () => {
    const { record } = whole(MAIN);
    const waiting = asked([], { records: [{ ...record, state: 'waiting' }] });
    expect(lines(waiting)).toEqual([`hint preview main--shop: ${CAUSE}, and it is not gone`]);
    expect(lines(asked([], { records: [{ ...record, state: 'removed' }] }))).toEqual([]);
    expect(lines({ ...waiting, running: new Set([MAIN.id]) })).toEqual([]);
  });

  it('are those of which no file changed that counts', () => {
    const paths = { ...SHOP, selection: { ...EVERY_BRANCH, paths: ['web'] } };
    const fact = { number: 3, open: true, merged: false, head: HEAD, updatedAt: 1, base: MAIN.branch };
    const world = asked([whole(MAIN, OTHER)], {
      repositories: [{ repository: paths, heads: heads('main') }],
      pullRequests: new Map([[branchKey(SHOP.name, MAIN.branch), [fact]]]),
    });
    expect(lines(world)).toEqual([
      'hint preview main--shop: it serves 222222222222, and the branch is at 111111111111',
    ]);
    const verdict = { commit: HEAD, bases: [MAIN.branch], paths: ['web'], touched: false };
    expect(lines({ ...world, paths: new Map([[MAIN.id, verdict]]) })).toEqual([]);
  });
});
