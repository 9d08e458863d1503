/** What an audit asks the host itself, by its files and sockets. Reads alone; what this user may not read is said to be unseen. */
import { constants } from 'node:fs';
import { lstat, open, readdir, readFile, readlink, realpath, stat, statfs } from 'node:fs/promises';
import http from 'node:http';
import { release, version } from 'node:os';
import path from 'node:path';
import { basesOf } from '../audit/bases.ts';
import type {
  DiskFacts,
  DockerfileFacts,
  FileMode,
  HomeFacts,
  HostFacts,
  KernelFacts,
  Listener,
  Seen,
  Settings,
  SocketFacts,
} from '../audit/facts.ts';
import type { AuditHost } from '../audit/ports.ts';
import { isLoopback } from '../domain/loopback.ts';
import { messageOf } from '../errors.ts';
import { walls } from './host-walls.ts';

export interface HostAuditOptions {
  /** PATH, where iptables is looked for. */
  readonly searchPath: string;
  /** Where the host's own files are; a test has others. */
  readonly root?: string;
  /** Ports where the engine's API is by custom. */
  readonly apiPorts?: readonly number[];
}

const API_PORTS = [2375, 2376];
const PROBE_MS = 1_500;
const EPOCH = Date.UTC(2000, 0, 1);
/** Of the checkouts of one build. */
const MAX_FOLDERS = 200;
const MAX_DEPTH = 4;
const MAX_DOCKERFILE = 256 * 1024;
/** Keys and passwords of the home; of `secrets` everything is one. */
const KEYS = [
  ...['admin-token', 'webhook-secret', 'gateway-key', 'nginx/gateway.key', 'redis/redis.conf'],
  ...['keys/redis-url', 'keys/redis/users.acl', 'keys/registry-password', 'keys/registry/htpasswd'],
];

export function hostAudit(options: HostAuditOptions): AuditHost {
  const at = (file: string) => path.join(options.root ?? '/', file);
  return {
    async observe(settings, rootDir) {
      const listeners = await listening(at);
      return {
        socket: await socketFacts(settings.dockerHost, at),
        listeners: isSeen(listeners) ? listeners.map(({ address, port }) => ({ address, port })) : listeners,
        plainApi: isSeen(listeners) ? await plainApi(listeners, options.apiPorts ?? API_PORTS, at) : listeners,
        kernel: await kernelFacts(at),
        virtual: await isVirtual(at),
        disks: await diskFacts(settings, rootDir),
        walls: await walls(options.searchPath),
      } satisfies HostFacts;
    },
    home: homeFacts,
  };
}

async function socketFacts(
  dockerHost: string | undefined,
  at: (file: string) => string,
): Promise<Seen<SocketFacts> | undefined> {
  const named = dockerHost || 'unix:///var/run/docker.sock';
  if (!named.startsWith('unix:')) return undefined;
  const file = new URL(named).pathname;
  try {
    const facts = await stat(await realpath(file));
    const groups = await lines(at('etc/group'));
    const group = groups.find((one) => one.split(':')[2] === String(facts.gid))?.split(':');
    // Of whom it is the first group is only said by passwd.
    const first = (await lines(at('etc/passwd')))
      .map((one) => one.split(':'))
      .filter((one) => one[3] === String(facts.gid))
      .map((one) => one[0] ?? '');
    const members = [...new Set([...(group?.[3] ?? '').split(','), ...first])].filter(
      (one) => one !== '' && one !== 'root',
    );
    return { path: file, uid: facts.uid, mode: facts.mode & 0o7777, group: group?.[0] ?? String(facts.gid), members };
  } catch (error) {
    return { unseen: `${file}: ${messageOf(error)}` };
  }
}

interface Owned extends Listener {
  readonly inode: string;
}

/** proc(5), `/proc/net/tcp`: the fourth field is the state, 0A for listening; addresses are words in the host's order. */
async function listening(at: (file: string) => string): Promise<Seen<readonly Owned[]>> {
  try {
    const four = await readFile(at('proc/net/tcp'), 'utf8');
    const six = await readFile(at('proc/net/tcp6'), 'utf8').catch(() => '');
    return [four, six].flatMap((text) =>
      text.split('\n').flatMap((line) => {
        const fields = line.trim().split(/\s+/);
        const [hex, port] = (fields[1] ?? '').split(':');
        if (fields[3] !== '0A' || hex === undefined || port === undefined) return [];
        return [{ address: addressOf(hex), port: Number.parseInt(port, 16), inode: fields[9] ?? '' }];
      }),
    );
  } catch (error) {
    return { unseen: `which ports are listened on: ${messageOf(error)}` };
  }
}

