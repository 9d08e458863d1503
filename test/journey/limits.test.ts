/** Limits speak: who waits is told, a noisy repository keeps nobody waiting, what is idle makes room, and a pin holds. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PreviewView } from '../../src/api/schemas.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { serves, startWorld, until, type World } from '../support/treehouse.ts';

const TOKEN = 'a token of the tests, long enough';
// Of this run alone: another run on the same engine has previews of its own names.
const name = (what: string) => `acme/${what}${process.pid}`;
const [noisy, quiet, rooms, doors] = [name('noisy'), name('quiet'), name('rooms'), name('doors')];

/** A page whose image takes `seconds` to build. */
function page(text: string, seconds: number) {
  return {
    Dockerfile: `FROM busybox\nCOPY index.html /www/\nRUN sleep ${seconds}\nCMD ["httpd", "-f", "-h", "/www", "-p", "80"]\nEXPOSE 80\n`,
    'index.html': text,
  };
}

let folder: string;
let world: World;
const repos = new Map<string, TestRepo>();
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  const home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  for (const one of [noisy, quiet, rooms, doors]) repos.set(one, await makeRepo(path.join(folder, one)));
  const url = (one: string) => ({ url: repos.get(one)?.remote, branches: ['*', '!main'] });
  const repositories = {
    [noisy]: url(noisy),
    [quiet]: url(quiet),
    [rooms]: { ...url(rooms), previews: { running: 2 } },
    [doors]: { ...url(doors), previews: { max: 2 } },
  };
  await writeFile(path.join(home, 'treehouse.yml'), JSON.stringify({ repositories }));
  const env = { TREEHOUSE_ADMIN_TOKEN: TOKEN, TREEHOUSE_CONCURRENCY: '1' };
  world = await startWorld({ repositories: {}, home, env });
});
afterAll(async () => {
  await world?.stop();
  if (world) await rm(world.home, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

async function push(repository: string, branch: string, seconds = 0): Promise<void> {
  const repo = repos.get(repository);
  await repo?.branch(branch, 'main');
  await repo?.commit(page(`${branch} of ${repository}`, seconds));
  await repo?.push();
  await world.pushed(repository, branch);
}

async function api<T>(where: string, method = 'GET'): Promise<T> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return (await (await fetch(`${world.url}/api/v1/previews/${where}`, { method, headers })).json()) as T;
}

const isIn = (id: ReturnType<World['idOf']>, state: string) =>
  until(`${id} is ${state}`, async () => (await world.record(id))?.state === state);
const live = (repository: string, branch: string) =>
  serves(world, world.idOf(repository, branch), `${branch} of ${repository}`);

it('a noisy repository does not keep a quiet one waiting, and nobody is dropped', async () => {
  const branches = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'];
  await push(noisy, 'n1', 4);
  await until('the first is built', async () => world.events.some((one) => one.type === 'build.started'));
  for (const one of branches.slice(1)) await push(noisy, one, 2);
  await push(quiet, 'q');
  const id = world.idOf(quiet, 'q');
  const wait = await until('the quiet one is told where it stands', async () => (await world.record(id))?.wait);
  // One, but for a machine that is busy while all of this is pushed.
  const begun = world.events.filter((one) => one.type === 'build.started').length;
  expect(wait).toMatchObject({ position: 1, because: '1 build runs, and 1 may at once (TREEHOUSE_CONCURRENCY)' });

  await live(quiet, 'q');
  for (const one of branches) await live(noisy, one);
  const order = world.events.flatMap((one) => (one.type === 'build.started' ? [one.preview] : []));
  expect(order.indexOf(id)).toBe(begun);
  expect(order).toHaveLength(7);
  const positions = world.events.flatMap((one) => (one.type === 'preview.waiting' ? [one.position] : []));
  expect(Math.max(...positions)).toBeGreaterThanOrEqual(4);
  // One at a time: a build began only after the one before it had ended.
  const marks = world.events.flatMap((one) => (/^build\.(?:started|live)$/.test(one.type) ? [one.type] : []));
  expect(marks).toEqual(Array.from({ length: 7 }, () => ['build.started', 'build.live']).flat());
});

describe('where two may run', () => {
  const id = (branch: string) => world.idOf(rooms, branch);

  it('the third makes the longest unused one sleep, but none that is pinned', async () => {
    for (const one of ['r1', 'r2']) {
      await push(rooms, one);
      await live(rooms, one);
    }
    await api(`${id('r1')}/pin`, 'POST');
    expect((await api<PreviewView>(id('r1'))).pinned).toBe(true);
    await push(rooms, 'r3');
    await live(rooms, 'r3');
    await isIn(id('r2'), 'asleep');
    expect((await world.record(id('r2')))?.reason).toContain('nobody visits it');
    expect(await world.record(id('r1'))).toMatchObject({ state: 'live' });
  });

  it('a visitor of the one that sleeps gets it back, and another makes room', async () => {
    await live(rooms, 'r2');
    await isIn(id('r3'), 'asleep');
    expect(await world.record(id('r1'))).toMatchObject({ state: 'live' });
  });

  it('a visitor waits for one that cannot be woken, and is told why', async () => {
    await api(`${id('r2')}/pin`, 'POST');
    const said = await until('its page says why', async () => {
      const { body } = await world.visit(id('r3'));
      return body.includes('First in the queue') && body;
    });
    expect(said).toContain('2 previews of ');
    expect(said).toContain('previews.running');
    expect(await api<PreviewView>(id('r3'))).toMatchObject({ state: 'waking', position: 1, about: null });
    await api(`${id('r2')}/unpin`, 'POST');
    await live(rooms, 'r3');
    await isIn(id('r2'), 'asleep');
  });
});

describe('where two may be', () => {
  const id = (branch: string) => world.idOf(doors, branch);

  it('the third waits, says so everywhere, and is built when another goes', async () => {
    for (const one of ['d1', 'd2']) {
      await push(doors, one);
      await live(doors, one);
    }
    await push(doors, 'd3');
    const because = `there are 2 previews of ${doors}, and 2 may be (previews.max); its turn comes when one of them goes`;
    await until('it waits', async () => (await world.record(id('d3')))?.wait);
    expect(await world.record(id('d3'))).toMatchObject({ state: 'waiting', reason: `first in the queue: ${because}` });
    expect(await api<PreviewView>(id('d3'))).toMatchObject({ state: 'waiting', position: 1 });
    const { status, body } = await world.visit(id('d3'));
    expect([status, body.includes(`First in the queue: ${because}.`)]).toEqual([503, true]);

    await repos.get(doors)?.deleteBranch('d1');
    await world.pushed(doors, 'd1', { deleted: true });
    await live(doors, 'd3');
    expect(await world.leftovers(id('d1'))).toEqual([]);
  });
});
