/**
 * A Treehouse behind nginx-proxy, from the push to nothing: what a visitor of the proxy is sent to. The proxy is a stand-in on the
 * real engine (test/support/docker-gen.ts), since its image cannot be had where tests run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectEngine } from '../../src/adapters/engine.ts';
import { type DockerGen, watchAsDockerGen } from '../support/docker-gen.ts';
import { askFrom, startStandIn } from '../support/nginx-proxy.ts';
import { type Files, makeRepo, type TestRepo } from '../support/repo.ts';
import { withText } from '../support/stacks.ts';
import { docker, startWorld, until, type World } from '../support/treehouse.ts';

const acme = `acme/front${process.pid}`;
const PROXY = `proxy-${process.pid}`;
const FRONT = `front-${process.pid}`;
const TOKEN = 'a token of the tests, long enough';
/** It says a path and another's host, as the image of a branch may. */
const page: Files = {
  Dockerfile: `FROM busybox
ENV VIRTUAL_PATH=/elsewhere HSTS=off VIRTUAL_HOST=bank.example
COPY index.html /www/
CMD ["httpd", "-f", "-h", "/www", "-p", "80"]
EXPOSE 80
`,
  'index.html': 'one',
  'compose.yaml': `services:
  web:
    build: .
    ports: ["80"]
    environment: {VIRTUAL_HOST: bank.example, VIRTUAL_HOST_MULTIPORTS: "{bank.example: }"}
    labels: {com.github.nginx-proxy.nginx-proxy.nginx: ""}
`,
};

const engine = connectEngine(undefined);
let folder: string;
let repo: TestRepo;
let world: World;
let seen: DockerGen;
const id = () => world.idOf(acme, 'topic');

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(path.join(folder, 'repo'), page);
  await engine.createNetwork({ Name: FRONT });
  await startStandIn(engine, PROXY, FRONT);
  seen = await watchAsDockerGen(engine, PROXY);
  world = await startWorld({
    repositories: { [acme]: repo.remote },
    env: { TREEHOUSE_GATEWAY: 'nginx-proxy', TREEHOUSE_GATEWAY_CONTAINER: PROXY, TREEHOUSE_ADMIN_TOKEN: TOKEN },
  });
});
afterAll(async () => {
  await world?.stop();
  seen?.stop();
  await engine.getContainer(PROXY).remove({ force: true });
  await engine.getNetwork(FRONT).remove();
  await rm(folder, { recursive: true, force: true });
});

/** As nginx would: to one of the containers of the host, or to DEFAULT_HOST. */
async function ask(label: string): Promise<{ readonly status: number; readonly body: string }> {
  const host = `${label}.${world.domain}`;
  const upstreams = seen.upstreams(host);
  if (upstreams === undefined) return world.visit(label);
  const one = upstreams[Math.floor(Math.random() * upstreams.length)];
  return one === undefined ? { status: 502, body: '' } : askFrom(engine, PROXY, one, host);
}

const shows = (text: string) =>
  until(`the proxy shows ${text}`, async () => {
    const { status, body } = await ask(id());
    return status === 200 && body.includes(text);
  });

async function act(verb: string): Promise<number> {
  const url = `${world.url}/api/v1/previews/${id()}/${verb}`;
  return (await fetch(url, { method: 'POST', headers: { Authorization: `Bearer ${TOKEN}` } })).status;
}

/** Networks of the preview that the proxy is in. */
async function joined(preview = id()): Promise<readonly string[]> {
  const info = await engine.getContainer(PROXY).inspect();
  return Object.keys(info.NetworkSettings.Networks).filter((name) => name.startsWith(`th-${preview}-`));
}

it('sends to Treehouse whoever asks for a host that there is not', async () => {
  const { status, body } = await ask('nobody--here');
  expect(status).toBe(404);
  expect(body).toContain('No preview lives here');
  expect((await world.visit(id(), '/api/v1/previews')).status).toBe(404);
});

