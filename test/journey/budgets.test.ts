/** Budgets far too small, looked after every second, while previews are pushed, put to sleep and woken: what is needed is always there. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { contentSize } from '../../src/adapters/folder-size.ts';
import { instanceName } from '../../src/home.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

const MB = 2 ** 20;
// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/tight${process.pid}`;

/** A page, a service from a base image, and a gate whose image is built for nothing else. */
function stack(text: string, gate = 'true') {
  return {
    'compose.yaml': `services:
  web: {build: ., expose: ["8000"]}
  store: {image: redis:7-alpine}
  test: {build: {context: ., dockerfile: test.Dockerfile}, profiles: [test]}
`,
    Dockerfile:
      'FROM busybox\nCOPY large.bin /\nCOPY index.html /www/index.html\nCMD ["httpd", "-f", "-p", "8000", "-h", "/www"]\n',
    'test.Dockerfile': `FROM busybox\nCOPY index.html /\nRUN dd if=/dev/urandom of=/large bs=1M count=6\nCMD ["${gate}"]\n`,
    'index.html': text,
    // The mirror is over its budget by itself.
    'large.bin': randomBytes(6 * MB),
  };
}

let folder: string;
let repo: TestRepo;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, stack('number 0.'));
  world = await startWorld({
    repositories: { [repository]: repo.remote },
    env: {
      ...{ TREEHOUSE_DISK_IMAGES: '4m', TREEHOUSE_DISK_REGISTRY: '4m', TREEHOUSE_DISK_MIRRORS: '4m' },
      // The build cache is everybody's on this engine.
      ...{ TREEHOUSE_DISK_CHECKOUTS: '4m', TREEHOUSE_DISK_CACHE: 'off' },
      ...{ TREEHOUSE_DISK_EVERY: '1', TREEHOUSE_DISK_GRACE: '1' },
    },
  });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function push(branch: string, text: string, gate?: string): Promise<string> {
  await repo.branch(branch, 'main');
  const commit = await repo.commit(stack(text, gate));
  await repo.push();
  await world.pushed(repository, branch);
  return commit;
}

const blobs = () => contentSize(path.join(world.home, 'registry/data/docker/registry/v2/blobs'));

it('every push serves, a red one leaves what serves, and who sleeps is woken', async () => {
  const [main, other] = [world.idOf(repository, 'main'), world.idOf(repository, 'other')];
  for (const round of [1, 2]) {
    await push('main', `main, number ${round}.`);
    await serves(world, main, `main, number ${round}.`);
    await push('other', `other, number ${round}.`);
    await serves(world, other, `other, number ${round}.`);
    const red = await push('main', `red, number ${round}.`, 'false');
    expect((await world.ended(main, red)).attempt).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('the tests are red'),
    });
    expect((await world.visit(main)).body).toContain(`main, number ${round}.`);

    await world.treehouse.store.wantRest(other, true);
    await world.pushed(repository, 'other');
    await until('it sleeps', async () => (await world.record(other))?.state === 'asleep');
    // Some rounds of the caretaker later it is still whole.
    await until('the mirror is gone', async () => {
      const names = await readdir(path.join(world.home, 'mirrors'));
      return !names.some((one) => one.endsWith('.git'));
    });
    await until('it is woken', async () => (await world.visit(other)).body.includes(`other, number ${round}.`));
  }
});

it('what nothing needs is gone in the end, and what is left is what runs', async () => {
  const instance = await instanceName(world.home);
  const mine = ['--filter', `label=treehouse.instance=${instance}`];
  const used = async () => {
    const containers = await docker('ps', '--all', '--quiet', ...mine);
    return new Set(await docker('inspect', '--format', '{{.Image}}', ...containers));
  };
  await until('only images that containers are made from are left', async () => {
    const [images, needed] = [await docker('images', '--all', '--quiet', '--no-trunc', ...mine), await used()];
    return images.every((one) => needed.has(one));
  });
  // Two pages of 6 MB each, and busybox; as many older ones, and the gates of all, were pushed.
  await until('the registry holds no more than what runs', async () => (await blobs()) < 16 * MB);
  for (const branch of ['main', 'other']) await serves(world, world.idOf(repository, branch), `${branch}, number 2.`);
});
