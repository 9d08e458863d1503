/** What is done of what was decided: held still, asked about once more, and with every failure said. */
import { describe, expect, it } from 'vitest';
import { type Branch, branchName, type Commit, type PreviewId } from '../../src/domain/names.ts';
import type { Decision, Place, Thing } from '../../src/domain/sweep.ts';
import { TreehouseError } from '../../src/errors.ts';
import { carryOut } from '../../src/sweep/carry-out.ts';
import type { SweepDeps } from '../../src/sweep/deps.ts';
import { registryPlace } from '../../src/sweep/registry-place.ts';
import { HEAD, heads, keyOf, SHOP, sweepDeps, whole } from '../support/sweep-world.ts';

const GONE = keyOf('gone');
const THINGS = whole(GONE).things;

/** Ports that remember what was asked of them. */
function world(more: Partial<SweepDeps> = {}) {
  const done: string[] = [];
  const branches: { now: ReadonlyMap<Branch, Commit> | TreehouseError } = { now: heads('main') };
  const running = new Set<PreviewId>();
  const say = (what: string) => async (ref: string) => void done.push(`${what} ${ref}`);
  const rest: Place = {
    name: 'the rest',
    kinds: ['tag', 'folder', 'key'],
    find: async () => [],
    remove: async (thing: Thing) => void done.push(`${thing.what} ${thing.ref}`),
  };
  const quiet = sweepDeps({});
  const deps: SweepDeps = {
    ...quiet,
    git: {
      branches: async () => {
        if (branches.now instanceof TreehouseError) throw branches.now;
        return branches.now;
      },
    },
    store: { ...quiet.store, know: async (key) => void done.push(`know ${key.id}`) },
    engine: {
      stop: say('stop'),
      removeContainer: say('container'),
      removeNetwork: say('network'),
      removeVolume: say('volume'),
      removeImage: say('image'),
      image: async () => undefined,
    },
    gateway: {
      ...quiet.gateway,
      setRoutes: async (id) => {
        done.push(`route ${id}`);
        return true;
      },
    },
    places: [rest],
    hints: { ...quiet.hints, hint: async (id) => void done.push(`hint ${id}`) },
    worker: {
      atWork: async () => [...running].map((id) => ({ id })),
      async hold(id, work) {
        if (running.has(id)) return false;
        done.push(`hold ${id}`);
        await work();
        done.push(`release ${id}`);
        return true;
      },
    },
    ...more,
  };
  const carry = (decisions: readonly Decision[]) => carryOut(deps, decisions, new AbortController().signal);
  return { done, branches, running, carry };
}

function removals(things: readonly Thing[]): Decision[] {
  return things.map((thing) => ({ what: thing.what, name: thing.name, action: 'remove', why: 'gone', thing }));
}