it('shows a preview once the proxy is in its network, by the host that Treehouse gave it', async () => {
  await repo.branch('topic', 'main');
  await repo.push();
  await world.pushed(acme, 'topic');
  await shows('one');
  expect((await world.ended(id(), await repo.head('topic'))).urls).toEqual([`http://${id()}.${world.domain}/`]);
  const [container] = await docker('ps', '-q', '--filter', `label=treehouse.preview=${id()}`);
  const info = await engine.getContainer(container ?? '').inspect();
  const told = info.Config.Env.filter((one) => /^(?:VIRTUAL_|HSTS)/.test(one));
  expect(told.toSorted()).toEqual([
    'HSTS=',
    `VIRTUAL_HOST=${id()}.${world.domain}`,
    'VIRTUAL_PATH=/',
    'VIRTUAL_PORT=80',
  ]);
  expect(Object.keys(info.Config.Labels).filter((one) => one.startsWith('com.github'))).toEqual([]);
  expect(seen.upstreams('bank.example')).toBeUndefined();
});

it('shows old or new during a swap and then the new alone, and leaves the old one’s network', async () => {
  const before = await joined();
  expect(before).toHaveLength(1);
  const commit = await repo.commit(withText('index.html', 'two'));
  await repo.push();
  const failed: number[] = [];
  let over = false;
  const asking = (async () => {
    while (!over) {
      const { status, body } = await ask(id());
      if (status !== 200 || !/one|two/.test(body)) failed.push(status);
    }
  })();
  await world.pushed(acme, 'topic');
  await world.ended(id(), commit);
  await shows('two');
  await until('the old one is gone', async () => {
    const now = await joined();
    return now.length === 1 && now[0] !== before[0];
  });
  await until('one is left', async () => seen.upstreams(`${id()}.${world.domain}`)?.length === 1);
  over = true;
  await asking;
  // Where docker-gen had not yet heard of an end; nginx itself would ask the other one.
  expect(failed.length).toBeLessThan(20);
  for (let count = 0; count < 5; count += 1) expect((await ask(id())).body).toContain('two');
});

it('shows Treehouse’s page for one that sleeps, and that visit wakes it', async () => {
  expect(await act('sleep')).toBe(202);
  await until('it sleeps', async () => (await world.record(id()))?.state === 'asleep');
  await until('the proxy knows', async () => seen.upstreams(`${id()}.${world.domain}`) === undefined);
  expect(await ask(id())).toMatchObject({ status: 503, body: expect.stringContaining('The house wakes up') });
  await shows('two');
  await until('it is live', async () => (await world.record(id()))?.state === 'live');
});

it('is joined again when the proxy was made anew', async () => {
  await engine.getContainer(PROXY).remove({ force: true });
  await startStandIn(engine, PROXY, FRONT);
  await until('it is in the network again', async () => (await joined()).length === 1);
  await shows('two');
});

it('refuses an image that would be taken for the proxy', async () => {
  await repo.branch('sly', 'main');
  const commit = await repo.commit({
    Dockerfile: `${page.Dockerfile}LABEL com.github.nginx-proxy.nginx-proxy.nginx=""\n`,
  });
  await repo.push();
  await world.pushed(acme, 'sly');
  const record = await world.ended(world.idOf(acme, 'sly'), commit);
  expect(record.attempt).toMatchObject({ outcome: 'failed', kind: 'terminal' });
  expect(record.attempt?.message).toContain('com.github.nginx-proxy.nginx-proxy.nginx');
  expect(await joined(world.idOf(acme, 'sly'))).toEqual([]);
});

it('leaves the network of a preview that goes, of which nothing is left', async () => {
  await repo.deleteBranch('topic');
  await world.pushed(acme, 'topic', { deleted: true });
  await until('nothing is left', async () => (await world.leftovers(id())).length === 0);
  expect(await joined()).toEqual([]);
  expect((await ask(id())).status).toBe(404);
});
