/** What containers print is shipped to a syslog server over TCP: whole, once, and told whose it is. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/shipped${process.pid}`;
/** A job that ends before anybody looks, a line of two kinds, a long one, and a count that goes on. */
const compose = (word: string) => `services:
  job:
    image: busybox
    command: ["echo", "the job ${word}"]
  web:
    image: busybox
    depends_on: {job: {condition: service_completed_successfully}}
    command:
      - sh
      - -c
      - |
        echo "out ${word}"; echo "err ${word}" >&2
        head -c 40000 /dev/zero | tr '\\0' x; echo
        mkdir -p /www && echo '${word}' > /www/index.html
        (n=0; while true; do n=$$((n+1)); echo "tick ${word} $$n"; sleep 0.05; done) &
        exec httpd -f -p 8000 -h /www
    expose: ["8000"]
`;
let folder: string;
let home: string;
let repo: TestRepo;
let server: Server;
let port: number;
let world: World;
/** Messages without their counts. */
const messages: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  repo = await makeRepo(folder, { 'compose.yml': compose('one') });
  server = createServer((socket) => {
    let pending = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      for (;;) {
        const space = pending.indexOf(' ');
        const count = Number(pending.toString('ascii', 0, space));
        if (space < 1 || pending.length < space + 1 + count) break;
        messages.push(pending.toString('utf8', space + 1, space + 1 + count));
        pending = pending.subarray(space + 1 + count);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
  world = await start();
});
afterAll(async () => {
  await world?.stop();
  server?.close();
  for (const one of [folder, home]) await rm(one, { recursive: true, force: true });
});

const start = () =>
  startWorld({
    repositories: { [repository]: repo.remote },
    home,
    env: { TREEHOUSE_SHIP_LOGS: `syslog+tcp://127.0.0.1:${port}` },
  });
const id = () => world.idOf(repository, 'main');
const ticks = (word: string) => messages.flatMap((one) => new RegExp(`tick ${word} (\\d+)$`).exec(one)?.[1] ?? []);

it('also of a container that ended before anybody looked', async () => {
  await world.pushed(repository, 'main');
  await serves(world, id(), 'one');
  await until(
    'its lines are there',
    async () => ticks('one').length > 3 && messages.some((one) => /the job/.test(one)),
  );
  const of = (end: string) => messages.filter((one) => one.endsWith(end));
  const job = of('] the job one');
  expect(job).toHaveLength(1);
  expect(job[0]).toMatch(/^<134>1 \S+Z main--shipped\d+ job [0-9a-f]{12} - \[treehouse@32473 preview="main--shipped/);
  expect(job[0]).toContain(` repository="${repository}" branch="main" commit="${await repo.head()}" service="job"`);
  expect([of('] out one').length, of('] err one').length]).toEqual([1, 1]);
  expect(of('] err one')[0]).toMatch(/^<131>1 /);
  const long = messages.flatMap((one) => /\] (x+)$/.exec(one)?.[1] ?? []);
  expect(long.join('')).toHaveLength(40_000);
});

it('each line once, through a redeploy and a restart of Treehouse', async () => {
  await repo.commit({ 'compose.yml': compose('two') });
  await repo.push();
  await world.pushed(repository, 'main');
  await serves(world, id(), 'two');
  await until('the new ones come', async () => ticks('two').length > 3);
  // Its previews run on.
  await world.treehouse.stop();
  const before = ticks('two').length;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(ticks('two')).toHaveLength(before);
  world = await start();
  await until('they go on', async () => ticks('two').length > before + 20);
  const seen = ticks('two').map(Number);
  expect(seen).toEqual(seen.map((_, at) => at + 1));
  const first = ticks('one').map(Number);
  expect(first).toEqual(first.map((_, at) => at + 1));
});
