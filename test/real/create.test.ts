/** Containers made by the engine's API are what `docker compose create` makes of the same model. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectEngine } from '../../src/adapters/engine.ts';
import { containerMaker } from '../../src/adapters/engine-create.ts';
import { composeFile, type ServiceInstance } from '../../src/domain/compose-file.ts';
import { DEFAULT_LIMITS } from '../../src/domain/isolation.ts';
import { LABEL } from '../../src/domain/labels.ts';
import { type BuildId, branchName, type Commit, previewId, repositoryName } from '../../src/domain/names.ts';
import type { Stack } from '../../src/domain/stack.ts';
import { policyOf } from '../../src/policy/policy.ts';
import { type Court, openCourt } from '../support/judge.ts';

const run = promisify(execFile);
const docker = connectEngine(undefined);
const maker = containerMaker(docker);
/** With all that an admin may allow. */
const WIDE = policyOf({
  keys: { 'service.devices': 'allow', 'service.sysctls': 'allow' },
  capabilities: ['SYS_PTRACE'],
  limits: DEFAULT_LIMITS,
});
const RUN = `made${randomBytes(4).toString('hex')}`;
const SECCOMP = fileURLToPath(new URL('../../templates/isolation/seccomp.json', import.meta.url));
const filters = JSON.stringify({ label: [`${LABEL.instance}=${RUN}`] });

let court: Court;
let folder: string;
beforeAll(async () => {
  court = await openCourt();
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-create-'));
  await mkdir(path.join(folder, 'conf $x'));
  await writeFile(path.join(folder, 'conf $x', 'a'), 'a');
  for (const name of ['one', 'two'])
    await docker.createNetwork({ Name: `${RUN}-${name}`, Labels: { [LABEL.instance]: RUN } });
});
afterEach(clean);
afterAll(async () => {
  for (const one of await docker.listNetworks({ filters })) await docker.getNetwork(one.Id).remove();
  await rm(folder, { recursive: true, force: true });
  await court?.close();
});

async function clean(): Promise<void> {
  for (const one of await docker.listContainers({ all: true, filters }))
    await docker.getContainer(one.Id).remove({ force: true, v: true });
  for (const one of (await docker.listVolumes({ filters })).Volumes) await docker.getVolume(one.Name).remove();
}

/** The model that Treehouse makes of a service, as the branch's file has it. */
async function modelOf(service: object, more: object = {}): Promise<Record<string, unknown>> {
  const file = { services: { web: { image: 'busybox', ...service } }, ...more };
  const verdict = await court.judge({ 'compose.yaml': JSON.stringify(file), 'conf $x/a': 'a' }, WIDE);
  expect(
    verdict.lines.filter((line) => line.includes('refused')),
    verdict.lines.join('\n'),
  ).toEqual([]);
  const stack = verdict.stack as Stack;
  expect(stack, verdict.lines.join('\n')).toBeDefined();
  const branch = branchName('main');
  const instance: ServiceInstance = {
    service: stack.services[0] ?? expect.fail('no service'),
    image: 'busybox',
    config: 'c',
    reserved: ['VIRTUAL_PORT'],
    virtual: { label: 'main--shop', host: 'main--shop.preview.localhost', port: 80 },
  };
  return composeFile({
    instance: RUN,
    preview: { id: previewId('shop', branch), repository: repositoryName('acme/shop'), branch },
    build: 'b1' as BuildId,
    commit: 'a'.repeat(40) as Commit,
    role: 'app',
    services: [instance],
    checkout: folder,
    networks: new Map(Object.keys(stack.networks).map((key, index) => [key, `${RUN}-${index === 0 ? 'one' : 'two'}`])),
    volumeName: (key) => `${RUN}_${key}`,
    seccomp: SECCOMP,
  });
}

async function byCompose(model: unknown): Promise<void> {
  const plugin = path.join(folder, 'plugin.json');
  await writeFile(plugin, JSON.stringify(model));
  await run('docker', [
    'compose',
    '-p',
    RUN,
    '--project-directory',
    folder,
    '-f',
    plugin,
    'create',
    '--no-build',
    '--pull',
    'never',
  ]);
}

