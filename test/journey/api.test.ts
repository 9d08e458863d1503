/** The API of a real Treehouse: tokens, builds as they come, containers and what they print. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient } from '../../src/web/client.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/api${process.pid}`;
const ADMIN = 'the admin token of this test';
let folder: string;
let repo: TestRepo;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, plainDockerfile('hello'));
  world = await startWorld({ repositories: { [repository]: repo.remote }, env: { TREEHOUSE_ADMIN_TOKEN: ADMIN } });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

const id = () => world.idOf(repository, 'main');
const get = (where: string, token = ADMIN, headers: Record<string, string> = {}) =>
  fetch(`${world.url}/api/v1${where}`, { headers: { authorization: `Bearer ${token}`, ...headers } });

/** Frames of a stream until `done` says so, with the id of the last. */
async function frames(answer: Response, done: (all: readonly string[]) => boolean): Promise<readonly string[]> {
  const all: string[] = [];
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    const parts = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n');
    rest = parts.pop() ?? '';
    all.push(...parts.filter((one) => one.includes('data: ')));
    if (done(all)) break;
  }
  return all;
}

it('tells a build as it comes, once each line, also to who comes back', async () => {
  await world.pushed(repository, 'main');
  const build = await until('it is built', async () => (await world.record(id()))?.attempt?.build);
  const at = `/previews/${id()}/builds/${build}/events`;
  const sse = { accept: 'text/event-stream' };
  const ended = (all: readonly string[]) => all.at(-1)?.startsWith('event: end') === true;
  const live = await frames(await get(at, ADMIN, sse), ended);
  expect(live.at(-2)).toContain('event: build.live');
  await serves(world, id(), 'hello');

  const page = (await (await get(at)).json()) as { events: { cursor: string }[] };
  const idsOf = (all: readonly string[]) => all.flatMap((one) => /^id: (.+)$/m.exec(one)?.[1] ?? []);
  expect(idsOf(live)).toEqual(page.events.map((one) => one.cursor));
  const middle = page.events[3]?.cursor ?? '';
  const again = await frames(await get(at, ADMIN, { ...sse, 'last-event-id': middle }), ended);
  expect(idsOf(again)).toEqual(page.events.slice(4).map((one) => one.cursor));
});

it('tells a build whole, and which builds there are', async () => {
  const { builds } = (await (await get(`/previews/${id()}/builds`)).json()) as { builds: { id: string }[] };
  expect(builds).toHaveLength(1);
  const detail = await (await get(`/previews/${id()}/builds/${builds[0]?.id}`)).json();
  expect(detail).toMatchObject({ outcome: 'live', cause: expect.stringContaining('nothing serves it yet') });
  expect((await get(`/previews/${id()}/builds/zzzzzzzzzz`)).status).toBe(404);
});

it('shows containers with what they use, and what they print, to who may look', async () => {
  const token = await createClient({ url: world.url, token: ADMIN }).createToken({
    ...{ name: 'a reader', role: 'reader', repositories: [repository] },
  });
  const { containers } = (await (await get(`/previews/${id()}/containers`, token.token)).json()) as {
    containers: Record<string, unknown>[];
  };
  expect(containers).toEqual([expect.objectContaining({ state: 'running', exitCode: null })]);
  for (const key of ['memory', 'memoryLimit', 'processes']) expect(containers[0]?.[key]).toBeGreaterThan(0);
  const service = String(containers[0]?.service);
  const logs = await (await get(`/previews/${id()}/logs?service=${service}`, token.token)).json();
  expect(logs).toEqual({ services: [{ service, lines: expect.any(Array) }] });
  const unknown = await get(`/previews/${id()}/logs?service=nobody`, token.token);
  expect([unknown.status, await unknown.text()]).toEqual([404, expect.stringContaining(`it has ${service}`)]);
  expect(
    (
      await fetch(`${world.url}/api/v1/previews/${id()}/sleep`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token.token}` },
      })
    ).status,
  ).toBe(403);
});

it('shows the host, and that builds may begin', async () => {
  const host = (await (await get('/host')).json()) as Record<string, unknown> & {
    disks: { name: string; size: number }[];
  };
  expect(host).toMatchObject({ engine: { version: expect.stringMatching(/^\d+\./) }, paused: null });
  expect(host.disks[0]?.name).toContain('Treehouse’s home');
  for (const value of [host.cores, host.memory, host.disks[0]?.size]) expect(value).toBeGreaterThan(0);
});

it('tells what happens to all previews, as it comes', async () => {
  const stream = await get('/events', ADMIN, { accept: 'text/event-stream' });
  const branch = 'news';
  await repo.branch(branch, 'main');
  await repo.push();
  await world.pushed(repository, branch);
  const preview = world.idOf(repository, branch);
  const all = await frames(stream, (some) => some.some((one) => one.includes('build.live') && one.includes(preview)));
  expect(all.find((one) => one.includes('build.started'))).toContain(preview);
  expect(all.some((one) => one.startsWith('event: log'))).toBe(false);
});

it('answers 304 where nothing changed', async () => {
  const first = await get('/previews');
  // fetch would ask for no cache.
  const etag = first.headers.get('etag') ?? '';
  expect(etag).not.toBe('');
  expect((await get('/previews', ADMIN, { 'if-none-match': etag, 'cache-control': 'max-age=0' })).status).toBe(304);
});

it('keeps who did what', async () => {
  await createClient({ url: world.url, token: ADMIN }).act('pin', id());
  const { entries } = (await (await get('/trail')).json()) as { entries: Record<string, unknown>[] };
  expect(entries[0]).toMatchObject({ who: 'admin', act: 'pin', to: id(), status: 202 });
});
