/** A whole Treehouse that reaches its engine by the worker's listener alone: nothing that it asks for is refused. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectEngine } from '../../src/adapters/engine.ts';
import { engineShells } from '../../src/adapters/engine-exec.ts';
import { createClient } from '../../src/web/client.ts';
import { type EngineProxy, startEngineProxy } from '../support/engine-proxy.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

const repository = `acme/door${process.pid}`;
const ADMIN = 'the admin token of this test';
let folder: string;
let repo: TestRepo;
let proxy: EngineProxy;
let world: World;
const id = () => world.idOf(repository, 'topic');

const page = (said: string) => `FROM busybox
RUN mkdir /www && echo ${said} >/www/index.html
CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]
`;
const FILES = {
  'compose.yml': `services:
  web:
    build: .
    expose: ["8000"]
    volumes: ["data:/data", "./conf:/conf:ro"]
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8000/"], interval: 1s}
  # What the engine's own way of building cannot say: buildx does it.
  side:
    build: {context: side, additional_contexts: {more: ./more}}
    command: ["sh", "-c", "cat /more.txt && sleep 3600"]
  test:
    image: busybox
    profiles: [test]
    depends_on: {web: {condition: service_healthy}}
    command: ["wget", "-q", "-O", "/dev/null", "http://web:8000/"]
volumes: {data: {}}
`,
  Dockerfile: page('first'),
  'conf/x': 'y\n',
  'more/more.txt': 'from the other context\n',
  'side/Dockerfile': 'FROM busybox\nCOPY --from=more more.txt /more.txt\n',
};

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-door-'));
  repo = await makeRepo(folder, FILES);
  await repo.branch('topic');
  await repo.push();
  const home = path.join(folder, 'home');
  proxy = await startEngineProxy(home);
  world = await startWorld({
    home,
    repositories: { [repository]: repo.remote },
    env: { TREEHOUSE_ADMIN_TOKEN: ADMIN, DOCKER_HOST: `tcp://${proxy.works}`, TREEHOUSE_ENGINE_HERE: 'true' },
  });
});
afterAll(async () => {
  await world?.stop();
  await proxy?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('builds in both ways, tests, pushes, starts, routes and switches', async () => {
  await world.pushed(repository, 'topic');
  await serves(world, id(), 'first');
  await repo.commit({ Dockerfile: page('second') });
  await repo.push();
  await world.pushed(repository, 'topic');
  await serves(world, id(), 'second');
});

it('runs commands, and hears the end of what is typed into them', async () => {
  const engine = connectEngine(`tcp://${proxy.works}`);
  const [side] = await engine.listContainers({
    filters: JSON.stringify({ label: [`treehouse.preview=${id()}`, 'treehouse.service=side'] }),
  });
  if (!side) throw new Error('it does not run');
  const exec = async (command: readonly string[], input: string) => {
    const running = await engineShells(engine, 'door').exec(side.Id, { command, terminal: undefined });
    running.input.end(input);
    const pieces: Uint8Array[] = [];
    for await (const piece of running.output) pieces.push(piece.data);
    return { said: Buffer.concat(pieces).toString(), code: await running.exitCode() };
  };
  // The end of what is typed is an end of half the stream.
  expect(await exec(['sh', '-c', 'cat; cat /more.txt; exit 7'], 'typed\n')).toEqual({
    said: 'typed\nfrom the other context\n',
    code: 7,
  });
});

it('sleeps, wakes and goes, and nothing was refused', async () => {
  const client = createClient({ url: world.url, token: ADMIN });
  await client.act('sleep', id());
  await until('it sleeps', async () => (await world.record(id()))?.state === 'asleep');
  await client.act('wake', id());
  await serves(world, id(), 'second');
  await client.sweep({ dryRun: false });
  await repo.deleteBranch('topic');
  await world.pushed(repository, 'topic', { deleted: true });
  await until('it is gone', async () => (await world.leftovers(id())).length === 0);
  expect(await docker('ps', '-aq', '--filter', `label=treehouse.preview=${id()}`)).toEqual([]);
  expect(proxy.refused).toEqual([]);
});
