/** The audit against the real engine and this host: bad containers, a good one, an open API, loose files. All carry this run's label. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectEngine } from '../../src/adapters/engine.ts';
import { engineAudit } from '../../src/adapters/engine-audit.ts';
import { hostAudit } from '../../src/adapters/host-audit.ts';
import { hasWalls } from '../../src/adapters/host-walls.ts';
import { auditCommand } from '../../src/audit/command.ts';
import { isUnseen, type Settings } from '../../src/audit/facts.ts';
import type { Finding } from '../../src/audit/grade.ts';
import { CAPABILITIES } from '../../src/domain/isolation.ts';
import { LABEL } from '../../src/domain/labels.ts';
import { GOOD } from '../support/audit.ts';

const RUN = randomBytes(4).toString('hex');
const INSTANCE = `audit-${RUN}`;
const IMAGE = 'busybox:latest';
const GOOD_IMAGE = `treehouse-audit-test/good:${RUN}`;
const LEAKY_IMAGE = `treehouse-audit-test/leaky:${RUN}`;
/** Never to be seen in any output. */
const VALUES = {
  password: `pw-${randomBytes(9).toString('hex')}`,
  url: `postgres://ada:url-${RUN}@db/shop`,
  random: randomBytes(32).toString('hex'),
  argument: `arg-${RUN}-x`,
  image: `img-${RUN}-x`,
};
const SECCOMP = fileURLToPath(new URL('../../templates/isolation/seccomp.json', import.meta.url));

const docker = connectEngine(undefined);
let home: string;
let settings: Settings;
let text: string;
let json: string;
let findings: readonly Finding[];

const labels = (preview: string, service: string) => ({
  [LABEL.instance]: INSTANCE,
  [LABEL.preview]: `${preview}--audit-${RUN}`,
  [LABEL.service]: service,
  [LABEL.role]: 'app',
});

async function run(preview: string, service: string, options: Docker.ContainerCreateOptions): Promise<void> {
  const made = await docker.createContainer({
    name: `${INSTANCE}-${preview}-${service}`,
    Image: IMAGE,
    Cmd: ['sleep', '600'],
    ...options,
    Labels: labels(preview, service),
  });
  await made.start();
}

async function network(name: string): Promise<string> {
  const made = await docker.createNetwork({
    Name: `${INSTANCE}-${name}`,
    Driver: 'bridge',
    Labels: { [LABEL.instance]: INSTANCE },
  });
  return made.id;
}

/** What the verb prints for this home. */
async function audit(...args: string[]): Promise<{ readonly out: string; readonly code: number }> {
  const said: string[] = [];
  let code = 0;
  const program = new Command('treehouse').exitOverride();
  auditCommand(program, {
    config: () => settings,
    configFile: () => path.join(home, 'treehouse.yml'),
    engine: async () => engineAudit(docker),
    host: () => hostAudit({ searchPath: process.env.PATH ?? '' }),
    print: (one) => said.push(one),
    terminal: { colours: false, columns: Number.POSITIVE_INFINITY },
    now: Date.now,
    exit: (given) => {
      code = given;
    },
  });
  await program.parseAsync(['audit', ...args], { from: 'user' });
  return { out: said.join('\n'), code };
}

function of(preview: string, service: string): string[] {
  return findings
    .filter((one) => one.subject.name === `${preview}--audit-${RUN}` && one.subject.part === service)
    .map((one) => `${one.severity} ${one.rule}`)
    .sort();
}

function said(rule: string, service: string): string | undefined {
  return findings.find(
    (one) => one.rule === rule && one.subject.part === service && one.subject.name.endsWith(`--audit-${RUN}`),
  )?.found;
}

