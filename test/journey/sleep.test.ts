/** A preview that nobody visits is stopped, and its next visitor wakes it: all of it, in order, once. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Files, makeRepo, type TestRepo } from '../support/repo.ts';
import { fourServices, withText } from '../support/stacks.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const four = `acme/nap${process.pid}`;
const drowsy = `acme/drowsy${process.pid}`;
const soon = `acme/soon${process.pid}`;
const TOKEN = 'a token of the tests, long enough';
const page: Files = {
  Dockerfile: 'FROM busybox\nCOPY index.html /www/\nCMD ["httpd", "-f", "-h", "/www", "-p", "80"]\nEXPOSE 80\n',
  'index.html': 'drowsy',
};

let folder: string;
let repos: { readonly four: TestRepo; readonly drowsy: TestRepo; readonly soon: TestRepo };
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  const home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  repos = {
    four: await makeRepo(path.join(folder, 'four'), fourServices('one')),
    drowsy: await makeRepo(path.join(folder, 'drowsy'), page),
    soon: await makeRepo(path.join(folder, 'soon'), {
      ...page,
      'compose.yaml': 'services: {web: {build: ., ports: ["80"]}}\nx-treehouse: {idle: 2s}\n',
    }),
  };
  const repositories = {
    [four]: { url: repos.four.remote },
    [drowsy]: { url: repos.drowsy.remote, previews: { idle: '2s' } },
    [soon]: { url: repos.soon.remote, previews: { idle: '1h' } },
  };
  await writeFile(path.join(home, 'treehouse.yml'), JSON.stringify({ repositories }));
  world = await startWorld({
    repositories: {},
    home,
    env: { TREEHOUSE_ADMIN_TOKEN: TOKEN, TREEHOUSE_CONCURRENCY: '1' },
  });
});
afterAll(async () => {
  await world?.stop();
  if (world) await rm(world.home, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

async function ask(act: 'sleep' | 'wake' | 'pin' | 'unpin', id: string): Promise<number> {
  const url = `${world.url}/api/v1/previews/${id}/${act}`;
  return (await fetch(url, { method: 'POST', headers: { Authorization: `Bearer ${TOKEN}` } })).status;
}

async function state(id: ReturnType<World['idOf']>, wanted: string): Promise<void> {
  await until(`${id} is ${wanted}`, async () => (await world.record(id))?.state === wanted);
}

const running = (id: string) => docker('ps', '-q', '--filter', `label=treehouse.preview=${id}`);

/** Service → when its container started. */
async function startedAt(id: string): Promise<Record<string, number>> {
  const all = await docker('ps', '-aq', '--filter', `label=treehouse.preview=${id}`);
  const format = '{{index .Config.Labels "treehouse.service"}} {{.State.StartedAt}}';
  const lines = await docker('inspect', '--format', format, ...all);
  return Object.fromEntries(lines.map((line) => [line.split(' ')[0] ?? '', Date.parse(line.split(' ')[1] ?? '')]));
}