/** All that the engine says of the container, less what is of the one making. */
async function told(): Promise<object> {
  const [found, ...others] = await docker.listContainers({ all: true, filters });
  expect(others).toEqual([]);
  const info = await docker.getContainer(found?.Id ?? '').inspect();
  // Whether a terminal is attached while it starts is of the one asking, too.
  const { Hostname, Image: _image, AttachStdout: _out, AttachStderr: _err, ...config } = info.Config;
  return {
    name: info.Name,
    config: {
      ...config,
      ...given(Hostname, info.Id),
      Labels: ours(config.Labels),
      Env: [...(config.Env ?? [])].sort(),
    },
    host: {
      ...hostOf(info.HostConfig),
      NetworkMode: (await docker.getNetwork(info.HostConfig.NetworkMode ?? '').inspect()).Name,
    },
    mounts: info.Mounts.map(({ Source: _source, ...one }) => one).sort(by('Destination')),
    networks: Object.fromEntries(
      await Promise.all(
        Object.entries(info.NetworkSettings.Networks).map(async ([name, one]) => [
          (await docker.getNetwork(name).inspect()).Name,
          named(one.Aliases ?? [], info.Id),
        ]),
      ),
    ),
    volumes: (await docker.listVolumes({ filters })).Volumes.map((one) => [one.Name, ours(one.Labels)]).sort(),
  };
}

function given(hostname: string, id: string): object {
  return id.startsWith(hostname) ? {} : { Hostname: hostname };
}

function ours(labels: Readonly<Record<string, string>>): object {
  const compose = ['project', 'service', 'container-number', 'oneoff', 'volume'].map(
    (one) => `com.docker.compose.${one}`,
  );
  return Object.fromEntries(
    Object.entries(labels).filter(([key]) => !key.startsWith('com.docker') || compose.includes(key)),
  );
}

/** Nothing, null and none are one to the engine; mounts come twice, and are compared above. */
function hostOf(host: Docker.ContainerInspectInfo['HostConfig']): object {
  const { Binds: _binds, Mounts: _mounts, ConsoleSize: _size, ...rest } = host as unknown as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(rest)
      .filter(([, value]) => value !== null && JSON.stringify(value) !== '[]' && JSON.stringify(value) !== '{}')
      .map(([key, value]) => [key, Array.isArray(value) ? [...value].sort(by('Name')) : value]),
  );
}

function by(key: string): (a: unknown, b: unknown) => number {
  const of = (one: unknown) => String((one as Record<string, unknown>)[key] ?? one);
  return (a, b) => (of(a) < of(b) ? -1 : 1);
}

/** The service's names there; Compose adds the key, the container's name and its id, which nobody asks for. */
function named(aliases: readonly string[], id: string): string[] {
  return aliases.filter((one) => !id.startsWith(one) && !one.endsWith('web-b1') && !one.endsWith('web-b1-1')).sort();
}