function addressOf(hex: string): string {
  const words = (hex.match(/.{8}/g) ?? []).map((word) => word.match(/../g)?.reverse() ?? []);
  if (words.length === 1) return (words[0] ?? []).map((byte) => Number.parseInt(byte, 16)).join('.');
  const bytes = words.flat().map((byte) => Number.parseInt(byte, 16));
  if (bytes.slice(0, 10).every((one) => one === 0) && bytes[10] === 0xff && bytes[11] === 0xff) {
    return `::ffff:${bytes.slice(12).join('.')}`;
  }
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
  );
  return groups.join(':').replace(/(?:^|:)0(?::0)+(?::|$)/, '::');
}

/** Where an engine answers without TLS, of the customary ports and of all that dockerd listens on: it is asked. */
async function plainApi(
  listeners: readonly Owned[],
  ports: readonly number[],
  at: (file: string) => string,
): Promise<readonly Listener[]> {
  const inodes = await inodesOfDockerd(at);
  const candidates = listeners.filter((one) => ports.includes(one.port) || inodes.has(one.inode));
  const answers = await Promise.all(candidates.map((one) => answersAsEngine(one)));
  return candidates.filter((_, index) => answers[index]).map(({ address, port }) => ({ address, port }));
}

async function inodesOfDockerd(at: (file: string) => string): Promise<ReadonlySet<string>> {
  const inodes = new Set<string>();
  for (const pid of (await readdir(at('proc')).catch(() => [])).filter((one) => /^\d+$/.test(one))) {
    const name = await readFile(at(`proc/${pid}/comm`), 'utf8').catch(() => '');
    if (name.trim() !== 'dockerd') continue;
    for (const fd of await readdir(at(`proc/${pid}/fd`)).catch(() => [])) {
      const target = await readlink(at(`proc/${pid}/fd/${fd}`)).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
  }
  return inodes;
}

/** The API says its version in every answer; one behind TLS answers 400 and nothing of it. */
export function answersAsEngine({ address, port }: Listener): Promise<boolean> {
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return new Promise((resolve) => {
    const request = http.get({ host, port, path: '/_ping', agent: false, timeout: PROBE_MS }, (response) => {
      resolve(response.headers['api-version'] !== undefined);
      request.destroy();
    });
    request.setTimeout(PROBE_MS, () => request.destroy());
    request.on('error', () => resolve(false));
    request.on('close', () => resolve(false));
  });
}

async function kernelFacts(at: (file: string) => string): Promise<KernelFacts> {
  const text = version();
  const [date] = /\d{4}-\d\d-\d\d/.exec(text) ?? [];
  const [, day, year] = /[A-Z][a-z]{2} ([A-Z][a-z]{2} +\d+ [\d:]+).*?(\d{4})/.exec(text) ?? [];
  const built = Date.parse(date ?? (day === undefined ? '' : `${day} ${year} UTC`));
  return {
    release: release(),
    built: Number.isNaN(built) || built < EPOCH ? undefined : built,
    restartWaits: await stat(at('run/reboot-required')).then(
      () => true,
      () => false,
    ),
  };
}

async function isVirtual(at: (file: string) => string): Promise<Seen<boolean>> {
  const flags = (await lines(at('proc/cpuinfo'))).find((one) => one.startsWith('flags'));
  if (flags !== undefined) return /\bhypervisor\b/.test(flags);
  // Processors that are no PCs have no such flag.
  const known = await stat(at('sys/hypervisor/type')).then(
    () => true,
    () => false,
  );
  return known ? true : { unseen: 'whether the host is a virtual machine' };
}

async function diskFacts(settings: Settings, rootDir: string | undefined): Promise<readonly DiskFacts[]> {
  const isRemote =
    settings.dockerHost !== undefined &&
    !settings.dockerHost.startsWith('unix:') &&
    !isLoopback(new URL(settings.dockerHost).hostname);
  const places = [
    ...(rootDir === undefined || rootDir === '' || isRemote ? [] : [{ what: "the engine's data", folder: rootDir }]),
    { what: "Treehouse's home", folder: await existing(settings.home) },
  ];
  const root = await stat('/');
  const found = await Promise.all(
    places.map(async ({ what, folder }) => {
      try {
        const [facts, { dev }] = [await statfs(folder), await stat(folder)];
        return {
          what,
          path: folder,
          space: facts.bavail / Math.max(facts.blocks, 1),
          inodes: facts.files > 0 ? facts.ffree / facts.files : 1,
          isRoot: dev === root.dev,
        };
      } catch {
        return undefined;
      }
    }),
  );
  return found.filter((one) => one !== undefined);
}

async function existing(folder: string): Promise<string> {
  for (let at = folder; ; at = path.dirname(at)) {
    if (at === path.dirname(at)) return at;
    if (
      await stat(at).then(
        () => true,
        () => false,
      )
    )
      return at;
  }
}

async function homeFacts(settings: Settings, configFile: string | undefined): Promise<HomeFacts> {
  const { home } = settings;
  const folder = await modeOf(home);
  const sealed = (await readdir(path.join(home, 'secrets')).catch(() => [])).map((one) => `secrets/${one}`);
  const keys = await Promise.all(
    [...KEYS, ...sealed].map(async (name) => {
      const facts = await modeOf(path.join(home, name));
      return facts === undefined || 'unseen' in facts ? undefined : { ...facts, name };
    }),
  );
  const config = configFile === undefined ? undefined : await modeOf(configFile);
  return {
    path: home,
    folder,
    keys: keys.filter((one) => one !== undefined),
    tlsKey: settings.tls && (await modeOf(settings.tls.key)),
    config:
      config === undefined || 'unseen' in config || configFile === undefined
        ? undefined
        : { ...config, path: configFile },
    redisPort: await portOf(home, 'redis', 'redis.conf', /^port (\d+)$/m),
    registryPort: await portOf(home, 'registry', 'port', /^(\d+)$/m),
    dockerfiles: await dockerfilesOf(path.join(home, 'builds')),
  };
}

/** Of what runs: where a Treehouse has the folder no more, its port may be anyone's. */
async function portOf(home: string, folder: string, file: string, pattern: RegExp): Promise<number | undefined> {
  if ((await modeOf(path.join(home, folder, 'owner'))) === undefined) return undefined;
  const text = await readFile(path.join(home, folder, file), 'utf8').catch(() => '');
  const port = Number(pattern.exec(text)?.[1]);
  return Number.isInteger(port) ? port : undefined;
}

async function modeOf(file: string): Promise<Seen<FileMode> | undefined> {
  try {
    const facts = await stat(file);
    return { mode: facts.mode & 0o7777, uid: facts.uid };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : { unseen: messageOf(error) };
  }
}

/** `<builds>/<preview>/<build>/…`, the newest build of each. The trees are strangers': no link is followed. */
async function dockerfilesOf(builds: string): Promise<readonly DockerfileFacts[]> {
  const found: DockerfileFacts[] = [];
  for (const preview of await folders(builds)) {
    const newest = (await folders(path.join(builds, preview))).sort().at(-1);
    if (newest === undefined) continue;
    const checkout = path.join(builds, preview, newest);
    for (const file of await dockerfilesIn(checkout)) {
      const bases = basesOf(await readBounded(path.join(checkout, file)));
      if (bases.length > 0) found.push({ preview, path: file, bases });
    }
  }
  return found;
}

async function dockerfilesIn(checkout: string): Promise<readonly string[]> {
  const found: string[] = [];
  const queue = [''];
  for (let count = 0; count < MAX_FOLDERS; count += 1) {
    const folder = queue.shift();
    if (folder === undefined) break;
    for (const entry of await readdir(path.join(checkout, folder), { withFileTypes: true }).catch(() => [])) {
      const inside = path.join(folder, entry.name);
      if (entry.isFile() && /^Dockerfile(?:\.[\w-]+)?$|\.Dockerfile$/i.test(entry.name)) found.push(inside);
      const isFolder = entry.isDirectory() && !['.git', 'node_modules'].includes(entry.name);
      if (isFolder && inside.split(path.sep).length < MAX_DEPTH) queue.push(inside);
    }
  }
  return found.sort();
}

async function folders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.flatMap((one) => (one.isDirectory() ? [one.name] : []));
}

async function readBounded(file: string): Promise<string> {
  try {
    if ((await lstat(file)).size > MAX_DOCKERFILE) return '';
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch {
    return '';
  }
}

async function lines(file: string): Promise<readonly string[]> {
  return (await readFile(file, 'utf8').catch(() => '')).split('\n');
}

function isSeen<T>(value: Seen<readonly T[]>): value is readonly T[] {
  return Array.isArray(value);
}
