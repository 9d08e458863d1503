/** What takes room on disk, kept within budgets at the real engine, registry and git; others' things stay. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cacheOnDisk } from '../../src/adapters/disk-cache.ts';
import { checkoutsOnDisk, mirrorsOnDisk } from '../../src/adapters/disk-folders.ts';
import { imagesOnDisk } from '../../src/adapters/disk-images.ts';
import { gated, registryOnDisk } from '../../src/adapters/disk-registry.ts';
import { connectEngine, dockerEngine } from '../../src/adapters/engine.ts';
import { createGate } from '../../src/adapters/gate.ts';
import { createGit } from '../../src/adapters/git.ts';
import { engineImages } from '../../src/adapters/images.ts';
import { type PulledImages, pulledImages } from '../../src/adapters/pulled-images.ts';
import { createRegistry, type RegistryContents } from '../../src/adapters/registry.ts';
import { bytesOf, type DiskStore, type DiskThing } from '../../src/domain/disk.ts';
import { branchName, type Commit, repositoryName } from '../../src/domain/names.ts';
import type { Registry } from '../../src/domain/ports.ts';
import { type EmbeddedRegistry, startRegistry } from '../../src/embedded/registry.ts';
import { createLogger } from '../../src/log.ts';
import { makeRepo } from '../support/repo.ts';
import { docker, until } from '../support/treehouse.ts';

const OWN = `disk${process.pid}`;
const INSTANCE = `test-${OWN}`;
const log = createLogger({ level: 'silent' });
const clock = { now: () => Date.now() };
const engine = connectEngine(undefined);
const folder = '/var/lib/docker';

let home: string;
/** Images that a test made, by any name. */
const made: string[] = [];
beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'treehouse-disk-'));
});
afterAll(async () => {
  for (const one of made) await docker('rmi', '--force', one).catch(() => undefined);
  await rm(home, { recursive: true, force: true });
});

/** Builds an image whose one layer holds `megabytes` of noise. */
async function build(name: string, megabytes: number, more: readonly string[] = [], from = 'busybox'): Promise<string> {
  const context = await mkdtemp(path.join(home, 'context-'));
  await writeFile(path.join(context, 'noise'), randomBytes(megabytes * 2 ** 20));
  await writeFile(path.join(context, 'Dockerfile'), `FROM ${from}\nCOPY noise /${path.basename(context)}\n`);
  await docker('build', '--quiet', ...more, '--tag', name, context);
  made.push(name);
  const [id = ''] = await docker('image', 'inspect', '--format', '{{.Id}}', name);
  return id;
}

const labels = (branch: string) => [
  ...['--label', `treehouse.instance=${INSTANCE}`],
  ...['--label', `treehouse.preview=${branch}--${OWN}`],
];

/** As those of previews are named, see `tagPrefix`. */
const imageOf = (branch: string) => `${OWN}/web:${branch}--${OWN}.1`;

const isThere = (name: string) =>
  docker('image', 'inspect', name).then(
    () => true,
    () => false,
  );

/** As the caretaker would ask, of all that may go. */
async function clear(store: DiskStore, unusedSince = Date.now() + 1): Promise<readonly DiskThing[]> {
  const things = (await store.look()).filter((one) => one.kept === undefined);
  return store.remove(things, { unusedSince, signal: new AbortController().signal });
}

