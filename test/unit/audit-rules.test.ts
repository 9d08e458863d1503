/** Every rule of the audit: what it finds, and that it finds nothing where all is well. */
import { describe, expect, it } from 'vitest';
import type { Facts } from '../../src/audit/facts.ts';
import { gradeFacts, isReached } from '../../src/audit/grade.ts';
import { containerRules, DOCKERFILE_RULES, HOST_RULES, REPOSITORY_RULES } from '../../src/audit/rules.ts';
import {
  GOOD,
  GOOD_CONTAINER,
  GOOD_ENGINE,
  NOW,
  withContainer,
  withEngine,
  withHome,
  withHost,
  withImage,
  withSettings,
} from '../support/audit.ts';

const DAY = 86_400_000;
const bind = (source: string, writable = false) => ({
  mounts: [{ type: 'bind', source, target: '/x', writable }],
});
const networks = (name: string, previews: string[] = [], strangers: string[] = []) => ({
  networks: [{ name, previews, strangers }],
});
const processes = (...rows: [number, number, string][]) => ({
  processes: rows.map(([pid, parent, program]) => ({ pid, parent, program })),
});
const repository = (more: object) => withSettings({ repositories: [{ name: 'acme/shop', ...more }] });
const rules = { images: { registries: ['docker.io'] } };
const gate = { scan: { by: 'trivy', mode: 'gate' } };
const dockerfile = (...bases: string[]) =>
  withHome({ dockerfiles: [{ preview: 'main--shop', path: 'Dockerfile', bases }] });

