/** A preview whose Redis is wiped while it sleeps wakes for its visitors all the same. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const stops = `acme/stops${process.pid}`;
const TOKEN = 'a token of the tests, long enough';

let folder: string;
let repo: TestRepo;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  const home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  repo = await makeRepo(path.join(folder, 'repo'), {
    Dockerfile: 'FROM busybox\nCOPY index.html /www/\nCMD ["httpd", "-f", "-h", "/www", "-p", "80"]\nEXPOSE 80\n',
    'index.html': 'well',
  });
  await writeFile(
    path.join(home, 'treehouse.yml'),
    JSON.stringify({ repositories: { [stops]: { url: repo.remote } } }),
  );
  world = await startWorld({ repositories: {}, home, env: { TREEHOUSE_ADMIN_TOKEN: TOKEN } });
});
afterAll(async () => {
  await world?.stop();
  if (world) await rm(world.home, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

async function sleep(id: ReturnType<World['idOf']>): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const { status } = await fetch(`${world.url}/api/v1/previews/${id}/sleep`, { method: 'POST', headers });
  expect(status).toBe(202);
  await until(`${id} is asleep`, async () => (await world.record(id))?.state === 'asleep');
}

async function wipeRedis(): Promise<void> {
  const config = await readFile(path.join(world.home, 'redis', 'redis.conf'), 'utf8');
  const said = (key: string) => new RegExp(`^${key} (.*)$`, 'm').exec(config)?.[1] ?? '';
  const redis = new Redis({ port: Number(said('port')), password: said('requirepass') });
  await redis.flushall();
  redis.disconnect();
}

/** State of each of its containers, as the engine has it. */
async function states(id: string): Promise<string[]> {
  return docker('ps', '-a', '--filter', `label=treehouse.preview=${id}`, '--format', '{{.State}}');
}

describe('one that is stopped', () => {
  it('wakes though Redis was wiped meanwhile', async () => {
    const id = world.idOf(stops, 'main');
    await world.pushed(stops, 'main');
    await serves(world, id, 'well');
    await sleep(id);
    await until('it is stopped', async () => (await states(id)).every((one) => one === 'exited'));
    await wipeRedis();
    await world.pushed(stops, 'main');
    await serves(world, id, 'well');
  });
});
