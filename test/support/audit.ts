/** Facts of a host and a container at which no rule finds anything, to be spoiled one by one. */
import type { ContainerFacts, EngineFacts, Facts, ImageFacts } from '../../src/audit/facts.ts';
import { isUnseen } from '../../src/audit/facts.ts';

export const NOW = Date.UTC(2026, 10, 24);
const DAY = 86_400_000;

export const GOOD_IMAGE: ImageFacts = {
  user: 'app',
  created: NOW - 10 * DAY,
  size: 80_000_000,
  hasDigest: true,
  isBuilt: true,
  secrets: [],
};

export const GOOD_CONTAINER: ContainerFacts = {
  id: 'c0ffee'.repeat(10),
  instance: 'house',
  preview: 'main--shop',
  service: 'web',
  role: 'app',
  privileged: false,
  user: 'app',
  capAdd: ['CHOWN', 'SETUID'],
  capDrop: ['ALL'],
  securityOpt: ['no-new-privileges:true', 'seccomp={"defaultAction":"SCMP_ACT_ERRNO"}'],
  appArmorProfile: 'docker-default',
  readOnlyRoot: true,
  memory: 1024 ** 3,
  memorySwap: 1024 ** 3,
  cpu: true,
  pids: 256,
  oomKillDisabled: false,
  devices: 0,
  networkMode: 'th-main--shop-b1-default',
  pidMode: '',
  ipcMode: 'private',
  utsMode: '',
  usernsMode: '',
  cgroupnsMode: 'private',
  networks: [{ name: 'th-main--shop-b1-default', previews: [], strangers: [] }],
  mounts: [
    { type: 'volume', source: '/var/lib/docker/volumes/data/_data', target: '/data', writable: true },
    { type: 'bind', source: '/srv/house/.treehouse/builds/main--shop/b1/nginx.conf', target: '/c', writable: false },
    {
      type: 'bind',
      source: '/run/treehouse-0/house/main--shop/b1/web/KEY',
      target: '/run/secrets/KEY',
      writable: false,
    },
  ],
  ports: [],
  hasHealthCheck: true,
  restart: 'on-failure',
  logDriver: 'json-file',
  logOptions: { 'max-size': '10m', 'max-file': '3' },
  secretVariables: [],
  secretArguments: [],
  pid: 100,
  processes: [
    { pid: 100, parent: 99, program: 'docker-init' },
    { pid: 101, parent: 100, program: 'nginx' },
    { pid: 102, parent: 101, program: 'nginx' },
  ],
  imageName: '127.0.0.1:5000/acme/shop/web:main--shop.1',
  image: GOOD_IMAGE,
};

export const GOOD_ENGINE: EngineFacts = {
  version: '29.1.0',
  built: NOW - 30 * DAY,
  securityOptions: ['name=apparmor', 'name=seccomp,profile=builtin', 'name=userns'],
  liveRestore: true,
  rootDir: '/var/lib/docker/100000.100000',
  loggingDriver: 'journald',
  cgroupVersion: '2',
  limits: { memory: true, swap: true, cpu: true, pids: true },
  insecureRegistries: ['127.0.0.0/8', '::1/128'],
  containers: [],
  others: [],
};

export const GOOD: Facts = {
  at: NOW,
  engine: GOOD_ENGINE,
  host: {
    socket: { path: '/var/run/docker.sock', uid: 0, mode: 0o660, group: 'docker', members: [] },
    listeners: [
      { address: '127.0.0.1', port: 4000 },
      { address: '0.0.0.0', port: 22 },
    ],
    plainApi: [],
    kernel: { release: '6.12.8-amd64', built: NOW - 30 * DAY, restartWaits: false },
    virtual: true,
    disks: [{ what: "the engine's data", path: '/var/lib/docker', space: 0.6, inodes: 0.9, isRoot: false }],
    walls: true,
  },
  home: {
    path: '/srv/house/.treehouse',
    folder: { mode: 0o700, uid: 0 },
    keys: [{ name: 'admin-token', mode: 0o600, uid: 0 }],
    tlsKey: undefined,
    config: { path: '/srv/house/treehouse.yml', mode: 0o644, uid: 0 },
    redisPort: 41_000,
    registryPort: 41_001,
    dockerfiles: [],
  },
  settings: {
    home: '/srv/house/.treehouse',
    host: '127.0.0.1',
    port: 4000,
    gatewayHost: '127.0.0.1',
    gatewayPort: 8080,
    tls: undefined,
    trustedProxies: [],
    firewall: 'auto',
    egress: 'internet',
    redisUrl: undefined,
    registry: undefined,
    dockerHost: undefined,
    repositories: [],
  },
};

export function withHost(change: Partial<Facts['host']>): Facts {
  return { ...GOOD, host: { ...GOOD.host, ...change } };
}

export function withHome(change: Partial<Facts['home']>): Facts {
  return { ...GOOD, home: { ...GOOD.home, ...change } };
}

export function withSettings(change: Partial<Facts['settings']>): Facts {
  return { ...GOOD, settings: { ...GOOD.settings, ...change } };
}

export function withEngine(change: Partial<EngineFacts>): Facts {
  return { ...GOOD, engine: { ...GOOD_ENGINE, ...change } };
}

export function withContainer(change: Partial<ContainerFacts>): Facts {
  return withEngine({ containers: [{ ...GOOD_CONTAINER, ...change }] });
}

export function withImage(change: Partial<ImageFacts>, more: Partial<ContainerFacts> = {}): Facts {
  const image = GOOD_CONTAINER.image;
  return withContainer({ image: isUnseen(image) ? image : { ...image, ...change }, ...more });
}