const LIMITS = { Memory: 32 * 1024 ** 2, MemorySwap: 32 * 1024 ** 2, NanoCpus: 100_000_000, PidsLimit: 32 };
const HEALTH = { Test: ['CMD', 'true'], Interval: 60_000_000_000 };

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'treehouse-audit-'));
  await chmod(home, 0o755);
  await mkdir(path.join(home, 'secrets'), { mode: 0o700 });
  await writeFile(path.join(home, 'admin-token'), VALUES.password, { mode: 0o600 });
  await writeFile(path.join(home, 'secrets', 'key'), VALUES.random, { mode: 0o644 });
  await writeFile(path.join(home, 'treehouse.yml'), '', { mode: 0o644 });
  const build = path.join(home, 'builds', `bad--audit-${RUN}`, 'b1');
  await mkdir(path.join(build, 'api'), { recursive: true });
  await writeFile(
    path.join(build, 'Dockerfile'),
    `ARG V=1\nFROM node AS build\nFROM build\nFROM base:$V\nFROM redis:7@sha256:${'0'.repeat(64)}\n`,
  );
  await symlink('/etc/passwd', path.join(build, 'api', 'Dockerfile'));
  settings = { ...GOOD.settings, home, repositories: [{ name: 'acme/shop' }] };

  const [front, shared] = [await network('front'), await network('shared')];
  await docker.getImage(IMAGE).tag({ repo: 'treehouse-audit-test/good', tag: RUN });
  const base = await docker.createContainer({
    Image: IMAGE,
    Cmd: ['true'],
    Labels: { [LABEL.instance]: INSTANCE },
  });
  await base.commit({
    repo: 'treehouse-audit-test/leaky',
    tag: RUN,
    changes: `ENV BAKED_TOKEN=${VALUES.image}\nLABEL ${LABEL.instance}=${INSTANCE}`,
  });
  await base.remove();

  await run('bad', 'host', {
    Env: [`PASSWORD=${VALUES.password}`, `DATABASE_URL=${VALUES.url}`, `SALT=${VALUES.random}`, 'GREETING=hello'],
    HostConfig: {
      Privileged: true,
      NetworkMode: 'host',
      PidMode: 'host',
      IpcMode: 'host',
      RestartPolicy: { Name: 'always' },
      Binds: [`${home}:/x`, '/var/run/docker.sock:/var/run/docker.sock'],
    },
  });
  await run('bad', 'loose', {
    Image: LEAKY_IMAGE,
    Cmd: ['sh', '-c', 'sleep 600 & httpd -f -p 8080; true', '--password', VALUES.argument],
    HostConfig: {
      SecurityOpt: ['seccomp=unconfined'],
      CapAdd: ['SYS_ADMIN'],
      PortBindings: { '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
      LogConfig: { Type: 'none', Config: {} },
      Mounts: [
        {
          Type: 'volume',
          Source: `${INSTANCE}-etc`,
          Target: '/etc-of-host',
          ReadOnly: true,
          VolumeOptions: {
            NoCopy: true,
            Labels: { [LABEL.instance]: INSTANCE },
            DriverConfig: { Name: 'local', Options: { type: 'none', o: 'bind', device: '/etc' } },
          },
        },
      ],
    },
  });
  await run('bad', 'near', { HostConfig: { ...LIMITS, NetworkMode: shared } });
  await run('other', 'near', { HostConfig: { ...LIMITS, NetworkMode: shared } });
  await run('good', 'web', {
    Image: GOOD_IMAGE,
    User: '1000:1000',
    Healthcheck: HEALTH,
    Env: ['PASSWORD_FILE=/run/secrets/PASSWORD', 'PORT=8080'],
    HostConfig: {
      ...LIMITS,
      Init: true,
      NetworkMode: front,
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': 'size=1m' },
      CapDrop: ['ALL'],
      CapAdd: [...CAPABILITIES],
      SecurityOpt: ['no-new-privileges:true', `seccomp=${JSON.stringify((await import(SECCOMP)).default)}`],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } },
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 5 },
    },
  });
  // The shell of `loose` starts its second program in its own time.
  await vi.waitFor(
    async () => {
      const top = await docker.getContainer(`${INSTANCE}-bad-loose`).top();
      expect(top.Processes.length).toBeGreaterThan(2);
    },
    { timeout: 10_000 },
  );
  ({ out: text } = await audit());
  ({ out: json } = await audit('--json'));
  findings = (JSON.parse(json) as { findings: Finding[] }).findings;
});