/** `severity rule`, and words of what it says. */
const fires: readonly (readonly [string, Facts, string])[] = [
  ['fail engine-seen', { ...GOOD, engine: { unseen: 'nobody listens' } }, 'nobody listens'],
  ['fail engine-version', withEngine({ version: '20.10.24' }), '20.10.24'],
  ['warn engine-version', withEngine({ version: '26.1.5' }), 'Docker mends that line no more'],
  ['info engine-version', withEngine({ version: '26.1.5+dfsg1' }), 'the distribution does'],
  ['warn engine-age', withEngine({ built: NOW - 400 * DAY }), 'built 400 days ago'],
  ['fail kernel-version', withHost({ kernel: { ...GOOD.host.kernel, release: '3.10.0-1160' } }), '3.10.0'],
  ['warn kernel-version', withHost({ kernel: { ...GOOD.host.kernel, release: '5.4.0-100-generic' } }), '5.4.0'],
  ['warn kernel-age', withHost({ kernel: { ...GOOD.host.kernel, built: NOW - 500 * DAY } }), '500 days'],
  ['warn kernel-restart', withHost({ kernel: { ...GOOD.host.kernel, restartWaits: true } }), 'waits for a restart'],
  ['warn userns-remap', withEngine({ securityOptions: ['name=apparmor', 'name=seccomp'] }), "host's root"],
  ['fail seccomp-engine', withEngine({ securityOptions: ['name=apparmor', 'name=userns'] }), 'no seccomp'],
  [
    'fail seccomp-engine',
    withEngine({ securityOptions: ['name=apparmor', 'name=userns', 'name=seccomp,profile=unconfined'] }),
    'default is to filter no',
  ],
  ['warn mandatory-access', withEngine({ securityOptions: ['name=seccomp', 'name=userns'] }), 'neither AppArmor'],
  ['fail cgroup-limits', withEngine({ limits: { ...GOOD_ENGINE.limits, memory: false } }), 'memory'],
  ['warn cgroup-limits', withEngine({ limits: { ...GOOD_ENGINE.limits, swap: false } }), 'swap'],
  ['info cgroup-v2', withEngine({ cgroupVersion: '1' }), 'version 1'],
  ['info live-restore', withEngine({ liveRestore: false }), 'all containers end'],
  ['fail api-exposed', withHost({ plainApi: [{ address: '0.0.0.0', port: 2375 }] }), 'at 0.0.0.0:2375'],
  ['fail api-exposed', withHost({ plainApi: [{ address: '::', port: 2375 }] }), 'at [::]:2375'],
  ['warn api-exposed', withHost({ plainApi: [{ address: '127.0.0.1', port: 2375 }] }), 'every user of this host'],
  ['fail api-reached', withSettings({ dockerHost: 'tcp://10.0.0.2:2375' }), 'at 10.0.0.2:2375'],
  ['info api-reached', withSettings({ dockerHost: 'tcp://127.0.0.1:2375' }), 'by TCP'],
  [
    'fail socket-mode',
    withHost({ socket: { path: '/s', uid: 0, mode: 0o666, group: 'docker', members: [] } }),
    'every user may use /s (0666)',
  ],
  [
    'fail socket-mode',
    withHost({ socket: { path: '/s', uid: 1000, mode: 0o660, group: 'docker', members: [] } }),
    'owned by the user 1000',
  ],
  [
    'warn docker-group',
    withHost({ socket: { path: '/s', uid: 0, mode: 0o660, group: 'docker', members: ['ada', 'bob'] } }),
    'group docker these are root here: ada, bob',
  ],
  ['info host-vm', withHost({ virtual: false }), 'nothing but the kernel'],
  ['info apart', withEngine({ others: [{ name: 'crm', privileged: false, mounts: [] }] }), 'crm'],
  ['warn other-containers', withEngine({ others: [{ name: 'ci', privileged: true, mounts: [] }] }), 'ci'],
  [
    'warn other-containers',
    withEngine({ others: [{ name: 'portainer', privileged: false, ...bind('/run/docker.sock') }] }),
    'portainer',
  ],
  [
    'fail own-parts',
    withEngine({
      others: [
        {
          ...{ name: 'treehouse-serve-1', privileged: false, mounts: [] },
          part: { name: 'serve', home: GOOD.settings.home, container: { ...GOOD_CONTAINER, mounts: [], user: '0' } },
        },
      ],
    }),
    'serve: it runs as root',
  ],
  ['fail insecure-registries', withEngine({ insecureRegistries: ['127.0.0.0/8', 'hub.acme:5000'] }), 'hub.acme:5000'],
  ['info central-logs', withEngine({ loggingDriver: 'json-file' }), 'json-file'],
  [
    'warn disk-space',
    withHost({ disks: [{ what: 'it', path: '/d', space: 0.1, inodes: 1, isRoot: false }] }),
    '10% of the space is free for it (/d)',
  ],
  [
    'fail disk-space',
    withHost({ disks: [{ what: 'it', path: '/d', space: 0.9, inodes: 0.02, isRoot: false }] }),
    '2% of the inodes',
  ],
  ['info disk-apart', withHost({ disks: [{ what: 'it', path: '/d', space: 1, inodes: 1, isRoot: true }] }), '/d'],
  ['fail home-mode', withHome({ folder: { mode: 0o755, uid: 0 } }), 'is 0755'],
  ['fail key-modes', withHome({ keys: [{ name: 'secrets/key', mode: 0o640, uid: 0 }] }), 'secrets/key (0640)'],
  ['fail key-modes', withHome({ keys: [{ name: 'admin-token', mode: 0o600, uid: 1000 }] }), 'of the user 1000'],
  ['fail config-mode', withHome({ config: { path: '/t.yml', mode: 0o664, uid: 0 } }), '/t.yml is 0664'],
  ['warn treehouse-listens', withSettings({ host: '0.0.0.0' }), 'set to listen on 0.0.0.0, port 4000'],
  ['warn treehouse-listens', withHost({ listeners: [{ address: '::', port: 4000 }] }), 'listens on [::]:4000'],
  ['info gateway-listens', withSettings({ gatewayHost: '0.0.0.0' }), 'port 8080'],
  ['warn gateway-tls', withSettings({ gatewayHost: '0.0.0.0' }), 'comes to 0.0.0.0'],
  [
    'fail tls-key-mode',
    {
      ...withSettings({ gatewayHost: '0.0.0.0', tls: { key: '/tls/key.pem' } }),
      home: { ...GOOD.home, tlsKey: { mode: 0o644, uid: 0 } },
    },
    '/tls/key.pem is 0644',
  ],
  ['fail redis-loopback', withHost({ listeners: [{ address: '0.0.0.0', port: 41_000 }] }), '0.0.0.0:41000'],
  ['fail redis-loopback', withSettings({ redisUrl: 'redis://db.acme:6379' }), 'without a password'],
  ['warn redis-loopback', withSettings({ redisUrl: 'redis://:x@db.acme:6379' }), 'without TLS'],
  ['fail registry-loopback', withHost({ listeners: [{ address: '0.0.0.0', port: 41_001 }] }), '0.0.0.0:41001'],
  ['warn registry-loopback', withSettings({ registry: 'hub.acme:5000' }), 'beyond this host'],
  ['fail walls', withSettings({ firewall: 'off' }), 'firewall is off'],
  ['fail walls', { ...withContainer({}), host: { ...GOOD.host, walls: false } }, 'absent while previews run'],
  ['warn egress', withSettings({ egress: 'all' }), 'private networks'],

  ['warn image-scan', repository(rules), 'no scanner'],
  ['info image-scan', repository({ ...rules, scan: { by: 'trivy', mode: 'report' } }), 'only reported'],
  ['info image-rules', repository(gate), 'from anywhere'],
  ['info image-rules', repository({ ...gate, images: { pin: 'require' } }), 'from anywhere'],

  ['warn base-tag', dockerfile('node', `redis:7@sha256:${'0'.repeat(64)}`), 'FROM node is whatever'],
  ['warn base-tag', dockerfile('node:latest'), 'FROM node:latest'],
  ['info base-digest', dockerfile('node:20-slim'), 'FROM node:20-slim may be'],

  ['fail privileged', withContainer({ privileged: true }), 'privileged'],
  ['info user-root', withContainer({ user: '0:0' }), 'though its image says USER app'],
  [
    'warn user-root',
    {
      ...GOOD,
      engine: {
        ...GOOD_ENGINE,
        securityOptions: ['name=seccomp', 'name=apparmor'],
        containers: [{ ...GOOD_CONTAINER, user: 'root' }],
      },
    },
    'it runs as root',
  ],
  ['info user-root', withImage({ user: '' }, { user: '' }), 'its image says no USER'],
  ['fail caps-added', withContainer({ capAdd: ['CAP_SYS_ADMIN'] }), 'SYS_ADMIN'],
  ['fail caps-added', withContainer({ privileged: true }), 'all capabilities'],
  ['warn caps-kept', withContainer({ capDrop: ['NET_RAW'], capAdd: [] }), 'AUDIT_WRITE, MKNOD'],
  ['warn no-new-privileges', withContainer({ securityOpt: ['seccomp={}'] }), 'setuid'],
  ['fail seccomp', withContainer({ securityOpt: ['no-new-privileges', 'seccomp=unconfined'] }), 'no system call'],
  ['info seccomp', withContainer({ securityOpt: ['no-new-privileges'] }), "engine's own profile"],
  ['warn apparmor', withContainer({ appArmorProfile: 'unconfined' }), 'switched off'],
  ['fail namespaces', withContainer({ networkMode: 'host', networks: [] }), "the host's network namespace"],
  ['fail namespaces', withContainer({ pidMode: 'container:x' }), "another container's pid namespace"],
  ['fail namespaces', withContainer({ usernsMode: 'host' }), "the host's user namespace"],
  ['fail namespaces', withContainer({ cgroupnsMode: 'host' }), "the host's cgroup namespace"],
  ['fail devices', withContainer({ devices: 2 }), '2 devices'],
  ['fail memory', withContainer({ memory: 0 }), 'all memory'],
  ['warn memory', withContainer({ memorySwap: -1 }), 'all swap'],
  ['warn cpu', withContainer({ cpu: false }), 'CPU'],
  ['fail pids', withContainer({ pids: 0 }), 'fork bomb'],
  ['fail pids', withContainer({ pids: -1 }), 'fork bomb'],
  ['fail oom-kill', withContainer({ oomKillDisabled: true }), 'not ended'],
  ['info read-only-root', withContainer({ readOnlyRoot: false }), 'whole file system'],
  ['fail socket-mount', withContainer(bind('/var/run/docker.sock')), '/var/run/docker.sock at /x'],
  ['fail socket-mount', withContainer(bind('/run/containerd/containerd.sock')), 'containerd.sock'],
  ['fail sensitive-mount', withContainer(bind('/', true)), '/ at /x'],
  ['warn sensitive-mount', withContainer(bind('/etc/ssl')), '/etc/ssl'],
  ['warn sensitive-mount', withContainer(bind('/var/run')), '/var/run'],
  ['warn sensitive-mount', withContainer(bind('/home/ada/.ssh')), '.ssh'],
  ['warn sensitive-mount', withContainer(bind('/srv/house/.treehouse/secrets')), 'secrets'],
  ['warn sensitive-mount', withContainer(bind('/srv/house')), '/srv/house'],
  ['warn sensitive-mount', withContainer(bind('/run/treehouse-0')), '/run/treehouse-0'],
  ['warn writable-bind', withContainer(bind('/data/x', true)), '/data/x at /x'],
  ['warn default-network', withContainer({ networkMode: 'default' }), 'every container'],
  ['warn default-network', withContainer(networks('bridge', ['other--shop'])), 'every container'],
  ['fail shared-network', withContainer(networks('n', ['other--shop'])), 'preview other--shop'],
  ['warn shared-network', withContainer(networks('n', [], ['proxy'])), 'with proxy'],
  ['warn published-ports', withContainer({ ports: [{ port: '80/tcp', address: '0.0.0.0' }] }), '80/tcp past'],
  ['info published-ports', withContainer({ ports: [{ port: '80/tcp', address: '127.0.0.1' }] }), 'on loopback'],
  ['warn health-check', withContainer({ hasHealthCheck: false }), 'whether it works'],
  ['info restart', withContainer({ restart: 'always' }), 'always'],
  [
    'warn one-process',
    withContainer(
      processes([100, 1, 'tini'], [101, 100, 'sh'], [102, 101, 'redis-server'], [103, 101, 'node'], [104, 103, 'node']),
    ),
    '2 of them: redis-server, node',
  ],
  [
    'warn secret-variable',
    withContainer({ secretVariables: [{ name: 'PASSWORD', why: 'by its name' }] }),
    'PASSWORD (by its name)',
  ],
  ['warn secret-argument', withContainer({ secretArguments: ['token'] }), 'token'],
  ['fail secret-in-image', withImage({ secrets: [{ name: 'API_KEY', why: 'by its name' }] }), 'API_KEY'],
  ['warn log-bounded', withContainer({ logOptions: {} }), 'grows'],
  ['warn log-bounded', withContainer({ logOptions: { 'max-size': '-1' } }), 'grows'],
  ['warn log-bounded', withContainer({ logDriver: 'none' }), 'thrown away'],
  ['warn image-tag', withImage({ isBuilt: false }, { imageName: 'redis' }), 'redis is whatever'],
  ['warn image-tag', withImage({ isBuilt: false }, { imageName: 'hub:5000/redis:latest' }), 'latest'],
  ['info image-tag', withImage({ isBuilt: false }, { imageName: 'redis:7' }), 'redis:7 is no digest'],
  ['warn image-age', withImage({ created: NOW - 200 * DAY }), '200 days'],
  ['info image-size', withImage({ size: 3 * 1024 ** 3 }), '3.0 GiB'],
];