describe('images', () => {
  let pulled: PulledImages;
  let images: DiskStore;
  beforeAll(async () => {
    pulled = pulledImages({ home: path.join(home, 'one'), clock, log, isShared: false });
    images = imagesOnDisk(engine, { instance: INSTANCE, pulled, folder, budget: undefined });
  });

  it('of previews that nothing runs go; of those that run, sleep or are someone else’s none does', async () => {
    const [running, asleep, idle, copied] = ['running', 'asleep', 'idle', 'copied'].map(imageOf) as [
      ...[string, string, string, string],
    ];
    const [foreign, other] = [`${OWN}/foreign:1`, `${OWN}/other:1`];
    await build(running, 3, labels('running'));
    await build(asleep, 3, labels('asleep'));
    await build(idle, 3, labels('idle'));
    // An admin gave it a name of his own.
    await build(copied, 3, labels('copied'));
    await docker('tag', copied, `${OWN}/mine:1`);
    made.push(`${OWN}/mine:1`);
    await build(foreign, 3);
    await build(other, 3, ['--label', 'treehouse.instance=another', '--label', `treehouse.preview=x--${OWN}`]);
    const [one = ''] = await docker('run', '--detach', running, 'sleep', '600');
    const [two = ''] = await docker('create', asleep, 'true');
    try {
      const things = await images.look();
      const named = (thing: DiskThing) => (thing.name.includes('mine') ? copied : thing.name);
      expect(things.map((thing) => [named(thing), thing.kept]).sort()).toEqual([
        [asleep, 'a container is made from it'],
        [copied, 'it has a name that is not ours'],
        [idle, undefined],
        [running, 'a container is made from it'],
      ]);
      // The layers of busybox are counted once.
      const [base = ''] = await docker('image', 'inspect', '--format', '{{.Size}}', 'busybox');
      expect(bytesOf(things)).toBe(4 * 3 * 2 ** 20 + Number(base));
      expect((await clear(images)).map((thing) => thing.name)).toEqual([idle]);
      const all = [running, asleep, idle, copied, foreign, other];
      expect(await Promise.all(all.map(isThere))).toEqual([true, true, false, true, true, true]);
      expect(things.find((thing) => thing.name === idle)?.preview).toBe(`idle--${OWN}`);

      // However it came to be asked for: a container keeps its image.
      const asked = things.filter((thing) => thing.name !== idle);
      expect(await images.remove(asked, { unusedSince: Date.now() + 1, signal: new AbortController().signal })).toEqual(
        [],
      );
      expect(await Promise.all([running, asleep].map(isThere))).toEqual([true, true]);
    } finally {
      await docker('rm', '--force', '--volumes', one, two);
    }
  });

  it('that were named after they were looked at stay: a build has begun to use them', async () => {
    const name = imageOf('reused');
    const mine = (things: readonly DiskThing[]) => things.filter((one) => one.preview === `reused--${OWN}`);
    await build(name, 1, labels('reused'));
    const before = Date.now();
    await docker('tag', name, `${name}2`);
    made.push(`${name}2`);
    expect(mine(await clear(images, before))).toEqual([]);
    expect(mine(await clear(images))).toHaveLength(1);
    expect(await Promise.all([name, `${name}2`].map(isThere))).toEqual([false, false]);
  });
});