afterAll(async () => {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${INSTANCE}`] });
  for (const one of await docker.listContainers({ all: true, filters })) {
    await docker.getContainer(one.Id).remove({ force: true, v: true });
  }
  for (const one of await docker.listNetworks({ filters })) await docker.getNetwork(one.Id).remove();
  for (const one of (await docker.listVolumes({ filters })).Volumes) await docker.getVolume(one.Name).remove();
  for (const name of [GOOD_IMAGE, LEAKY_IMAGE])
    await docker
      .getImage(name)
      .remove()
      .catch(() => undefined);
  await rm(home, { recursive: true, force: true });
});

describe('a container', () => {
  it('that is the host’s root in all but name is told so', () => {
    expect(of('bad', 'host')).toEqual(
      expect.arrayContaining([
        'fail caps-added',
        'fail memory',
        'fail namespaces',
        'fail pids',
        'fail privileged',
        'fail seccomp',
        'fail sensitive-mount',
        'fail socket-mount',
        'info read-only-root',
        'info restart',
        'warn cpu',
        'warn health-check',
        'warn log-bounded',
        'warn no-new-privileges',
        'warn secret-variable',
        'warn user-root',
        'warn writable-bind',
      ]),
    );
    expect(said('namespaces', 'host')).toBe(
      "it is in the host's network namespace, the host's pid namespace, the host's ipc namespace",
    );
    expect(said('secret-variable', 'host')).toBe(
      'PASSWORD (by its name), DATABASE_URL (its value is a URL with a password), SALT (its value is as random as a key)',
    );
    expect(said('writable-bind', 'host')).toContain(`${home} at /x`);
  });

  it('that is loose in other ways, too', () => {
    expect(of('bad', 'loose')).toEqual(
      expect.arrayContaining([
        'fail caps-added',
        'fail secret-in-image',
        'fail seccomp',
        'info published-ports',
        'warn caps-kept',
        'warn default-network',
        'warn log-bounded',
        'warn one-process',
        'warn secret-argument',
        'warn sensitive-mount',
      ]),
    );
    expect(said('one-process', 'loose')).toBe('2 of them: sleep, httpd');
    expect(said('sensitive-mount', 'loose')).toBe('/etc at /etc-of-host');
    expect(said('secret-in-image', 'loose')).toBe('who has the image has BAKED_TOKEN (by its name)');
    expect(said('secret-argument', 'loose')).toBe('its command has password');
    expect(of('bad', 'loose')).not.toContain('warn secret-variable');
  });

  it('that shares a network with another preview, too', () => {
    expect(said('shared-network', 'near')).toMatch(/it shares a network with the preview (?:bad|other)--audit-/);
  });

  it('that is as it should be has nothing said of it', () => {
    // How old busybox is here, nobody chose.
    expect(of('good', 'web').filter((one) => !one.endsWith('image-age'))).toEqual([]);
    expect(json).toContain(`bad--audit-${RUN}`);
  });
});

describe('the report', () => {
  it('holds no value of a secret, in text or JSON', () => {
    for (const value of [...Object.values(VALUES), `url-${RUN}`]) {
      expect(text).not.toContain(value);
      expect(json).not.toContain(value);
    }
    expect(text).toContain('DATABASE_URL');
  });

  it('says of each finding what to do, and ends with 1', async () => {
    expect(text.match(/→/g)?.length).toBeGreaterThan(20);
    expect((await audit()).code).toBe(1);
  });

  it('is of the engine as it is', () => {
    const rules = findings.filter((one) => one.subject.kind === 'host').map((one) => one.rule);
    for (const never of ['engine-seen', 'seccomp-engine', 'api-exposed', 'socket-mode'])
      expect(rules).not.toContain(never);
    expect(findings.some((one) => one.rule === 'image-scan' && one.subject.name === 'acme/shop')).toBe(true);
  });

  it('is of the home: its modes, and what its Dockerfiles begin from, no link followed', () => {
    const found = (rule: string) => findings.find((one) => one.rule === rule)?.found;
    expect(found('home-mode')).toBe(`${home} is 0755`);
    expect(found('key-modes')).toBe(`in ${home}: secrets/key (0644)`);
    expect(found('config-mode')).toBeUndefined();
    const bases = findings.filter((one) => one.rule === 'base-tag' || one.rule === 'base-digest');
    expect(bases.map((one) => `${one.subject.part}: ${one.found}`)).toEqual([
      'Dockerfile: FROM node is whatever came last',
      'Dockerfile: FROM node may be another image tomorrow',
    ]);
  });

  it('comes where no engine answers', async () => {
    const away = connectEngine('unix:///nonexistent/docker.sock');
    await expect(engineAudit(away).observe()).rejects.toMatchObject({ code: 'engine-away' });
  });
});

describe('the host', () => {
  it('that lets the engine’s API be reached by TCP is found out by asking it', async () => {
    // The real engine, behind a port of loopback.
    const door = createServer((socket) => {
      const engine = connect('/var/run/docker.sock');
      socket.pipe(engine).pipe(socket);
      for (const one of [socket, engine]) one.on('error', () => one.destroy());
    });
    const mute = createServer((socket) => socket.on('error', () => undefined));
    const ports = await Promise.all(
      [door, mute].map(
        (server) =>
          new Promise<number>((resolve) => {
            server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
          }),
      ),
    );
    try {
      const host = hostAudit({ searchPath: process.env.PATH ?? '', apiPorts: ports });
      const facts = await host.observe(settings, '/var/lib/docker');
      expect(facts.plainApi).toEqual([{ address: '127.0.0.1', port: ports[0] }]);
      expect(facts.listeners).toEqual(expect.arrayContaining([{ address: '127.0.0.1', port: ports[1] }]));
    } finally {
      door.close();
      mute.close();
    }
  });

  it('is read as its files say', async () => {
    const root = await mkdtemp(path.join(tmpdir(), 'treehouse-audit-root-'));
    try {
      for (const folder of ['proc/net', 'etc', 'run']) await mkdir(path.join(root, folder), { recursive: true });
      const line = (address: string, state: string) => `  0: ${address} 0:0 ${state} 0:0 0:0 0 0 0 1`;
      await writeFile(
        path.join(root, 'proc/net/tcp'),
        ['sl', line('0100007F:0FA0', '0A'), line('00000000:0016', '0A'), line('0100007F:0FA1', '01')].join('\n'),
      );
      await writeFile(
        path.join(root, 'proc/net/tcp6'),
        [
          line('00000000000000000000000000000000:1F90', '0A'),
          line('00000000000000000000000001000000:1F91', '0A'),
          line('0000000000000000FFFF00000100007F:1F92', '0A'),
          line('000080FE00000000FF005450B6AD1DFE:1F93', '0A'),
        ].join('\n'),
      );
      await writeFile(path.join(root, 'proc/cpuinfo'), 'flags : fpu sse2\n');
      await writeFile(path.join(root, 'run/reboot-required'), '');
      const facts = await hostAudit({ searchPath: '', root, apiPorts: [] }).observe(settings, undefined);
      expect(facts.listeners).toEqual([
        { address: '127.0.0.1', port: 4000 },
        { address: '0.0.0.0', port: 22 },
        { address: '::', port: 8080 },
        { address: '::1', port: 8081 },
        { address: '::ffff:127.0.0.1', port: 8082 },
        { address: 'fe80::5054:ff:fe1d:adb6', port: 8083 },
      ]);
      expect(facts.virtual).toBe(false);
      expect(facts.kernel.restartWaits).toBe(true);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  it('is seen as it is', async () => {
    const facts = await hostAudit({ searchPath: process.env.PATH ?? '' }).observe(settings, '/var/lib/docker');
    expect(facts.socket).toMatchObject({ path: '/var/run/docker.sock', uid: 0 });
    expect(facts.disks.map((one) => one.space > 0 && one.space < 1)).toEqual([true, true]);
    expect(isUnseen(facts.listeners)).toBe(false);
  });

  it('has its walls where both chains are led into', () => {
    const refused = [
      '-A TREEHOUSE-FORWARD -o th+ -j DROP',
      '-A TREEHOUSE-FORWARD -d 169.254.0.0/16 -j DROP',
      '-A TREEHOUSE-BUILD -d 169.254.0.0/16 -j DROP',
    ];
    const filter = [
      '-A INPUT -i th+ -j TREEHOUSE-INPUT',
      '-A TREEHOUSE-INPUT -j DROP',
      '-A DOCKER-USER -i th+ -j TREEHOUSE-FORWARD',
      '-A DOCKER-USER -i docker0 -j TREEHOUSE-BUILD',
      ...refused,
    ];
    const security = ['-A FORWARD -i th+ -j TREEHOUSE-FORWARD', '-A FORWARD -i docker0 -j TREEHOUSE-BUILD', ...refused];
    const saved = (first: readonly string[], second: readonly string[]) =>
      ['*filter', ...first, 'COMMIT', '*security', ...second, 'COMMIT', ''].join('\n');
    expect(hasWalls(saved(filter, security))).toBe(true);
    const without = (one: string, rules: readonly string[]) => rules.filter((rule) => rule !== one);
    for (const one of filter) expect(hasWalls(saved(without(one, filter), security)), one).toBe(false);
    for (const one of security) expect(hasWalls(saved(filter, without(one, security))), one).toBe(false);
  });
});