/** What looks like it, and is well. */
const rests: readonly (readonly [string, Facts])[] = [
  ['no home yet', withHome({ folder: undefined, keys: [], config: undefined })],
  ['a rootless engine', withEngine({ securityOptions: ['name=rootless', 'name=seccomp', 'name=selinux'] })],
  ['a remote engine through a tunnel, without its socket', withHost({ socket: undefined })],
  [
    'a group that the socket does not heed',
    withHost({ socket: { path: '/s', uid: 0, mode: 0o600, group: 'd', members: ['ada'] } }),
  ],
  ['walls that wait for Treehouse, while nothing runs', withHost({ walls: false })],
  ['Redis by TLS with a password', withSettings({ redisUrl: 'rediss://:x@db.acme:6379' })],
  ['Redis by its socket', withSettings({ redisUrl: 'unix:/run/redis.sock' })],
  ['no registry', withSettings({ registry: 'none' })],
  ['a registry on loopback', withSettings({ registry: 'localhost:5000' })],
  ['a port of another program', withHost({ listeners: [{ address: '0.0.0.0', port: 443 }] })],
  ['rules and a gate', repository({ ...rules, ...gate })],
  ['a base by digest', dockerfile(`node:20@sha256:${'a'.repeat(64)}`)],
  ['a numbered user', withContainer({ user: '1000:0' })],
  ['all of the harmless capabilities', withContainer({ capAdd: ['FSETID', 'CAP_CHOWN', 'KILL'] })],
  ['a test without a health check', withContainer({ hasHealthCheck: false, role: 'test' })],
  ['the log driver that is bounded by itself', withContainer({ logDriver: 'local', logOptions: {} })],
  ['an image by digest', withImage({ isBuilt: false }, { imageName: `redis@sha256:${'a'.repeat(64)}` })],
  ['an image that no registry has', withImage({ isBuilt: false, hasDigest: false }, { imageName: 'own:1' })],
  [
    'an entrypoint, its program and workers, and a health check that runs beside',
    withContainer(
      processes([100, 1, 'docker-entrypoi'], [101, 100, 'postgres'], [102, 101, 'postgres'], [200, 1, 'pg_isready']),
    ),
  ],
  ['npm and node', withContainer(processes([100, 1, 'npm'], [101, 100, 'sh'], [102, 101, 'node']))],
  ['a shell alone', withContainer(processes([100, 1, 'sh']))],
];