const CHECK = { interval: '1m30s', timeout: '500ms', retries: 4, start_period: '1h2m3s' };
const CASES: readonly [what: string, service: object, more?: object][] = [
  ['next to nothing', {}],
  ['a command and an entrypoint', { command: ['a $$b', '"c"'], entrypoint: ['sh', '-c', 'echo $$0 $$$$'] }],
  ['an entrypoint that is emptied', { entrypoint: [], command: [] }],
  ['variables', { environment: { A: '1', EMPTY: '', MONEY: '$$5 $$$$6', LINES: 'a\nb' } }],
  ['a user, a folder and names', { user: '1000:1000', working_dir: '/w', hostname: 'h', domainname: 'd.example' }],
  ['a terminal', { tty: true, stdin_open: true }],
  ['how it stops', { stop_signal: 'SIGINT', stop_grace_period: '1m5s' }],
  ['no init', { init: false }],
  ['a restart policy', { restart: 'on-failure:3' }],
  ['another', { restart: 'always' }],
  ['a health check of a shell', { healthcheck: { test: 'wget $$URL', ...CHECK } }],
  ['a health check of arguments', { healthcheck: { test: ['CMD', 'true'], ...CHECK } }],
  ["the image's health check, at another pace", { healthcheck: { interval: '7s' } }],
  ['no health check', { healthcheck: { disable: true } }],
  ['no health check, said otherwise', { healthcheck: { test: ['NONE'] } }],
  ['name servers', { dns: ['10.0.0.1', '10.0.0.2'], dns_opt: ['ndots:1'], dns_search: ['example.org'] }],
  ['hosts', { extra_hosts: ['a.example:10.0.0.3', 'b.example=10.0.0.4', 'c.example:::1'] }],
  ['groups', { group_add: ['mail', '12'] }],
  ['capabilities', { cap_drop: ['ALL'], cap_add: ['NET_BIND_SERVICE', 'CHOWN'] }],
  ['a capability that an admin gives', { cap_add: ['SYS_PTRACE'] }],
  ['devices', { devices: ['/dev/fuse', '/dev/null:/dev/nothing:r'] }],
  ['sysctls', { sysctls: { 'net.core.somaxconn': 1024, 'net.ipv4.ip_unprivileged_port_start': '80' } }],
  ['a read-only root', { read_only: true, tmpfs: ['/cache:size=1m'] }],
  [
    'limits',
    {
      mem_limit: '100m',
      cpus: 0.5,
      pids_limit: 20,
      shm_size: '32m',
      ulimits: { nofile: 100, memlock: { soft: 1, hard: 2 } },
    },
  ],
  ['labels', { labels: { price: '$$5', 'a.b': 'c' } }],
  ['a volume, read-only', { volumes: ['data:/data:ro', 'logs:/logs'] }, { volumes: { data: {}, logs: {} } }],
  ['a volume without a name', { volumes: ['/anonymous'] }],
  ['a file of the repository', { volumes: ['./conf $$x/a:/a:ro'] }],
  [
    'two networks, with other names',
    { networks: { front: { aliases: ['x.y'] }, back: {} } },
    { networks: { front: {}, back: {} } },
  ],
];

describe('a container that the engine is asked for is what compose makes', () => {
  it.each(CASES)('with %s', async (_what, service, more) => {
    const model = await modelOf(service, more);
    await byCompose(model);
    const wanted = await told();
    await clean();
    await maker.create({ project: RUN, model });
    expect(await told()).toEqual(wanted);
  });
});

describe('making containers', () => {
  it('leaves them where docker compose finds its project', async () => {
    await maker.create({ project: RUN, model: await modelOf({ command: ['sleep', '60'] }) });
    const { stdout } = await run('docker', ['compose', '-p', RUN, 'ps', '--all', '--format', '{{.Name}}']);
    expect(stdout.trim()).toBe(`${RUN}-web-b1-1`);
  });

  it('makes what stands beside others of the project', async () => {
    const model = await modelOf({});
    await maker.create({ project: RUN, model });
    const { 'web-b1': web } = model.services as Record<string, object>;
    await maker.create({ project: RUN, model: { ...model, services: { 'web-b2': web } } });
    const names = (await docker.listContainers({ all: true, filters })).flatMap((one) => one.Names);
    expect(names.sort()).toEqual([`/${RUN}-web-b1-1`, `/${RUN}-web-b2-1`]);
  });

  it.each([
    ['an image that is not there is never pulled', { image: `${RUN}/none:1` }, /No such image/],
    [
      'a file that is not there is never made',
      {
        volumes: [
          { type: 'bind', source: `/${RUN}`, target: '/x', read_only: true, bind: { create_host_path: false } },
        ],
      },
      /bind source path does not exist/,
    ],
  ])('%s, and it is said', async (_what, change, words) => {
    const model = await modelOf({});
    const { 'web-b1': web } = model.services as Record<string, object>;
    const making = maker.create({ project: RUN, model: { ...model, services: { 'web-b1': { ...web, ...change } } } });
    await expect(making).rejects.toMatchObject({ code: 'start-failed', message: expect.stringMatching(words) });
    expect(await docker.listContainers({ all: true, filters })).toEqual([]);
  });

  it('refuses a model of which it does not know every word', async () => {
    const model = await modelOf({});
    const { 'web-b1': web } = model.services as Record<string, object>;
    const making = maker.create({
      project: RUN,
      model: { ...model, services: { 'web-b1': { ...web, privileged: true } } },
    });
    await expect(making).rejects.toThrow(/privileged/);
    expect(await docker.listContainers({ all: true, filters })).toEqual([]);
  });
});
