/** A whole Treehouse, swept: what webhooks missed is made up for, what belongs to nothing goes, and others' things stay. */
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NginxGateway } from '../../src/adapters/nginx-gateway.ts';
import { buildId, type PreviewId } from '../../src/domain/names.ts';
import type { SweepLine } from '../../src/domain/sweep.ts';
import { instanceName } from '../../src/home.ts';
import { openMemory } from '../../src/secrets/memory.ts';
import { type Client, createClient } from '../../src/web/client.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

const OWN = `sweep${process.pid}`;
const REPOSITORY = `acme/${OWN}`;
/** No branch was ever called so. */
const GHOST = `ghost--${OWN}` as PreviewId;
const GRACE_MS = 5_000;

let folder: string;
let repo: TestRepo;
let redis: TestRedis;
let keys: Redis;
let world: World;
let gateway: NginxGateway;
let api: Client;
let instance: string;
/** Whatever the tests made of others', by the words that remove it. */
const others: string[][] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-sweep-'));
  repo = await makeRepo(folder, plainDockerfile('<p>main</p>'));
  redis = await startRedis();
  keys = new Redis(redis.url);
  world = await startWorld({
    repositories: { [REPOSITORY]: repo.remote },
    // The first sweep comes by itself, all others where a test asks for them.
    env: { TREEHOUSE_SWEEP: '86400', TREEHOUSE_SWEEP_GRACE: String(GRACE_MS / 1000), REDIS_URL: redis.url },
  });
  api = createClient({ url: `${world.url}/`, token: world.treehouse.adminToken?.value ?? '' });
  instance = await instanceName(world.home);
  const inside = path.join(world.home, 'nginx');
  gateway = new NginxGateway({
    controlSocket: path.join(inside, 'control.sock'),
    routesFile: path.join(inside, 'routes.txt'),
    guardsFile: path.join(inside, 'guards.txt'),
  });
});
afterAll(async () => {
  await world?.stop();
  for (const one of others.reverse()) await docker(...one).catch(() => undefined);
  keys?.disconnect();
  await redis?.close();
  await rm(folder, { recursive: true, force: true });
});

const idOf = (branch: string) => world.idOf(REPOSITORY, branch);

/** Sweeps for real, as `treehouse sweep` does. */
async function sweep(): Promise<readonly SweepLine[]> {
  return (await api.sweep({ dryRun: false })).lines;
}

function labelsOf(branch: string, of = instance): string[] {
  const id = `${branch}--${OWN}`;
  const labels = { instance: of, preview: id, repository: REPOSITORY, branch, role: 'app', build: 'b0' };
  return Object.entries(labels).flatMap(([name, value]) => ['--label', `treehouse.${name}=${value}`]);
}

/** An image with labels, made by hand. */
async function image(reference: string, of: string, preview: string): Promise<void> {
  const [container = ''] = await docker('create', 'busybox');
  const changes = [`LABEL treehouse.instance=${of}`, `LABEL treehouse.preview=${preview}`];
  await docker('commit', ...changes.flatMap((one) => ['--change', one]), container, reference);
  await docker('rm', container);
}