describe('a removal', () => {
  it('is done while no converge of the preview can begin', async () => {
    const { done, carry } = world();
    const order = ['route', 'container', 'network', 'volume', 'image', 'tag', 'folder', 'key'];
    const sorted = [...THINGS].sort((a, b) => order.indexOf(a.what) - order.indexOf(b.what));
    const lines = await carry(removals(sorted));
    expect(done).toEqual([
      'hold gone--shop',
      'route gone--shop',
      'stop c-gone--shop',
      ...sorted.slice(1).map((one) => `${one.what} ${one.ref}`),
      'release gone--shop',
    ]);
    expect(lines.every((one) => one.action === 'remove' && one.failed === undefined)).toBe(true);
  });

  it('is not done where a converge began since', async () => {
    const { done, running, carry } = world();
    running.add(GONE.id);
    const lines = await carry(removals(THINGS));
    expect(done).toEqual([]);
    expect(new Set(lines.map((one) => `${one.action}: ${one.why}`))).toEqual(
      new Set(['leave: gone--shop is being converged']),
    );
  });

  it.each<[string, readonly Thing[]]>([
    ['known by its labels', THINGS],
    ['known by its name alone', THINGS.filter((one) => one.owner.kind === 'preview' && !one.owner.key)],
    [
      'of its branch',
      [{ what: 'key', name: 'k', ref: 'k', owner: { kind: 'branch', repository: SHOP.name, branch: GONE.branch } }],
    ],
  ])('is not done where the branch was pushed since, or its remote is silent (%s)', async (_how, things) => {
    const { done, branches, carry } = world();
    branches.now = new Map([[branchName('gone'), HEAD]]);
    const back = await carry(removals(things));
    branches.now = new TreehouseError('git-failed', 'no route to host');
    const silent = await carry(removals(things));
    expect(done.filter((one) => !/^(?:hold|release) /.test(one))).toEqual([]);
    expect(new Set([...back, ...silent].map((one) => `${one.action}: ${one.why}`))).toEqual(
      new Set(['leave: it is wanted again', 'leave: nothing of acme/shop is touched: no route to host']),
    );
  });

  it('that fails is said, and the others are done', async () => {
    const { done, carry } = world({
      engine: {
        ...{ stop: async () => {}, removeContainer: async () => {}, removeNetwork: async () => {} },
        removeImage: async () => {},
        // Still there afterwards.
        image: async (reference) => ({ id: reference, ports: [], volumes: [], variables: [] }),
        removeVolume: async () => Promise.reject(new Error('it is in use')),
      },
    });
    const lines = await carry(removals(THINGS));
    expect(lines.filter((one) => one.failed !== undefined).map((one) => [one.what, one.failed])).toEqual([
      ['volume', 'it is in use'],
      ['image', expect.stringMatching(/^removing .* failed: a container or an image needs it$/)],
    ]);
    expect(done).toContain(`key treehouse:builds:${GONE.id}`);
  });
});

describe('a hint', () => {
  it('makes a preview known that should be, and no other', async () => {
    const { done, carry } = world();
    const said = { what: 'preview', action: 'hint', why: 'x' } as const;
    const main = keyOf('main');
    await carry([
      { ...said, name: main.id, id: main.id, know: main },
      { ...said, name: GONE.id, id: GONE.id, know: undefined },
    ]);
    expect(done).toEqual(['know main--shop', 'hint main--shop', 'hint gone--shop']);
  });

  it('that is lost is said', async () => {
    const { carry } = world({
      hints: { hint: async () => Promise.reject(new Error('Redis is away')), later: async () => new Set() },
    });
    const hint: Decision = { what: 'preview', name: GONE.id, action: 'hint', why: 'x', id: GONE.id, know: undefined };
    expect(await carry([hint])).toEqual([
      { what: 'preview', name: GONE.id, action: 'hint', why: 'x', failed: 'Redis is away' },
    ]);
  });
});

describe("the registry's tags", () => {
  it('are ours by the labels of their images, which are read once, and only where it matters', async () => {
    const asked: string[] = [];
    const makers: Record<string, string> = { 'gone--shop.1': 'me', 'gone--shop.2': 'another' };
    const place = registryPlace(
      {
        address: '127.0.0.1:5000',
        paths: async () => ['acme/shop/web'],
        tags: async () => ['main--shop.1', 'gone--shop.1', 'gone--shop.2', 'gone--shop.3', 'latest', 'v1.2'],
        labels: async (_path, tag) => {
          asked.push(tag);
          const maker = makers[tag];
          return maker === undefined ? undefined : { 'treehouse.instance': maker };
        },
        digest: async () => undefined,
        remove: async () => {},
      },
      'me',
    );
    const find = async () => (await place.find(async (id) => id === keyOf('main').id)).map((one) => one.name);
    expect(await find()).toEqual(['acme/shop/web:main--shop.1', 'acme/shop/web:gone--shop.1']);
    expect(asked).toEqual(['gone--shop.1', 'gone--shop.2', 'gone--shop.3', 'v1.2']);
    expect(await find()).toHaveLength(2);
    expect(asked).toHaveLength(4);
  });
});
