/** The image and docker-compose.yml as a team has them: brought up on the engine, pushed to, looked at from inside, taken down. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, type Installation, install } from '../support/installation.ts';
import { ask, steadyLoad } from '../support/load.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { deliver, signed } from '../support/signed.ts';
import { docker, pushPayload, until, visit } from '../support/treehouse.ts';

const run = promisify(execFile);
interface Finding {
  readonly rule: string;
  readonly severity: string;
  readonly found: string;
  readonly subject: { readonly name: string };
}
const IMAGE = `treehouse-test:${process.pid}`;
const repository = `acme/installed${process.pid}`;
const label = `topic--installed${process.pid}`;
const PARTS = ['walls', 'redis', 'registry', 'docker-socket-proxy', 'serve', 'worker', 'entrance', 'gateway'];
const ADMIN = 'treehouse.example.test';
let folder: string;
let repo: TestRepo;
let house: Installation;

const page = (text: string) => ({
  'compose.yml': `services:
  web:
    build: .
    expose: ["8000"]
    volumes: ["data:/data", "./conf:/conf:ro"]
  side:
    build: {context: side, additional_contexts: {more: ./more}}
    command: ["sh", "-c", "cat /more.txt && sleep 3600"]
volumes: {data: {}}
`,
  Dockerfile: `FROM busybox\nRUN mkdir /www && echo ${text} >/www/index.html\nCMD ["httpd", "-f", "-p", "8000", "-h", "/www"]\n`,
  'conf/x': 'y\n',
  'more/more.txt': 'more\n',
  'side/Dockerfile': 'FROM busybox\nCOPY --from=more more.txt /more.txt\n',
});

beforeAll(async () => {
  await buildImage(IMAGE);
  house = await install(IMAGE, await freePorts(), { TREEHOUSE_ADMIN_HOST: ADMIN });
  folder = await mkdtemp(path.join(house.etc, 'repos-'));
  await chmod(folder, 0o755);
  repo = await makeRepo(folder, page('first'));
  await repo.branch('topic');
  await push('topic');
  const url = path.join('/etc/treehouse', path.basename(folder), 'remote.git');
  await writeFile(
    path.join(house.etc, 'treehouse.yml'),
    JSON.stringify({ repositories: { [repository]: { url, branches: ['topic'] } }, sweep: 3600 }),
  );
  await house
    .compose('up', '-d', '--no-build', '--scale', 'worker=2', '--wait', '--wait-timeout', '240')
    .catch((error: unknown) => withLogs(error, ...PARTS));
}, 900_000);

afterAll(async () => {
  const instance = await house?.secret('instance').catch(() => undefined);
  await house?.stop();
  if (instance !== undefined) {
    const mine = ['--filter', `label=treehouse.instance=${instance}`];
    for (const one of await docker('ps', '-aq', ...mine)) await docker('rm', '-f', one);
    for (const one of await docker('network', 'ls', '-q', ...mine)) await docker('network', 'rm', one);
    for (const one of await docker('volume', 'ls', '-q', ...mine)) await docker('volume', 'rm', one);
    for (const one of await docker('image', 'ls', '-q', ...mine)) await docker('rmi', '-f', one).catch(() => []);
  }
  await docker('rmi', '-f', IMAGE);
}, 120_000);

/** The first of four that are free, one after the other. */
async function freePorts(): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const servers = await Promise.allSettled([0, 1, 2, 3].map((one) => listen(first + one)));
    for (const one of servers) if (one.status === 'fulfilled') one.value.close();
    if (servers.every((one) => one.status === 'fulfilled')) return first;
  }
}
async function listen(port: number) {
  const server = createServer().listen(port, '127.0.0.1');
  await Promise.race([once(server, 'listening'), once(server, 'error').then(([error]) => Promise.reject(error))]);
  return (server.address() as AddressInfo).port === port ? server : Promise.reject(new Error('another port'));
}

/** As another owns it than who pushes here, git wants it to be his meanwhile. */
async function push(...what: readonly string[]): Promise<void> {
  await run('chown', ['-R', '0:0', repo.remote]);
  await repo.git('push', '--quiet', 'origin', ...what);
  await run('chown', ['-R', '10001:10001', repo.remote]);
}

