/** A branch that attacks from inside its own containers, harmless ones beside it, and what the engine says of hostile ones that run. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectEngine } from '../../src/adapters/engine.ts';
import { factsOf } from '../../src/adapters/engine-facts.ts';
import { CAPABILITIES, DEFAULT_LIMITS } from '../../src/domain/isolation.ts';
import { attackingProject, harmlessProjects, hostileProjects, type Project } from '../support/corpus.ts';
import { type Files, makeRepo, type TestRepo } from '../support/repo.ts';
import { docker, serves, startWorld, type World } from '../support/treehouse.ts';

const run = promisify(execFile);
const engine = connectEngine(undefined);
// Of this run alone: another run on the same engine has previews of its own names.
const attacker = `acme/attacker${process.pid}`;
const sample = `acme/sample${process.pid}`;
let folder: string;
let world: World;
let attacks: TestRepo;
let projects: TestRepo;
/** Something of the host that listens everywhere, as an admin's other services may. */
let listening: Server;
let hostPort: number;

/** Those whose images are here. */
const HARMLESS = [
  'site',
  'dockerfile-alone',
  'node-start',
  'node-and-redis',
  'python',
  'nginx-bind',
  'configs',
  'tight',
  'postgres',
];
/** Hostile ones of which nothing is left: they are brought up, and looked at. */
const NEUTRALISED = [
  'health-check-in-a-hurry',
  'image-that-speaks',
  'labels',
  'limits-beyond-the-host',
  'network-name',
  'volume-name',
];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-attacks-'));
  listening = createServer((socket) => socket.end('the host')).listen(0, '0.0.0.0');
  await once(listening, 'listening');
  const address = listening.address();
  hostPort = typeof address === 'object' && address ? address.port : 0;
  const ports = { 'ports.txt': `${hostPort}\n` };
  attacks = await makeRepo(path.join(folder, 'attacks'), { ...((await attackingProject()) as Files), ...ports });
  await attacks.branch('victim', 'main');
  await attacks.commit({
    'compose.yml':
      'services:\n  web: {build: ., expose: ["8000"], volumes: ["data:/data"]}\n  redis: {image: redis}\nvolumes: {data: }\n',
  });
  await attacks.push();
  projects = await makeRepo(path.join(folder, 'projects'));
  world = await startWorld({
    repositories: { [attacker]: attacks.remote, [sample]: projects.remote },
    env: { TREEHOUSE_CONCURRENCY: '3' },
  });
  await Promise.all(['main', 'victim'].map((branch) => world.pushed(attacker, branch)));
  for (const branch of ['main', 'victim']) await serves(world, world.idOf(attacker, branch), 'alive', '/alive');
});
afterAll(async () => {
  listening?.close();
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** What the attacker's page says; of its own host or that of another service. */
async function asks<T>(where: string, service?: string): Promise<T> {
  const id = world.idOf(attacker, 'main');
  const answer = await world.visit(service === undefined ? id : `${service}--${id}`, where);
  expect(answer.status, where).toBe(200);
  return JSON.parse(answer.body) as T;
}

async function containersOf(repository: string, branch: string): Promise<Map<string, Docker.ContainerInspectInfo>> {
  const ids = await docker('ps', '-q', '--filter', `label=treehouse.preview=${world.idOf(repository, branch)}`);
  const all = await Promise.all(ids.map((id) => engine.getContainer(id).inspect()));
  return new Map(all.map((one) => [one.Config.Labels['treehouse.service'] ?? '', one]));
}

/** What may come of an attack that is not named below. */
const DENIED = /^(?:EPERM|EACCES|EROFS|ENOENT|ENODEV|absent)$/;
/** Where it is not a plain no. */
const OUTCOMES: Readonly<Record<string, RegExp>> = {
  // ENOSYS, so that libraries fall back to a call whose flags can be seen.
  clone3: /^ENOSYS$/,
  'read kcore': /^(?:empty|EPERM|EACCES|ENOENT)$/,
  'read keys': /^(?:empty|EPERM|EACCES|ENOENT)$/,
  'read timer_list': /^(?:empty|EPERM|EACCES|ENOENT)$/,
  'read firmware': /^(?:empty|ENOENT)$/,
  // Calls that the kernel does not have, or that libc's own number goes past.
  kexec_file_load: /^(?:EPERM|ENOSYS)$/,
  lookup_dcookie: /^(?:EPERM|ENOSYS)$/,
  'a file of five gigabytes': /^(?:EFBIG|SIGXFSZ)$/,
  'see other programs': /^(?:docker-init|tini|python3[.\d]*|attack|,)+$/,
  'fill a tmpfs': /^ENOSPC after 12[78]$/,
  'fill /dev/shm': /^ENOSPC after 6[34]$/,
  'become root by a setuid program': /PermissionError|Permission denied/,
};

describe('a branch that attacks', () => {
  it.each([
    ['root', undefined],
    ['a user', 'nobody'],
  ])('as %s comes to nothing', async (_who, service) => {
    const found = Object.entries(await asks<Record<string, string>>('/', service));
    expect(found.length).toBeGreaterThan(80);
    const through = found.filter(([name, outcome]) => !(OUTCOMES[name] ?? DENIED).test(outcome));
    expect(through).toEqual([]);
  });

  it('does not reach the host, what listens there, or the cloud that it may run in', async () => {
    const web = (await containersOf(attacker, 'main')).get('web');
    const gateways = Object.values(web?.NetworkSettings.Networks ?? {}).map((one) => one.Gateway);
    const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map((one) => one.address));
    const hosts = [...new Set([...gateways, ...own.filter((one) => !one.startsWith('127.') && one !== '::1')])];
    expect(hosts.length).toBeGreaterThan(1);
    const ports = [hostPort, world.gatewayPort, Number(new URL(world.url).port), 22, 2375];
    if (world.treehouse.registry) ports.push(Number(world.treehouse.registry.split(':')[1]));
    const tried = [
      ...hosts.slice(0, 6).map((host) => [host, hostPort] as const),
      ...ports.map((port) => [gateways[0] ?? '', port] as const),
      ['169.254.169.254', 80] as const,
      ['192.168.0.1', 80] as const,
      ['10.0.0.1', 80] as const,
    ];
    const outcomes = await Promise.all(
      tried.map(async ([host, port]) => [
        host,
        port,
        await asks<string>(`/tries?host=${encodeURIComponent(host)}&port=${port}`),
      ]),
    );
    expect(outcomes.filter(([, , outcome]) => outcome === 'open' || outcome === 'done')).toEqual([]);
    // Its own loopback is not the host's.
    expect(await asks<string>(`/tries?host=127.0.0.1&port=${hostPort}`)).toBe('ECONNREFUSED');
    expect(await asks<string>('/tries?host=127.0.0.1&port=8000')).toBe('open');
    for (const name of ['host.docker.internal', 'gateway.docker.internal', 'metadata.google.internal']) {
      expect(await asks<string>(`/finds?name=${name}`), name).toBe('unknown');
    }
  });

  it('does not reach them while it is built, either', async () => {
    const outcomes = Object.entries(await asks<Record<string, string>>('/built'));
    expect(outcomes.map(([place]) => place)).toEqual([
      expect.stringMatching(`^[\\d.]+ ${hostPort}$`),
      '169.254.169.254 80',
    ]);
    for (const [place, outcome] of outcomes) expect(outcome, place).not.toMatch(/open|done/);
  });

  it("does not reach a neighbour, by name or by address, nor the neighbour's page by the gateway's port", async () => {
    const victims = await containersOf(attacker, 'victim');
    expect([...victims.keys()].sort()).toEqual(['redis', 'web']);
    for (const [service, victim] of victims) {
      const port = service === 'redis' ? 6379 : 8000;
      for (const network of Object.values(victim.NetworkSettings.Networks)) {
        expect(await asks<string>(`/tries?host=${network.IPAddress}&port=${port}`)).not.toMatch(/open|done/);
      }
      const names = [victim.Name.slice(1), victim.Id.slice(0, 12), 'redis', `web.${world.idOf(attacker, 'victim')}`];
      for (const name of names) expect(await asks<string>(`/finds?name=${name}`), name).toBe('unknown');
    }
    // Names of its own it finds, and a name that it has in common leads to its own.
    const mine = (await containersOf(attacker, 'main')).get('web');
    const addresses = Object.values(mine?.NetworkSettings.Networks ?? {}).map((one) => one.IPAddress);
    expect(addresses).toContain(await asks<string>('/finds?name=web'));
  });

  it('takes neither all processes nor all memory, and its neighbour answers meanwhile', async () => {
    const victim = world.idOf(attacker, 'victim');
    const over = new AbortController();
    const waits: number[] = [];
    const visiting = (async () => {
      while (!over.signal.aborted) {
        const began = performance.now();
        expect((await world.visit(victim, '/alive')).body).toContain('alive');
        waits.push(performance.now() - began);
        await delay(50);
      }
    })();
    const [, bombed] = /^EAGAIN after (\d+)$/.exec(await asks<string>('/bomb', 'nobody')) ?? [];
    expect(Number(bombed)).toBeGreaterThan(20);
    expect(Number(bombed)).toBeLessThan(64);
    const [, many] = /^EAGAIN after (\d+)$/.exec(await asks<string>('/bomb')) ?? [];
    expect(Number(many)).toBeGreaterThan(100);
    expect(Number(many)).toBeLessThan(DEFAULT_LIMITS.pids.usual);
    expect(await asks<string>('/hog', 'nobody')).toBe('SIGKILL');
    over.abort();
    await visiting;
    expect(waits.length).toBeGreaterThan(5);
    expect(Math.max(...waits)).toBeLessThan(5_000);
    // Who was killed was the child alone, and the host has said so of no one else.
    expect(await asks<string>('/alive', 'nobody')).toBe('alive');
    expect((await containersOf(attacker, 'main')).get('nobody')?.RestartCount).toBe(0);
  });

  it('is what the engine says that it is', async () => {
    for (const branch of ['main', 'victim']) {
      for (const [service, info] of await containersOf(attacker, branch)) expectWalls(info, `${branch} ${service}`);
    }
    const nobody = (await containersOf(attacker, 'main')).get('nobody');
    expect(nobody?.HostConfig).toMatchObject({ Memory: 96 * 1024 * 1024, PidsLimit: 64 });
    // The file of the checkout is as it was.
    const web = (await containersOf(attacker, 'main')).get('web');
    const site = web?.Mounts.find((one) => one.Destination === '/site');
    expect(site).toMatchObject({ Type: 'bind', RW: false });
    expect((await run('cat', [path.join(site?.Source ?? '', 'page.txt')])).stdout).toBe('from the checkout\n');
  });
});

/** Of every container, whatever its compose file says. */
function expectWalls(info: Docker.ContainerInspectInfo, what: string): void {
  const facts = factsOf(info);
  const { memory, cpus, pids } = DEFAULT_LIMITS;
  expect(facts, what).toMatchObject({
    privileged: false,
    capDrop: ['ALL'],
    pidMode: '',
    utsMode: '',
    usernsMode: '',
    cgroupParent: '',
    devices: [],
    sysctls: [],
    volumesFrom: [],
    publishedPorts: [],
  });
  expect(['', 'private'], what).toContain(facts.ipcMode);
  const given = [...CAPABILITIES, 'FSETID'];
  for (const one of facts.capAdd) expect(given, what).toContain(one.replace('CAP_', ''));
  expect(facts.securityOpt, what).toContain('no-new-privileges:true');
  expect(
    facts.securityOpt.filter((one) => /^seccomp=\{.*SCMP_ACT_ERRNO/s.test(one)),
    what,
  ).toHaveLength(1);
  expect(facts.securityOpt, what).toHaveLength(2);
  expect(facts.memory, what).toBeLessThanOrEqual(memory.most);
  expect(facts.memory, what).toBeGreaterThan(0);
  expect(facts.memorySwap, what).toBe(facts.memory);
  expect(facts.cpus, what).toBeGreaterThan(0);
  expect(facts.cpus, what).toBeLessThanOrEqual(cpus.most);
  expect(facts.pids, what).toBeGreaterThan(0);
  expect(facts.pids, what).toBeLessThanOrEqual(pids.most);
  const id = info.Config.Labels['treehouse.preview'] ?? '?';
  for (const one of facts.networks) expect(one, what).toMatch(new RegExp(`^th-${id}-`));
  for (const one of facts.mounts) {
    if (one.type === 'volume') expect(one.source, what).toMatch(new RegExp(`^th-${id}\\.[0-9a-f]{12}_`));
    else if (one.type === 'bind') expect(one.source.startsWith(world.home) && !one.writable, what).toBe(true);
    else expect(one.type, what).toBe('tmpfs');
  }
  expect(info.Name.slice(1), what).toMatch(new RegExp(`^th-${id}-`));
  expect(info.HostConfig.LogConfig?.Type, what).toBe('json-file');
  expect(info.Config.Labels, what).toMatchObject({ 'com.docker.compose.project': `th-${id}` });
  const check = (info.Config as { Healthcheck?: { Test?: string[]; Interval?: number; StartInterval?: number } })
    .Healthcheck;
  if (check?.Test?.length) {
    // Nought is half a minute.
    expect(check.Interval === 0 || (check.Interval ?? 0) >= 1e9, `${what} checks each ${check.Interval} ns`).toBe(true);
    expect(check.StartInterval, what).toBeGreaterThanOrEqual(1e8);
  }
}

/** Commits a project as a branch of its own, and says so to Treehouse. */
async function bring(project: Project, more: Files = {}): Promise<void> {
  await projects.branch(project.name, 'main');
  await projects.commit({ ...(project.files as Files), ...more });
  await projects.push();
  await world.pushed(sample, project.name);
}

describe('harmless ones', () => {
  it('serve their pages, all of them beside each other', async () => {
    const chosen = (await harmlessProjects()).filter((one) => HARMLESS.includes(one.name));
    expect(chosen).toHaveLength(HARMLESS.length);
    for (const one of chosen) await bring(one);
    await Promise.all(chosen.map((one) => serves(world, world.idOf(sample, one.name), one.name)));
    for (const one of chosen) {
      for (const [service, info] of await containersOf(sample, one.name)) expectWalls(info, `${one.name} ${service}`);
    }
  });
});

/** What a hostile one is given to do, where it says nothing of it itself. */
const SERVE = JSON.stringify({
  services: {
    web: {
      command: ['sh', '-c', 'mkdir -p /www; echo still here >/www/index.html; exec httpd -f -p 8000 -h /www'],
      expose: ['8000'],
    },
  },
});

describe('hostile ones of which nothing is left', () => {
  it('run as anything else does', async () => {
    const chosen = (await hostileProjects()).filter((one) => NEUTRALISED.includes(one.name));
    expect(chosen).toHaveLength(NEUTRALISED.length);
    for (const one of chosen) {
      await bring(one, one.name === 'image-that-speaks' ? {} : { 'compose.override.yml': SERVE });
    }
    await Promise.all(
      chosen.map((one) =>
        serves(world, world.idOf(sample, one.name), one.name === 'image-that-speaks' ? one.name : 'still here'),
      ),
    );
    // What an image claims leads nowhere.
    expect((await world.visit('main--shop')).status).toBe(404);
    for (const one of chosen) {
      const id = world.idOf(sample, one.name);
      for (const [service, info] of await containersOf(sample, one.name)) {
        expectWalls(info, `${one.name} ${service}`);
        expect(info.Config.Labels, one.name).toMatchObject({
          'treehouse.preview': id,
          'treehouse.host': service === 'web' ? id : '',
          'treehouse.port': service === 'web' ? '8000' : '',
          'treehouse.role': 'app',
        });
        const variables = info.Config.Env.filter((line) => /^(?:VIRTUAL_|TREEHOUSE_|LETSENCRYPT_)/i.test(line));
        const own = [`VIRTUAL_HOST=${id}.${world.domain}`, 'VIRTUAL_PORT=8000'];
        expect(variables.filter((line) => !line.endsWith('=')).sort(), one.name).toEqual(service === 'web' ? own : []);
        expect(JSON.stringify([info.Config, info.HostConfig, info.Mounts]), one.name).not.toMatch(
          /main--shop|bank\.example/,
        );
      }
    }
  });
});