/** Without those that say the same of a part that another rule is about. */
function found(facts: Facts): readonly string[] {
  return gradeFacts(facts).findings.map((one) => `${one.severity} ${one.rule}`);
}

describe('the audit', () => {
  it('finds nothing where all is well', () => {
    const grades = gradeFacts(withContainer({}));
    expect(grades.findings).toEqual([]);
    expect(grades.unseen).toEqual([]);
    expect(grades.counts.passed).toBe(HOST_RULES.length + containerRules(GOOD).length);
    expect(isReached(grades, 'info')).toBe(false);
  });

  it.each(fires)('%s', (expected, facts, words) => {
    const finding = gradeFacts(facts).findings.find((one) => `${one.severity} ${one.rule}` === expected);
    expect(found(facts)).toContain(expected);
    expect(finding?.found).toContain(words);
    expect(finding?.todo.length).toBeGreaterThan(10);
  });

  it.each(rests)('lets be: %s', (_what, facts) => expect(found(facts)).toEqual([]));

  it('has a rule that fires for each row of its table', () => {
    const ids = [...HOST_RULES, ...REPOSITORY_RULES, ...DOCKERFILE_RULES, ...containerRules(GOOD)].map((one) => one.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(fires.map(([expected]) => expected.split(' ')[1]))).toEqual(new Set(ids));
  });

  it('takes nothing that it did not see for well', () => {
    const none = { unseen: 'no right to' };
    const facts = {
      ...withContainer({ image: none, processes: none }),
      host: { ...GOOD.host, socket: none, listeners: none, plainApi: none, virtual: none, walls: none },
    };
    const { unseen, findings } = gradeFacts(facts);
    expect(findings).toEqual([]);
    expect(unseen.map((one) => one.rule).sort()).toEqual(
      [
        ...['api-exposed', 'docker-group', 'gateway-listens', 'host-vm', 'image-age', 'image-size', 'one-process'],
        ...['redis-loopback', 'registry-loopback', 'secret-in-image', 'socket-mode', 'treehouse-listens', 'walls'],
      ].sort(),
    );
    const away = gradeFacts({ ...GOOD, engine: none });
    expect(away.findings.map((one) => one.rule)).toEqual(['engine-seen']);
    expect(away.unseen.length).toBeGreaterThan(10);
  });

  it('reaches a threshold by what is as grave or graver', () => {
    const warned = gradeFacts(withContainer({ cpu: false }));
    expect([isReached(warned, 'info'), isReached(warned, 'warn'), isReached(warned, 'fail')]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