async function pushed(deleted = false): Promise<number> {
  const payload = pushPayload(repository, 'topic', { deleted });
  const delivery = signed('push', payload, await house.secret('webhook-secret'));
  return (await deliver(`http://127.0.0.1:${house.ports.serve}`, delivery)).status;
}
const look = () => visit(house.ports.http, { path: '/', headers: { host: `${label}.preview.localhost` } });
async function serves(text: string): Promise<void> {
  // Not the page that says of its first build.
  const isServed = async () => {
    const { status, body } = await look();
    return status === 200 && body.includes(text);
  };
  await until(`it serves ${text}`, isServed).catch((error: unknown) => withLogs(error, 'worker', 'serve', 'gateway'));
}

/** Throws it with what those parts said last. */
async function withLogs(error: unknown, ...parts: readonly string[]): Promise<never> {
  throw new Error(`${String(error)}\n${await house.compose('logs', '--tail', '30', ...parts)}`);
}

/** What a request from inside a container is answered: a status, or the error's code. */
async function asks(service: string, url: string, init: object = {}): Promise<string> {
  const script = `fetch(${JSON.stringify(url)}, ${JSON.stringify(init)}).then(async (one) => console.log(one.status, (await one.text()).slice(0, 300)), (error) => console.log(error.cause?.code ?? String(error)))`;
  return house.inside(service, 'node', '-e', script);
}

