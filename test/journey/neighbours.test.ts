/** Two branches at once: neither reaches the other's containers by name or by address. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { talk } from '../support/stacks.ts';
import { docker, serves, startWorld, type World } from '../support/treehouse.ts';

const run = promisify(execFile);
// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/shared${process.pid}`;
let folder: string;
let repo: TestRepo;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, talk('left'));
  world = await startWorld({ repositories: { [repository]: repo.remote } });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function container(branch: string, service: string): Promise<{ id: string; name: string; address: string }> {
  const filters = [`label=treehouse.preview=${world.idOf(repository, branch)}`, `label=treehouse.service=${service}`];
  const [id = ''] = await docker('ps', '-q', ...filters.flatMap((one) => ['--filter', one]));
  const format = '{{.Name}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
  const [name = '', address = ''] = ((await docker('inspect', '--format', format, id))[0] ?? '').split(' ');
  return { id, name: name.slice(1), address };
}

/** What a script inside the container prints: `open` or the error's code. */
async function tries(from: string, host: string, port: number): Promise<string> {
  const script = `const s=require('net').connect({host:${JSON.stringify(host)},port:${port},timeout:2000});
s.on('connect',()=>{console.log('open');process.exit()});s.on('timeout',()=>{console.log('silence');process.exit()});
s.on('error',(e)=>{console.log(e.code);process.exit()})`;
  return (await run('docker', ['exec', from, 'node', '-e', script])).stdout.trim();
}

it('keeps two branches apart', async () => {
  await repo.branch('right', 'main');
  await repo.commit({ 'text.txt': 'right' });
  await repo.push();
  await Promise.all([world.pushed(repository, 'main'), world.pushed(repository, 'right')]);
  // Each counts in its own redis.
  expect((await serves(world, world.idOf(repository, 'main'), 'left')).body).toContain('hit :1');
  expect((await serves(world, world.idOf(repository, 'right'), 'right')).body).toContain('hit :1');
  expect((await world.visit(world.idOf(repository, 'main'))).body).toContain('left hit :2');

  const web = await container('main', 'web');
  const own = await container('main', 'redis');
  const other = await container('right', 'redis');
  expect(await tries(web.id, 'redis', 6379)).toBe('open');
  expect(await tries(web.id, own.address, 6379)).toBe('open');
  expect(await tries(web.id, other.name, 6379)).toMatch(/ENOTFOUND|EAI_AGAIN/);
  expect(await tries(web.id, other.address, 6379)).toMatch(/silence|EHOSTUNREACH|ECONNREFUSED|ENETUNREACH/);
});

it('keeps a preview from the host, from what listens there, and from the cloud that it may run in', async () => {
  const web = await container('main', 'web');
  const [gatewayOfBridge = ''] = await docker(
    'inspect',
    '--format',
    '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}',
    web.id,
  );
  // Something of the host that listens everywhere, as an admin's other services may.
  const server = createServer((socket) => socket.end('the host')).listen(0, '0.0.0.0');
  const metadata = '169.254.169.254';
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  try {
    expect(await tries(web.id, gatewayOfBridge, port)).not.toBe('open');
    for (const one of [new URL(world.url).port, world.gatewayPort, world.treehouse.registry?.split(':')[1], 2375, 22]) {
      expect(await tries(web.id, gatewayOfBridge, Number(one))).not.toBe('open');
    }
    expect(await tries(web.id, metadata, 80)).not.toBe('open');
    await run('ip', ['addr', 'add', `${metadata}/32`, 'dev', 'lo']);
    try {
      expect(await tries(web.id, metadata, port)).not.toBe('open');
    } finally {
      await run('ip', ['addr', 'del', `${metadata}/32`, 'dev', 'lo']);
    }
  } finally {
    server.close();
  }
  // The other way, the gateway reaches it as before.
  await serves(world, world.idOf(repository, 'main'), 'left');
});

it('keeps the data of services that did not change, and the addresses of what is kept', async () => {
  const before = await container('main', 'redis');
  await repo.branch('main');
  await repo.commit({ 'text.txt': 'left again' });
  await repo.push();
  await world.pushed(repository, 'main');
  const page = await serves(world, world.idOf(repository, 'main'), 'left again');
  expect(Number(/hit :(\d+)/.exec(page.body)?.[1])).toBeGreaterThan(2);
  expect((await container('main', 'redis')).id).toBe(before.id);
});