async function isThere(...words: readonly string[]): Promise<boolean> {
  return docker(...words).then(
    () => true,
    () => false,
  );
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** Waits until all is as it should be, and no converge runs. */
async function settled(): Promise<void> {
  await until('all is well', async () => (await api.sweep({ dryRun: true })).lines.length === 0);
}

it('finds every branch when it starts, though no webhook ever came', async () => {
  await serves(world, idOf('main'), 'main');
  await settled();
  expect(await sweep()).toEqual([]);
});

it('makes up for the webhooks of a push, of another and of a deletion that never came', async () => {
  const id = idOf('feature');
  await repo.branch('feature', 'main');
  await repo.commit({ 'index.html': '<p>first</p>' });
  await repo.push();
  const [hint] = (await api.sweep({ dryRun: true })).lines;
  expect(hint).toMatchObject({
    what: 'preview',
    name: id,
    action: 'hint',
    why: expect.stringMatching(/nothing is known/),
  });
  // A dry run did nothing.
  expect(await world.record(id)).toBeUndefined();
  expect(await sweep()).toEqual([hint]);
  await serves(world, id, 'first');
  await settled();

  await repo.commit({ 'index.html': '<p>second</p>' });
  await repo.push();
  expect((await sweep()).map((one) => one.name)).toEqual([id]);
  await serves(world, id, 'second');
  await settled();

  await repo.branch('main');
  await repo.deleteBranch('feature');
  expect(await sweep()).toContainEqual({
    what: 'preview',
    name: id,
    action: 'hint',
    why: 'the branch was deleted, and it is not gone',
  });
  await settled();
  expect((await world.record(id))?.state).toBe('removed');
  expect(await world.leftovers(id)).toEqual([]);
  // The queue forgets a job a moment after its converge has ended.
  await expect.poll(() => keys.keys(`*${id}*`), { timeout: 10_000 }).toEqual([]);
  expect(await sweep()).toEqual([]);
});

it('has a lost route and the remains of a dead build put right, also where the commit failed', async () => {
  await gateway.setRoutes(idOf('main'), []);
  expect((await sweep()).map((one) => one.why)).toEqual([
    expect.stringMatching(/not all of it answers where it should/),
  ]);
  await serves(world, idOf('main'), 'main');
  await settled();

  const id = idOf('broken');
  await repo.branch('broken', 'main');
  const commit = await repo.commit({ Dockerfile: 'FROM busybox\nRUN exit 9\n' });
  await repo.push();
  await sweep();
  expect((await world.ended(id, commit)).state).toBe('failed');
  await settled();
  const [dead = ''] = await docker('create', '--name', `th-${id}-dead`, ...labelsOf('broken'), 'busybox');
  expect((await sweep()).map((one) => one.why)).toEqual([
    `container th-${id}-dead is left of a build that does not serve`,
  ]);
  await until('it is gone', async () => !(await isThere('inspect', dead)));
  await repo.branch('main');
  await repo.deleteBranch('broken');
  await sweep();
  await settled();
});

it('removes what belongs to nothing, of every kind, after the grace; and nothing of others', async () => {
  const registry = world.treehouse.registry ?? '';
  const orphan = `${registry}/acme/${OWN}/web:${GHOST}.${'a'.repeat(40)}`;
  const foreign = `${registry}/acme/${OWN}/web:${GHOST}.${'b'.repeat(40)}`;
  const memory = openMemory({ instance });

  // Ours, with labels that tell no branch, so that no converge can take them; and one that tells no preview either.
  const ghost = ['--label', `treehouse.instance=${instance}`, '--label', `treehouse.preview=${GHOST}`];
  await docker('network', 'create', ...ghost, `th-${GHOST}-b0-default`);
  await docker('volume', 'create', ...ghost, `th-${GHOST}_data`);
  const joined = ['--network', `th-${GHOST}-b0-default`, '-v', `th-${GHOST}_data:/data`];
  const [container = ''] = await docker('create', ...joined, ...ghost, 'busybox');
  const [bare = ''] = await docker('create', '--label', `treehouse.instance=${instance}`, 'busybox');
  await image(orphan, instance, GHOST);
  await docker('push', orphan);
  await gateway.setRoutes(GHOST, [{ host: GHOST, preview: GHOST, build: buildId(0, 0), upstream: '127.0.0.1:9' }]);
  const checkout = path.join(world.home, 'builds', GHOST);
  const mirror = path.join(world.home, 'mirrors', 'acme__old.git');
  await mkdir(path.join(checkout, 'b0'), { recursive: true });
  await mkdir(mirror);
  await writeFile(path.join(world.home, 'mirrors', 'acme__old.gitconfig'), '');
  await memory.write(GHOST, 'b0/web/TOKEN~0~0', Buffer.from('x'), { uid: 0, gid: 0 });
  await keys.lpush(`treehouse:builds:${GHOST}`, 'b0');
  await keys.xadd(`treehouse:build:${GHOST}:b0`, '*', 'e', '{}');
  await keys.sadd('treehouse:redeploys', GHOST);
  await keys.sadd('treehouse:resets', GHOST);
  await keys.sadd('treehouse:resting', GHOST);
  await keys.sadd(`treehouse:slept:${GHOST}`, 'c1');
  await keys.hset(`treehouse:said:${GHOST}`, 'deployments', '[]');
  await keys.hset(`treehouse:pulls:${REPOSITORY}:ghost`, '1', '{"number":1}');

  // Another Treehouse's, nobody's, and what only looks like ours.
  const made = async (...words: string[]): Promise<string> => (await docker(...words))[0] ?? '';
  const theirs = await made('create', ...labelsOf('ghost', 'another'), 'busybox');
  const plain = await made('create', '--name', `th-${GHOST}-plain`, '--label', `treehouse.preview=${GHOST}`, 'busybox');
  others.push(['rm', '-f', theirs], ['rm', '-f', plain]);
  await docker('volume', 'create', ...labelsOf('ghost', 'another'), `${GHOST}-another`);
  others.push(['volume', 'rm', `${GHOST}-another`]);
  await docker('network', 'create', `th-${GHOST}-plain`);
  others.push(['network', 'rm', `th-${GHOST}-plain`]);
  await image(foreign, 'another', GHOST);
  others.push(['rmi', foreign]);
  await docker('push', foreign);
  await keys.set(`others:build:${GHOST}`, 'x');

  const before = await sweep();
  expect(new Set(before.map((one) => one.what))).toEqual(
    new Set(['route', 'container', 'network', 'volume', 'image', 'tag', 'secrets', 'folder', 'key', 'mirror']),
  );
  expect(before.every((one) => one.action === 'wait')).toBe(true);
  // The first sweep only saw them, and so does one before the grace is over.
  expect((await sweep()).every((one) => one.action === 'wait')).toBe(true);
  for (const one of [container, bare]) expect(await isThere('inspect', one)).toBe(true);
  await delay(GRACE_MS);
  // A dry run says what would go, and leaves it.
  const would = (await api.sweep({ dryRun: true })).lines;
  expect(would.map((one) => one.name)).toEqual(before.map((one) => one.name));
  expect(would.every((one) => one.action === 'remove')).toBe(true);
  expect(await exists(checkout)).toBe(true);
  expect(await sweep()).toEqual(would);
  expect(await sweep()).toEqual([]);

  for (const one of [container, bare]) expect(await isThere('inspect', one)).toBe(false);
  expect(await isThere('network', 'inspect', `th-${GHOST}-b0-default`)).toBe(false);
  expect(await isThere('volume', 'inspect', `th-${GHOST}_data`)).toBe(false);
  expect(await isThere('image', 'inspect', orphan)).toBe(false);
  expect((await gateway.routes()).map((one) => one.preview)).toEqual([idOf('main')]);
  for (const file of [checkout, mirror, path.join(world.home, 'mirrors', 'acme__old.gitconfig')]) {
    expect(await exists(file)).toBe(false);
  }
  expect(await exists(path.join(world.home, 'mirrors', `acme__${OWN}.git`))).toBe(true);
  expect(await memory.laid(GHOST)).toEqual([]);
  expect((await keys.keys('*')).filter((one) => one.includes('ghost'))).toEqual([`others:build:${GHOST}`]);
  expect(await keys.smembers('treehouse:redeploys')).toEqual([]);
  expect(await keys.smembers('treehouse:resets')).toEqual([]);
  expect(await keys.exists('treehouse:resting', `treehouse:slept:${GHOST}`)).toBe(0);

  for (const one of [theirs, plain]) expect(await isThere('inspect', one)).toBe(true);
  expect(await isThere('volume', 'inspect', `${GHOST}-another`)).toBe(true);
  expect(await isThere('network', 'inspect', `th-${GHOST}-plain`)).toBe(true);
  expect(await isThere('image', 'inspect', foreign)).toBe(true);
  const answer = await fetch(`http://${registry}/v2/acme/${OWN}/web/tags/list`);
  const { tags } = (await answer.json()) as { tags: string[] };
  expect(tags.filter((one) => one.startsWith(GHOST))).toEqual([foreign.slice(foreign.lastIndexOf(':') + 1)]);
  await serves(world, idOf('main'), 'main');
});

it('removes nothing of a repository whose remote does not answer, and says so', async () => {
  const volume = `th-${GHOST}_other`;
  await docker('volume', 'create', ...labelsOf('ghost'), volume);
  others.push(['volume', 'rm', volume]);
  await rename(repo.remote, `${repo.remote}.away`);
  try {
    await sweep();
    await delay(GRACE_MS);
    const lines = await sweep();
    expect(lines).toEqual([
      {
        what: 'repository',
        name: REPOSITORY,
        action: 'leave',
        why: expect.stringMatching(/^nothing of it is touched: listing the branches of/),
      },
    ]);
    expect(await isThere('volume', 'inspect', volume)).toBe(true);
    expect((await world.visit(idOf('main'))).status).toBe(200);
  } finally {
    await rename(`${repo.remote}.away`, repo.remote);
  }
  await sweep();
  await until('it is removed', async () => {
    await sweep();
    return !(await isThere('volume', 'inspect', volume));
  });
});