describe('an installation', () => {
  it('is made of parts that may nothing', async () => {
    for (const part of PARTS) {
      const ids = await house.containers(part);
      expect([part, ids.length]).toEqual([part, part === 'worker' ? 2 : 1]);
      for (const id of ids) {
        const [json = ''] = [(await docker('inspect', id)).join('\n')];
        const [info] = JSON.parse(json) as [
          { State: { Health: { Status: string } }; HostConfig: Record<string, unknown>; Mounts: { Source: string }[] },
        ];
        expect([part, info.State.Health.Status]).toEqual([part, 'healthy']);
        expect(info.HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'], Privileged: false });
        const holdsSocket = info.Mounts.some((one) => one.Source.endsWith('docker.sock'));
        expect([part, holdsSocket]).toEqual([part, part === 'docker-socket-proxy']);
        const status = await house.inside(part, 'cat', '/proc/1/status');
        const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1];
        expect([part, field('NoNewPrivs')]).toEqual([part, '1']);
        if (part === 'walls') continue;
        expect([part, field('Uid'), field('CapEff'), field('CapBnd')]).toEqual([
          part,
          '10001',
          '0'.repeat(16),
          '0'.repeat(16),
        ]);
      }
    }
    expect(await house.inside('gateway', 'ls', house.home)).toBe('nginx');
    expect(await house.inside('serve', 'treehouse', '--version')).toMatch(/^\d+\.\d+\.\d+/);
    const [size = ''] = await docker('image', 'inspect', '--format', '{{.Size}}', IMAGE);
    expect(Number(size)).toBeLessThan(300e6);
  });

  it('turns a webhook into a preview, and the next into another', async () => {
    expect(await pushed()).toBe(202);
    await serves('first');
    const [id = ''] = await docker(
      'ps',
      '-q',
      '--filter',
      `label=treehouse.preview=${label}`,
      '--filter',
      'label=treehouse.service=web',
    );
    expect((await docker('inspect', '--format', '{{.Config.Image}}', id))[0]).toMatch(
      new RegExp(`^127\\.0\\.0\\.1:${house.ports.registry}/${repository}/web`),
    );
    await repo.commit(page('second'));
    await push('topic');
    expect(await pushed()).toBe(202);
    await serves('second');
  });

  it('lets serve read the engine, the worker do its work, and neither anything else', async () => {
    const [reads, works] = ['http://engine-reads:2375', 'http://engine-works:2375'];
    expect(await asks('serve', `${reads}/containers/json`)).toMatch(/^200 /);
    expect(await asks('worker', `${works}/containers/json`)).toMatch(/^200 /);
    const json = { 'content-type': 'application/json' };
    const post = (body: object) => ({ method: 'POST', headers: json, body: JSON.stringify(body) });
    for (const [service, url, init] of [
      ['serve', `${reads}/containers/create`, post({ Image: 'busybox' })],
      ['serve', `${reads}/exec/0a/start`, post({})],
      ['worker', `${works}/containers/create`, post({ Image: 'busybox', HostConfig: { Privileged: true } })],
      ['worker', `${works}/containers/create`, post({ Image: 'busybox', HostConfig: { Binds: ['/:/host'] } })],
      ['worker', `${works}/swarm/init`, post({})],
      ['worker', `${works}/containers/x/archive?path=/etc`, {}],
    ] as const) {
      expect([url, await asks(service, url, init)]).toEqual([url, expect.stringMatching(/^403 .*docker-socket-proxy/)]);
    }
    // Neither is there for the other, and nobody else is there at all.
    expect(await asks('serve', `${works}/_ping`)).toBe('ENOTFOUND');
    expect(await asks('worker', `${reads}/_ping`)).toBe('ENOTFOUND');
    for (const url of [reads, works, 'http://redis:6379', 'http://registry:5000', 'http://entrance:8080']) {
      expect([url, await asks('gateway', url)]).toEqual([url, 'ENOTFOUND']);
    }
  });

  it('asks for a password at Redis and at the registry, and shows none to who lists processes', async () => {
    expect(await asks('worker', 'http://registry:5000/v2/_catalog')).toMatch(/^401 /);
    expect((await fetch(`http://127.0.0.1:${house.ports.registry}/v2/_catalog`)).status).toBe(401);
    expect(await house.inside('redis', 'redis-cli', 'keys', '*')).toContain('NOAUTH');
    const secrets = [
      new URL(await house.secret('keys/redis-url')).password,
      await house.secret('keys/registry-password'),
      await house.secret('admin-token'),
    ];
    for (const part of PARTS) {
      for (const id of await house.containers(part)) {
        const shown = [...(await docker('inspect', id)), ...(await docker('top', id, '-eo', 'pid,args'))].join('\n');
        for (const secret of secrets) expect([part, shown.includes(secret)]).toEqual([part, false]);
      }
    }
  });

  it('passes its own audit', async () => {
    const said = await house
      .inside('worker', 'treehouse', 'audit', '--json')
      .catch((error: { stdout: string }) => error.stdout);
    const { findings, containers } = JSON.parse(said) as { containers: number; findings: Finding[] };
    expect(containers).toBeGreaterThanOrEqual(2);
    const ours = [
      'own-parts',
      'engine-seen',
      'api-reached',
      'home-mode',
      'key-modes',
      'config-mode',
      'redis-loopback',
      'registry-loopback',
    ];
    const shares = (one: Finding) => one.subject.name === label && one.rule === 'shared-network';
    expect(findings.filter((one) => (ours.includes(one.rule) && one.severity !== 'info') || shares(one))).toEqual([]);
  });

  it('is replaced part by part, and nobody who visits or delivers is told no', async () => {
    const port = house.ports.http;
    const secret = await house.secret('webhook-secret');
    const deliver = () => {
      const { body, headers } = signed('push', pushPayload(repository, 'topic'), secret);
      const delivery = { path: '/webhooks/github', body: String(body), headers: { ...headers } };
      return ask(port, { host: ADMIN, method: 'POST', ...delivery });
    };
    const host = `${label}.preview.localhost`;
    const load = steadyLoad({ port, host, visitors: 3, perSecond: 10, deliver });
    for (const part of ['serve', 'worker', 'gateway']) {
      const before = await house.containers(part);
      const scale = part === 'worker' ? ['--scale', 'worker=2'] : [];
      await house.compose('up', '-d', '--no-build', '--no-deps', '--force-recreate', ...scale, '--wait', part);
      const after = await house.containers(part);
      expect([part, after.length, after.filter((one) => before.includes(one))]).toEqual([part, before.length, []]);
    }
    await repo.commit(page('third'));
    await push('topic');
    expect(await pushed()).toBe(202);
    await serves('third');
    const { deliveries, visits } = await load.end();
    expect(deliveries.filter((one) => one !== 202)).toEqual([]);
    expect(visits.filter((one) => one !== 200)).toEqual([]);
  });

  it('takes the preview down with its branch', async () => {
    await push(':refs/heads/topic');
    expect(await pushed(true)).toBe(202);
    await until(
      'nothing of it runs',
      async () => (await docker('ps', '-aq', '--filter', `label=treehouse.preview=${label}`)).length === 0,
    );
    await until(
      'its networks are gone',
      async () => (await docker('network', 'ls', '-q', '--filter', `label=treehouse.preview=${label}`)).length === 0,
    );
    expect((await look()).body).not.toContain('second');
    const said = await house.compose('logs', '--no-log-prefix', 'docker-socket-proxy');
    // What was asked above, and nothing by Treehouse.
    expect(said.match(/ refused: /g)?.length ?? 0).toBe(6);
  });
});