describe('the embedded registry, and what is pulled', () => {
  let registry: EmbeddedRegistry;
  let port: Registry & RegistryContents;
  const signal = new AbortController().signal;
  beforeAll(async () => {
    registry = await startRegistry({ home, searchPath: process.env.PATH ?? '' });
    port = createRegistry({ address: registry.address });
  });
  afterAll(() => registry?.stop());

  async function push(path: string, tag: string, megabytes: number): Promise<string> {
    const name = `${registry.address}/${OWN}/${path}:${tag}`;
    await build(name, megabytes);
    await docker('push', '--quiet', name);
    return name;
  }

  it('what was pulled for previews goes when it was unused the longest; what was there before stays', async () => {
    const at = path.join(home, 'two');
    const pulled = pulledImages({ home: at, clock, log, isShared: false });
    const { engine: watched, images: looked } = pulled.watching(dockerEngine(engine, INSTANCE), engineImages(engine));
    const [base, own, late] = [await push('base', '1', 2), await push('own', '1', 1), await push('late', '1', 1)];
    // The admin has it already.
    for (const one of [base, late]) await docker('rmi', one);
    for (const one of [base, own, late]) await watched.pull(one, () => undefined, signal);

    const again = pulledImages({ home: at, clock, log, isShared: false });
    const store = imagesOnDisk(engine, { instance: INSTANCE, pulled: again, folder, budget: undefined });
    const names = async () => (await store.look()).filter((one) => one.preview === undefined).map((one) => one.name);
    expect(new Set(await names())).toEqual(new Set([base, late]));
    const before = Date.now();
    await again.watching(dockerEngine(engine, INSTANCE), looked).images.look(late);
    expect((await clear(store, before)).map((one) => one.name)).toEqual([base]);
    expect(await Promise.all([base, own, late].map(isThere))).toEqual([false, true, true]);
    expect(await names()).toEqual([late]);

    // Fetched again, it is another one: what it was has lost its name, and is ours all the same.
    const [old = ''] = await docker('image', 'inspect', '--format', '{{.Id}}', late);
    await docker('rmi', late);
    await watched.pull(late, () => undefined, signal);
    await build(`${OWN}/newer:1`, 1);
    await docker('tag', `${OWN}/newer:1`, late);
    await docker('push', '--quiet', late);
    await docker('rmi', late);
    await pulled.watching(dockerEngine(engine, INSTANCE), looked).engine.pull(late, () => undefined, signal);
    expect(await isThere(old)).toBe(true);
    expect((await clear(store)).map((one) => one.ref)).toContain(old);
    expect(await isThere(old)).toBe(false);
  });

  it('what several workers pulled is in one ledger: none writes over another’s', async () => {
    const names = await Promise.all(['first', 'second', 'third'].map((one) => push(one, '1', 1)));
    const ids = (await docker('image', 'inspect', '--format', '{{.Id}}', ...names)) as [string, string, string];
    for (const one of names) await docker('rmi', one);
    let now = 1_000;
    const workers = names.map(() => {
      const options = { home: path.join(home, 'shared'), clock: { now: () => now }, log, isShared: true };
      const pulled = pulledImages(options);
      return { pulled, ...pulled.watching(dockerEngine(engine, INSTANCE), engineImages(engine)) };
    });
    const [one, two] = workers as [(typeof workers)[0], (typeof workers)[0]];
    await Promise.all(workers.map((worker, at) => worker.engine.pull(names[at] ?? '', () => undefined, signal)));
    for (const { pulled } of workers) expect(new Set((await pulled.all()).keys())).toEqual(new Set(ids));

    // What one forgot another does not bring back, and what was drawn in last counts for all.
    now = 2_000;
    await Promise.all([one.pulled.forget(ids[0]), two.images.look(names[1] ?? '')]);
    await two.images.look(names[0] ?? '');
    expect(Object.fromEntries(await one.pulled.all())).toEqual({
      [ids[1]]: { names: [names[1]], used: 2_000 },
      [ids[2]]: { names: [names[2]], used: 1_000 },
    });
  });

  it('gives back the tags that no container runs, and then what no tag names; who asks meanwhile waits', async () => {
    const gate = createGate();
    let now = Date.now();
    const clock = { now: () => now };
    const store = registryOnDisk({
      ...{ docker: engine, clock, gate, registry: port, folder: path.join(home, 'registry'), budget: undefined },
      collectGarbage: (abort) => registry.collectGarbage(abort),
    });
    const live = await push('web', `live--${OWN}.1`, 2);
    const gone = await push('web', `gone--${OWN}.1`, 3);
    const [container = ''] = await docker('create', live, 'true');
    try {
      const things = await store.look();
      const facts = new Map(things.map((one) => [one.name, one.kept]));
      expect(facts.get(`${OWN}/web:live--${OWN}.1`)).toBe('a container is made from it');
      expect(facts.get(`${OWN}/web:gone--${OWN}.1`)).toBeUndefined();
      expect(facts.get(`${OWN}/base:1`)).toBe('it is no preview’s');
      const tags = things.filter((one) => one.kept === undefined && one.preview !== undefined);
      const removed = await store.remove(tags, { unusedSince: Date.now() + 1, signal });
      expect(removed.map((one) => one.name)).toEqual([`${OWN}/web:gone--${OWN}.1`]);

      const [garbage] = (await store.look()).filter((one) => one.pieces.size === 1);
      expect(garbage && bytesOf([garbage])).toBeGreaterThan(3 * 2 ** 20 - 10_000);
      expect(garbage?.goes).toBe('it was not collected for a day');
      const outside = gated(gate, dockerEngine(engine, INSTANCE), port);
      const collecting = until('nobody asks just then', async () => {
        const gone = await clear(store);
        return gone.length > 0 ? gone : undefined;
      });
      // It is stopped by now, or soon will be.
      const asked = await Promise.all(
        Array.from({ length: 20 }, async (_, at) => {
          await delay(at * 50);
          return outside.registry.digest(`${OWN}/web`, `live--${OWN}.1`);
        }),
      );
      expect(new Set(asked)).toEqual(new Set([await port.digest(`${OWN}/web`, `live--${OWN}.1`)]));
      expect((await collecting).map((one) => one.name)).toEqual(['what no tag names any more']);
      const after = await store.look();
      expect(after.every((one) => one.kept !== undefined)).toBe(true);
      // Of what went, all but the layers of busybox, which others have too.
      expect(bytesOf(things) - bytesOf(after)).toBeGreaterThan(3 * 2 ** 20 - 10_000);
      await docker('rmi', gone).catch(() => undefined);
      // More of it stays until the next day, unless there is no room.
      await port.remove(`${OWN}/web`, (await push('web', `late--${OWN}.1`, 2)).split(':').at(-1) ?? '');
      const due = async () => (await store.look()).map((one) => one.goes).filter((one) => one !== undefined);
      expect(await due()).toEqual([]);
      now += 86_400_000;
      expect(await due()).toHaveLength(1);
      // What is left is whole.
      await docker('rm', container);
      await docker('rmi', '--force', live);
      await docker('pull', '--quiet', live);
    } finally {
      await docker('rm', container).catch(() => undefined);
    }
  });

  it('does not collect while somebody pushes', async () => {
    const gate = createGate();
    let end = (): void => {};
    const pushing = gate.pass(() => new Promise<void>((resolve) => (end = resolve)));
    expect(await gate.ifFree(async () => expect.unreachable())).toBe(false);
    end();
    await pushing;
    expect(await gate.ifFree(async () => undefined)).toBe(true);
  });
});

