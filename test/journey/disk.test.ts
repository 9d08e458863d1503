/** The home's disk is nearly full: builds wait and say so, what serves goes on, and with room again they go on by themselves. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PreviewView } from '../../src/api/schemas.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

const run = promisify(execFile);
const TOKEN = 'a token of the tests, long enough';
// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/full${process.pid}`;

let folder: string;
let home: string;
let repo: TestRepo;
let world: World;
let isMounted = false;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-disk-'));
  home = path.join(folder, 'home');
  await mkdir(home);
  const image = path.join(folder, 'disk.img');
  await run('truncate', ['--size=400M', image]);
  await run('mkfs.ext4', ['-q', '-F', '-m', '0', image]);
  // Its loop device goes with the mount.
  await run('mount', ['-o', 'loop', image, home]);
  isMounted = true;
  repo = await makeRepo(path.join(folder, 'repo'), plainDockerfile('<p>first</p>'));
  const env = { TREEHOUSE_ADMIN_TOKEN: TOKEN, TREEHOUSE_DISK_FREE: '8m' };
  world = await startWorld({ repositories: { [repository]: repo.remote }, home, env });
});
afterAll(async () => {
  await world?.stop();
  if (isMounted) await run('umount', [home]).catch(() => run('umount', ['--lazy', home]));
  await rm(folder, { recursive: true, force: true });
});

const filler = () => path.join(home, 'filler');

/** Takes all but so much of the disk. */
async function fillTo(left: number): Promise<void> {
  const { bavail, blocks, bsize } = await statfs(home);
  await run('fallocate', ['--length', String((bavail - Math.floor(blocks * left)) * bsize), filler()]);
}

async function view(id: string): Promise<PreviewView> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return (await (await fetch(`${world.url}/api/v1/previews/${id}`, { headers })).json()) as PreviewView;
}

it('a push waits with the reason, the live page serves on, and it is built once there is room', async () => {
  const [main, fresh] = [world.idOf(repository, 'main'), world.idOf(repository, 'fresh')];
  await world.pushed(repository, 'main');
  await serves(world, main, 'first');

  await fillTo(0.06);
  await repo.commit({ 'index.html': '<p>second</p>' });
  await repo.push();
  await world.pushed(repository, 'main');
  await repo.branch('fresh', 'main');
  await repo.push();
  await world.pushed(repository, 'fresh');

  const told =
    /the disk of Treehouse’s home is 9\d % full and builds wait from 90 % on \(TREEHOUSE_DISK_FULL\): free some space there, and they go on below 85 %/;
  const waiting = await until('both wait', async () => {
    const both = await Promise.all([main, fresh].map(view));
    return both.every((one) => one.position !== null) && both;
  });
  expect(waiting.map((one) => one.position).sort()).toEqual([1, 2]);
  for (const one of waiting) expect(one.reason).toMatch(told);
  expect(waiting.map((one) => one.state)).toEqual(['outdated', 'waiting']);
  expect((await world.visit(main)).body).toContain('first');
  const page = await world.visit(fresh);
  expect(page.status).toBe(503);
  expect(page.body).toMatch(told);
  const built = () => world.events.filter((one) => one.type === 'build.started').length;
  expect(built()).toBe(1);

  // Below the mark is not enough: the next build would be over it again.
  await rm(filler());
  await fillTo(0.12);
  await until('it is looked at again', async () => /is 8[5-9] % full and builds wait/.test((await view(main)).reason));
  expect(built()).toBe(1);
  expect((await world.visit(main)).body).toContain('first');

  await rm(filler());
  await serves(world, main, 'second');
  await serves(world, fresh, 'second');
  expect((await view(main)).state).toBe('live');
});

it('a wait for room is no wait for waking: what sleeps is woken by its visitor', async () => {
  const main = world.idOf(repository, 'main');
  await world.treehouse.store.wantRest(main, true);
  await world.pushed(repository, 'main');
  await until('it sleeps', async () => (await world.record(main))?.state === 'asleep');
  await fillTo(0.06);
  await until('it is woken', async () => (await world.visit(main)).body.includes('second'));
  await rm(filler());
  expect(await docker('ps', '--quiet', '--filter', `label=treehouse.preview=${main}`)).toHaveLength(1);
});

it('a push to the registry that finds no room says so, keeps what is live, and comes through once there is some', async () => {
  const main = world.idOf(repository, 'main');
  // Enough to begin to build, and too little for what comes of it.
  await fillTo(0.16);
  const { Dockerfile } = plainDockerfile('');
  const large = `${Dockerfile}RUN dd if=/dev/urandom of=/large bs=1M count=80\n`;
  await repo.branch('main');
  const commit = await repo.commit({ Dockerfile: large, 'index.html': '<p>third</p>' });
  await repo.push();
  await world.pushed(repository, 'main');
  const told = await until('it says what it found', async () => {
    const record = await world.record(main).catch(() => undefined);
    return record?.attempt?.commit === commit && /disk/.test(record.reason) && record.reason;
  });
  expect(told).toContain('the disk of Treehouse’s home');
  expect((await world.visit(main)).body).toContain('second');
  await rm(filler());
  await serves(world, main, 'third');
});
