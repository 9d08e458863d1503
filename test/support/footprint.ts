/** What a Treehouse takes of the world around it: on the engine, in Redis, at the gateway, in the registry, on the disk, of the host. */
import { execFile } from 'node:child_process';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { docker } from './treehouse.ts';

const run = promisify(execFile);

/** Name of a measure → how much of it there is. */
export type Footprint = ReadonlyMap<string, number>;

/** The most that a measure may be in the end, from what it was in the beginning; equal where a measure has none. */
export type Bounds = Readonly<Record<string, (before: number) => number>>;

/** One measure before and after. */
export interface Comparison {
  readonly what: string;
  readonly before: number;
  readonly after: number;
  /** Undefined: it is only shown. */
  readonly most: number;
  readonly isWell: boolean;
}

export function compare(before: Footprint, after: Footprint, bounds: Bounds): readonly Comparison[] {
  return [...after].map(([what, now]) => {
    const was = before.get(what) ?? 0;
    const bound = bounds[what];
    const most = bound ? bound(was) : was;
    return { what, before: was, after: now, most, isWell: bound ? now <= most : now === was };
  });
}

/** For people, a line each. */
export function comparisonTable(lines: readonly Comparison[]): string {
  const shown = (value: number): string => (value === Number.POSITIVE_INFINITY ? '–' : value.toLocaleString('en'));
  const rows = [
    ['', 'before', 'after', 'at most', ''],
    ...lines.map((one) => [one.what, shown(one.before), shown(one.after), shown(one.most), one.isWell ? '' : 'NO']),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export interface Measured {
  readonly home: string;
  /** Of Treehouse's own process. */
  readonly pid: number;
  /** Where it puts temporary files, and nobody else does. */
  readonly temporary: string;
  /** The repository that it mirrors. */
  readonly mirror: string;
}

/** Looks from outside: nothing of it is asked of Treehouse itself. */
export async function footprintOf(one: Measured): Promise<Footprint> {
  const parts = await Promise.all([
    engineFootprint(one.home),
    registryFootprint(one.home),
    redisFootprint(one.home),
    gatewayFootprint(one.home),
    mirrorFootprint(one.mirror),
    diskFootprint(one),
    processFootprint(one),
  ]);
  return new Map(parts.flatMap((part) => Object.entries(part)));
}

async function engineFootprint(home: string): Promise<Record<string, number>> {
  const instance = (await readFile(path.join(home, 'instance'), 'utf8')).trim();
  const filter = ['--filter', `label=treehouse.instance=${instance}`];
  const lists = await Promise.all([
    docker('ps', '-aq', ...filter),
    docker('network', 'ls', '-q', ...filter),
    docker('volume', 'ls', '-q', ...filter),
    docker('images', '-aq', ...filter),
  ]);
  const [containers = 0, networks = 0, volumes = 0, images = 0] = lists.map((all) => all.length);
  return { containers, networks, volumes, images };
}

/** As the registry keeps them on the disk: `repositories/IMAGE/_manifests/tags/TAG`, `blobs/sha256/ab/abc…/data`. */
export async function registryFootprint(home: string): Promise<Record<string, number>> {
  const root = path.join(home, 'registry', 'data', 'docker', 'registry', 'v2');
  const blobs = await filesUnder(path.join(root, 'blobs'));
  const links = await filesUnder(path.join(root, 'repositories'));
  const digestIn = async (file: string): Promise<string> =>
    (await readFile(file, 'utf8')).trim().replace('sha256:', '');
  const tags = links.filter((file) => /\/_manifests\/tags\/[^/]+\/current\/link$/.test(file));
  const blob = (digest: string): string => path.join(root, 'blobs', 'sha256', digest.slice(0, 2), digest, 'data');
  const used = new Set<string>();
  const visit = async (digest: string): Promise<void> => {
    if (used.has(digest)) return;
    used.add(digest);
    const manifest = JSON.parse(await readFile(blob(digest), 'utf8')) as Manifest;
    for (const part of [...(manifest.layers ?? []), ...(manifest.config ? [manifest.config] : [])]) {
      used.add(part.digest.replace('sha256:', ''));
    }
    for (const part of manifest.manifests ?? []) await visit(part.digest.replace('sha256:', ''));
  };
  for (const file of tags) await visit(await digestIn(file));
  const others = blobs.filter((file) => !used.has(path.basename(path.dirname(file))));
  return {
    'registry: tags': tags.length,
    'registry: blobs that a tag needs': used.size,
    // Rounded up: nothing is left only where this is 0.
    'registry: kB of other blobs': Math.ceil((await bytesOf(others)) / 1000),
  };
}

interface Manifest {
  readonly layers?: readonly { readonly digest: string }[];
  readonly config?: { readonly digest: string };
  readonly manifests?: readonly { readonly digest: string }[];
}

async function redisFootprint(home: string): Promise<Record<string, number>> {
  const config = await readFile(path.join(home, 'redis', 'redis.conf'), 'utf8');
  const said = (key: string): string => new RegExp(`^${key} (.*)$`, 'm').exec(config)?.[1] ?? '';
  const redis = new Redis({ port: Number(said('port')), password: said('requirepass') });
  try {
    const keys = await redis.keys('*');
    const ends = await Promise.all(keys.map((key) => redis.ttl(key)));
    const lasting = keys.filter((_, at) => (ends[at] ?? -1) < 0);
    // BullMQ numbers its jobs, and keeps the last that ended.
    const jobs = lasting.filter((key) => /:hints:\d+$/.test(key));
    const logs = lasting.filter((key) => key.startsWith('treehouse:build:'));
    // A list of the whole (`treehouse:uses`, `treehouse:hints:failed`) is there while there is something in it.
    const lists = lasting.filter((key) => /^treehouse:(?:(?:hints|commands):)?[a-z-]+$/.test(key));
    const memory = Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
    return {
      'Redis: lists of the whole': lists.length,
      'Redis: other keys': lasting.length - jobs.length - logs.length - lists.length,
      'Redis: logs of builds': logs.length,
      'Redis: keys of ended jobs': jobs.length,
      'Redis: keys that expire': keys.length - lasting.length,
      // Beside them lie two marks of the whole.
      'Redis: records': (await redis.hkeys('treehouse:records')).filter((one) => !one.startsWith(':')).length,
      'Redis: kB': Math.round(memory / 1000),
    };
  } finally {
    redis.disconnect();
  }
}

async function gatewayFootprint(home: string): Promise<Record<string, number>> {
  const folder = path.join(home, 'nginx');
  const routes = await readFile(path.join(folder, 'routes.txt'), 'utf8').catch(() => '');
  const made = (await filesUnder(folder)).filter((file) => /\.(?:conf|lua|html)$/.test(file));
  return {
    'gateway: routes': routes.split('\n').filter((line) => line !== '').length,
    'gateway: bytes of configuration': await bytesOf(made),
  };
}

async function mirrorFootprint(mirror: string): Promise<Record<string, number>> {
  const git = async (...args: readonly string[]): Promise<string[]> => {
    const env = { PATH: process.env.PATH ?? '', GIT_CONFIG_GLOBAL: '/dev/null', HOME: '/nonexistent' };
    const { stdout } = await run('git', ['--git-dir', mirror, ...args], { env, maxBuffer: 64 * 1024 * 1024 });
    return stdout.split('\n').filter((line) => line !== '');
  };
  const used = (await git('rev-list', '--all', '--objects')).length;
  const sizes = await git('count-objects', '-v');
  const count = (key: string): number => Number(sizes.find((line) => line.startsWith(`${key}: `))?.split(': ')[1] ?? 0);
  return {
    'mirror: refs': (await git('for-each-ref')).length,
    'mirror: objects that a ref needs': used,
    'mirror: other objects': count('count') + count('in-pack') - used,
  };
}

async function diskFootprint({ home, temporary }: Measured): Promise<Record<string, number>> {
  const instance = (await readFile(path.join(home, 'instance'), 'utf8')).trim();
  const secrets = ['/run', '/dev/shm'].map((parent) =>
    path.join(parent, `treehouse-${process.getuid?.() ?? 0}`, instance),
  );
  const scratch = [...(await filesUnder(path.join(home, 'tmp'))), ...(await filesUnder(temporary))];
  const kB = async (folder: string): Promise<number> => Math.round((await bytesOf(await filesUnder(folder))) / 1000);
  const parts = ['registry', 'redis', 'mirrors'];
  const [all = 0, ...each] = await Promise.all([home, ...parts.map((part) => path.join(home, part))].map(kB));
  return {
    'home: checkouts': (await namesIn(path.join(home, 'builds'))).length,
    'home: names': (await namesIn(home)).length,
    ...Object.fromEntries(parts.map((part, at) => [`home: kB of ${part}`, each[at] ?? 0])),
    'home: kB of all else': each.reduce((left, one) => left - one, all),
    'secrets in memory': (await Promise.all(secrets.map(filesUnder))).flat().length,
    'temporary files': scratch.length,
  };
}

async function processFootprint({ home, pid }: Measured): Promise<Record<string, number>> {
  const handles = async (pids: readonly number[]): Promise<number> =>
    (await Promise.all(pids.map((one) => namesIn(`/proc/${one}/fd`)))).flat().length;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const [redis, nginx, registry] = await Promise.all(
    ['redis', 'nginx', 'registry'].map((part) => pidsIn(path.join(home, part))),
  );
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return {
    'child processes': children.split(' ').filter((one) => one !== '').length,
    'handles of Treehouse': await handles([pid]),
    'handles of nginx': await handles(nginx ?? []),
    'handles of Redis': await handles(redis ?? []),
    'handles of the registry': await handles(registry ?? []),
    'memory of Treehouse, MB': Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1000),
  };
}

/** Processes that work in a folder, which Treehouse's parts do. */
export async function pidsIn(folder: string): Promise<number[]> {
  const pids = (await namesIn('/proc')).filter((name) => /^\d+$/.test(name));
  const found = pids.map(async (pid) =>
    (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === folder ? [Number(pid)] : [],
  );
  return (await Promise.all(found)).flat();
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

/** Also of folders that come and go meanwhile. */
async function filesUnder(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found = entries.map((one) => {
    const file = path.join(folder, one.name);
    return one.isDirectory() ? filesUnder(file) : [file];
  });
  return (await Promise.all(found)).flat();
}

async function bytesOf(files: readonly string[]): Promise<number> {
  const sizes = files.map((file) =>
    stat(file).then(
      (one) => one.size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, one) => sum + one, 0);
}