describe('in the home', () => {
  const signal = new AbortController().signal;

  it('mirrors that nobody fetched into go, and are made anew by the next fetch', async () => {
    const at = path.join(home, 'three');
    const git = createGit({ home: at, searchPath: process.env.PATH ?? '', checkoutSize: 2 ** 30 });
    const repo = await makeRepo(path.join(home, 'repos'), { 'big.bin': randomBytes(2 ** 20) });
    const repository = { name: repositoryName('acme/shop'), slug: 'shop', url: repo.remote, branches: ['*'] };
    const store = mirrorsOnDisk({ mirrors: path.join(at, 'mirrors'), budget: undefined, alone: git.alone });
    const commit = await git.head(repository, branchName('main'), signal);
    const [mirror] = await store.look();
    expect(mirror).toMatchObject({ name: 'acme/shop' });
    expect(bytesOf(mirror ? [mirror] : [])).toBeGreaterThan(2 ** 20);
    const fetched = mirror?.lastUsed ?? 0;
    expect(await clear(store, fetched)).toEqual([]);
    expect((await clear(store)).map((one) => one.name)).toEqual(['acme/shop']);
    expect(await store.look()).toEqual([]);
    expect(await git.head(repository, branchName('main'), signal)).toBe(commit);
    await git.checkout(repository, commit as Commit, path.join(at, 'checkout'), signal);
  });

  it('checkouts that no container may use go; what was left by a kill, that is', async () => {
    const builds = path.join(home, 'builds');
    const [used, left] = [`used--${OWN}/b1`, `left--${OWN}/b2`];
    for (const one of [used, left]) {
      await mkdir(path.join(builds, one), { recursive: true });
      await writeFile(path.join(builds, one, 'file'), randomBytes(2 ** 20));
    }
    const [container = ''] = await docker(
      'create',
      ...labels('used'),
      '--label',
      'treehouse.build=b1',
      'busybox',
      'true',
    );
    try {
      const store = checkoutsOnDisk(engine, { builds, instance: INSTANCE, budget: undefined });
      expect(await clear(store, Date.now() - 60_000)).toEqual([]);
      expect((await clear(store)).map((one) => one.name)).toEqual([path.join(builds, left)]);
      expect(await store.look()).toMatchObject([{ name: path.join(builds, used), preview: `used--${OWN}` }]);
    } finally {
      await docker('rm', container);
    }
  });
});

describe('the build cache', () => {
  it('gives back the least recently used, and not what was used since', async () => {
    const cache = cacheOnDisk(engine, { folder, budget: undefined });
    const name = `${OWN}/cached:1`;
    await build(name, 5);
    // Without its image, its layers are the cache's alone.
    await docker('rmi', name);
    const before = await cache.look();
    const mine = before.find((one) => bytesOf([one]) === 5 * 2 ** 20 && one.name.includes('COPY noise'));
    expect(mine).toBeDefined();
    // Few, since the cache is everybody's on this engine; and enough for the engine to see that it is less.
    const all = before.filter((one) => one.kept === undefined).sort((a, b) => a.lastUsed - b.lastUsed);
    const enough = all.findIndex((_, at) => bytesOf(all.slice(0, at + 1)) >= 2 ** 20);
    const bound = all[enough]?.lastUsed ?? 0;
    // With all that were used with the last of them: a layer and those that stand on it.
    const oldest = all.filter((one) => one.lastUsed <= bound);
    const began = Date.now();
    const gone = await cache.remove(oldest, { unusedSince: began, signal: new AbortController().signal });
    const took = Date.now() - began;
    const after = await cache.look();
    const left = new Set(after.map((one) => one.ref));
    const known = new Set(before.map((one) => one.ref));
    expect(gone.length).toBeGreaterThan(0);
    expect(gone.every((one) => oldest.includes(one) && !left.has(one.ref))).toBe(true);
    // Others may build beside this.
    expect(bytesOf(after.filter((one) => known.has(one.ref)))).toBeLessThanOrEqual(bytesOf(before) - bytesOf(gone));
    // The engine counts from its own now, while it prunes.
    const latest = Math.max(...oldest.map((one) => one.lastUsed)) + took + 1_000;
    const tooYoung = before.filter((one) => !left.has(one.ref) && one.lastUsed > latest);
    expect(tooYoung).toEqual([]);
  });
});
