/** A preview that sleeps paused is asleep to all who look, and wakes as it was; one whose Redis is wiped meanwhile wakes too. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Files, makeRepo, type TestRepo } from '../support/repo.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const stops = `acme/stops${process.pid}`;
const pauses = `acme/pauses${process.pid}`;
/** Counts in its memory; its health is looked at so seldom that the engine still calls it unhealthy when it wakes. */
const counter: Files = {
  'compose.yaml': `services:
  web:
    build: .
    ports: ["80"]
    depends_on: [helper]
    healthcheck: {test: ["CMD", "true"], interval: 10m}
  helper:
    image: busybox
    command: ["sleep", "1000000"]
`,
  Dockerfile: 'FROM node:20-slim\nCOPY server.js /\nCMD ["node", "/server.js"]\n',
  'server.js': `let count = 0;
require('http').createServer((request, answer) => answer.end('number ' + ++count + '\\n')).listen(80);
process.on('SIGTERM', () => process.exit(0));
`,
};
const TOKEN = 'a token of the tests, long enough';

let folder: string;
let repos: { readonly stops: TestRepo; readonly pauses: TestRepo };
let home: string;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  repos = {
    stops: await makeRepo(path.join(folder, 'stops'), {
      Dockerfile: 'FROM busybox\nCOPY index.html /www/\nCMD ["httpd", "-f", "-h", "/www", "-p", "80"]\nEXPOSE 80\n',
      'index.html': 'well',
    }),
    pauses: await makeRepo(path.join(folder, 'pauses'), counter),
  };
  world = await start('pause');
});
afterAll(async () => {
  await world?.stop();
  await rm(home, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

async function start(sleepMode: 'stop' | 'pause'): Promise<World> {
  const repositories = {
    [stops]: { url: repos.stops.remote },
    [pauses]: { url: repos.pauses.remote, previews: { sleepMode } },
  };
  await writeFile(path.join(home, 'treehouse.yml'), JSON.stringify({ repositories }));
  return startWorld({ repositories: {}, home, env: { TREEHOUSE_ADMIN_TOKEN: TOKEN } });
}

/** Whatever the API answers. */
async function post(
  where: string,
): Promise<{ readonly lines?: readonly { readonly name: string; readonly why: string }[] }> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const answer = await fetch(`${world.url}/api/v1/${where}`, { method: 'POST', headers });
  expect(answer.ok).toBe(true);
  return (await answer.json()) as Awaited<ReturnType<typeof post>>;
}

async function sleep(id: ReturnType<World['idOf']>): Promise<void> {
  await post(`previews/${id}/sleep`);
  await until(`${id} is asleep`, async () => (await world.record(id))?.state === 'asleep');
}

async function wipeRedis(): Promise<void> {
  const config = await readFile(path.join(world.home, 'redis', 'redis.conf'), 'utf8');
  const said = (key: string) => new RegExp(`^${key} (.*)$`, 'm').exec(config)?.[1] ?? '';
  const redis = new Redis({ port: Number(said('port')), password: said('requirepass') });
  await redis.flushall();
  redis.disconnect();
}

/** Until all of its containers are in this state, as the engine has it. */
async function all(id: string, state: string): Promise<void> {
  const now = () => docker('ps', '-a', '--filter', `label=treehouse.preview=${id}`, '--format', '{{.State}}');
  await until(`${id} is ${state}`, async () => {
    const found = await now();
    return found.length > 0 && found.every((one) => one === state);
  });
}

describe('one that is paused', () => {
  const id = () => world.idOf(pauses, 'main');
  const build = async () => (await world.record(id()))?.attempt?.build;

  it('wakes as it was for who visits it, in the build that it had', async () => {
    await world.pushed(pauses, 'main');
    await serves(world, id(), 'number 1');
    const before = await build();
    await sleep(id());
    await all(id(), 'paused');
    await serves(world, id(), 'number 2');
    await until('it is live', async () => (await world.record(id()))?.state === 'live');
    await post('sweep');
    await world.pushed(pauses, 'main');
    await serves(world, id(), 'number 3');
    expect(await build()).toBe(before);
  });

  it('is asleep to all who look, and paused again where a hand let it go on', async () => {
    await sleep(id());
    await all(id(), 'paused');
    // The first sweep of a Treehouse looks at everything, the second at what is not as it should be.
    await post('sweep');
    const { lines = [] } = await post('sweep');
    expect(lines.filter((one) => one.name === id())).toEqual([]);
    const [one = ''] = await docker('ps', '-q', '--filter', `label=treehouse.preview=${id()}`);
    await docker('unpause', one);
    expect((await post('sweep')).lines?.find((line) => line.name === id())?.why).toContain('not all of it is stopped');
    await all(id(), 'paused');
    expect(await world.record(id())).toMatchObject({ state: 'asleep' });
  });

  it('wakes though Redis was wiped meanwhile', async () => {
    await wipeRedis();
    await world.pushed(pauses, 'main');
    await serves(world, id(), 'number 4');
    await all(id(), 'running');
  });

  it('is woken by a push, and is replaced', async () => {
    await sleep(id());
    await all(id(), 'paused');
    await repos.pauses.commit({ 'server.js': `${counter['server.js']}// anew\n` });
    await repos.pauses.push();
    await world.pushed(pauses, 'main');
    await serves(world, id(), 'number 1');
  });

  it('is stopped where its memory is wanted, and when its admin says so', async () => {
    await sleep(id());
    await all(id(), 'paused');
    await world.treehouse.store.wantDeepRest(id());
    await world.pushed(pauses, 'main');
    await all(id(), 'exited');
    await serves(world, id(), 'number 1');

    await sleep(id());
    await all(id(), 'paused');
    await world.treehouse.drain(0);
    await world.treehouse.stop();
    world = await start('stop');
    await all(id(), 'exited');
    await serves(world, id(), 'number 1');
  });

  it('leaves nothing when its branch is deleted', async () => {
    await world.treehouse.drain(0);
    await world.treehouse.stop();
    world = await start('pause');
    await repos.pauses.branch('gone', 'main');
    await repos.pauses.push();
    await world.pushed(pauses, 'gone');
    const gone = world.idOf(pauses, 'gone');
    await serves(world, gone, 'number 1');
    await sleep(gone);
    await all(gone, 'paused');
    await repos.pauses.deleteBranch('gone');
    await world.pushed(pauses, 'gone', { deleted: true });
    await until('it is removed', async () => (await world.record(gone))?.state === 'removed');
    expect(await world.leftovers(gone)).toEqual([]);
  });
});

describe('one that is stopped', () => {
  it('wakes though Redis was wiped meanwhile', async () => {
    const id = world.idOf(stops, 'main');
    await world.pushed(stops, 'main');
    await serves(world, id, 'well');
    await sleep(id);
    await all(id, 'exited');
    await wipeRedis();
    await world.pushed(stops, 'main');
    await serves(world, id, 'well');
  });
});