describe('a stack of four services', () => {
  const id = () => world.idOf(four, 'nap');

  async function putToSleep(): Promise<void> {
    expect(await ask('sleep', id())).toBe(202);
    await state(id(), 'asleep');
    expect(await running(id())).toEqual([]);
  }

  it('sleeps when told, and a hundred visitors at once wake it once, in the order of its dependencies', async () => {
    await repos.four.branch('nap', 'main');
    await repos.four.push();
    await world.pushed(four, 'nap');
    await serves(world, id(), 'one');
    const before = await startedAt(id());
    await putToSleep();

    const answers = await Promise.all(Array.from({ length: 100 }, () => world.visit(id())));
    for (const one of answers) {
      expect([200, 503]).toContain(one.status);
      if (one.status === 200) expect(one.body).toContain('one');
      else expect(one.headers['retry-after']).toBe('2');
    }
    await serves(world, id(), 'one');
    await state(id(), 'live');
    const after = await startedAt(id());
    expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
    expect(await running(id())).toHaveLength(Object.keys(after).length);
    const at = (service: string) => after[service] ?? Number.NaN;
    expect(Math.max(at('db'), at('worker'))).toBeLessThan(at('api'));
    expect(at('api')).toBeLessThan(at('web'));
    const woken = world.events.filter(
      (one) => one.type === 'preview.observed' && one.preview === id() && one.state === 'waking',
    );
    expect(woken).toHaveLength(1);
  });

  it('sleeps on whatever is asked about it, and is woken by word too', async () => {
    await putToSleep();
    await world.pushed(four, 'nap');
    await until('it was looked at', async () => world.treehouse.store.ping());
    expect(await running(id())).toEqual([]);
    expect(await ask('wake', id())).toBe(202);
    await serves(world, id(), 'one');
  });

  it('is woken by a push, and what fails leaves awake what served before', async () => {
    await putToSleep();
    await repos.four.commit(withText('web/index.html', 'two'));
    await repos.four.push();
    await world.pushed(four, 'nap');
    await serves(world, id(), 'two');

    await putToSleep();
    const red = await repos.four.commit({ 'web.Dockerfile': 'FROM node:20-slim\nRUN false\n' });
    await repos.four.push();
    await world.pushed(four, 'nap');
    expect(await world.ended(id(), red)).toMatchObject({ state: 'outdated' });
    await serves(world, id(), 'two');

    // What is outdated sleeps too, and is outdated when it wakes.
    await putToSleep();
    await serves(world, id(), 'two');
    await state(id(), 'outdated');
  });

  it('leaves nothing when its branch is deleted while it sleeps', async () => {
    await putToSleep();
    await repos.four.deleteBranch('nap');
    await world.pushed(four, 'nap', { deleted: true });
    await expect.poll(() => world.leftovers(id()), { timeout: 120_000, interval: 500 }).toEqual([]);
    await expect.poll(() => world.treehouse.store.rest(id())).toEqual({ wanted: false, deep: false, slept: undefined });
  });
});

it('one that nobody visits for two seconds sleeps by itself, one that is visited does not', async () => {
  const id = world.idOf(drowsy, 'main');
  await world.pushed(drowsy, 'main');
  await serves(world, id, 'drowsy');
  for (const end = performance.now() + 6_000; performance.now() < end; ) {
    expect((await world.visit(id)).status).toBe(200);
  }
  expect(await ask('pin', id)).toBe(202);
  await serves(world, id, 'drowsy');
  await state(id, 'live');
  // A pinned one is left awake, though others are looked at by the same timer.
  for (const end = performance.now() + 5_000; performance.now() < end; ) {
    expect((await world.record(id))?.state).toBe('live');
    await delay(100);
  }
  expect(await ask('unpin', id)).toBe(202);
  await state(id, 'asleep');
  await until('its container is stopped', async () => (await running(id)).length === 0);
  await serves(world, id, 'drowsy');
});

it('sleeps sooner than its admin would have it, where its file says so', async () => {
  const id = world.idOf(soon, 'main');
  await world.pushed(soon, 'main');
  await serves(world, id, 'drowsy');
  await state(id, 'asleep');
  await serves(world, id, 'drowsy');

  await repos.soon.commit({ 'compose.yaml': 'services: {web: {build: ., ports: ["80"]}}\nx-treehouse: {idle: 2h}\n' });
  await repos.soon.push();
  await world.pushed(soon, 'main');
  const note = await until('it is said that the admin has less', async () =>
    world.events.find((one) => one.type === 'change' && one.preview === id && one.path === 'x-treehouse.idle'),
  );
  expect(note).toMatchObject({ message: expect.stringContaining('1h instead of 2h') });
});

it('is woken beside a build that takes the only place', async () => {
  const [id, slow] = [world.idOf(drowsy, 'main'), world.idOf(drowsy, 'slow')];
  await state(id, 'asleep');
  await repos.drowsy.branch('slow', 'main');
  await repos.drowsy.commit({ Dockerfile: 'FROM busybox\nRUN sleep 60\n' });
  await repos.drowsy.push();
  await world.pushed(drowsy, 'slow');
  await until('it is built', async () => (await world.record(slow))?.attempt?.stage === 'build');
  await serves(world, id, 'drowsy');
  expect(await world.record(slow)).toMatchObject({ state: 'building' });
  await repos.drowsy.deleteBranch('slow');
  await world.pushed(drowsy, 'slow', { deleted: true });
});
