/** What containers take of this host, read from the kernel and from their logs; what they are given, by the engine. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import { type BuildId, parsePreviewId } from '../domain/names.ts';
import { allCores, coresOfHogs, type Share, type Taken } from '../domain/neighbours.ts';
import type { Shares } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';
import { type Groups, groupsOf } from './build-limits.ts';
import { orAway, orGone, tolerate } from './engine-errors.ts';

/** The least weight that control groups know, by which a container that is set apart is known again; and the usual one. */
const WEIGHT = { apart: 2, usual: 1024 };
/** The least that the engine gives. */
const SLOW_CPUS = 0.01;

export interface SharesOptions {
  readonly docker: Docker;
  readonly instance: string;
  /** Where the kernel shows its control groups, and where its counts. */
  readonly mount?: string;
  readonly proc?: string;
}

interface Watched {
  readonly id: string;
  readonly of: Pick<Taken, 'preview' | 'service' | 'build'>;
  /** CPUs that it may use when nothing is wrong. */
  readonly cpus: number;
  share: Share;
  readonly log: LogGrowth;
}

/** @throws transient `engine-away` */
export async function hostShares(options: SharesOptions): Promise<Shares> {
  const { docker, instance, mount = '/sys/fs/cgroup', proc = '/proc' } = options;
  const { cores, ...groups } = await orAway('reading the host', groupsOf(docker));
  const busy = cpuMeter(path.join(proc, 'stat'));
  let watched = new Map<string, Watched>();

  async function watch(id: string): Promise<Watched | undefined> {
    const info = await orGone(docker.getContainer(id).inspect());
    const labels = info?.Config.Labels ?? {};
    const preview = parsePreviewId(labels[LABEL.preview] ?? '');
    if (!info || !preview) return undefined;
    const { NanoCpus = 0, CpuShares = 0 } = info.HostConfig;
    const cpus = Number(labels[LABEL.cpus]) || NanoCpus / 1e9;
    const slow = NanoCpus === SLOW_CPUS * 1e9 && cpus > SLOW_CPUS;
    return {
      id,
      of: { preview, service: labels[LABEL.service] ?? '', build: (labels[LABEL.build] ?? '') as BuildId },
      cpus,
      share: CpuShares !== WEIGHT.apart ? 'usual' : slow ? 'slow' : 'apart',
      log: logGrowth((info as { LogPath?: string }).LogPath ?? ''),
    };
  }

  async function refresh(): Promise<void> {
    const filters = JSON.stringify({ status: ['running'], label: [`${LABEL.instance}=${instance}`] });
    const running = await orAway('reading what runs', docker.listContainers({ filters }));
    const all = await Promise.all(running.map((one) => watched.get(one.Id) ?? watch(one.Id)));
    watched = new Map(all.flatMap((one) => (one ? [[one.id, one]] : [])));
  }

  async function look(): Promise<readonly Taken[]> {
    const all = await Promise.all(
      [...watched.values()].map(async (one): Promise<Taken | undefined> => {
        const cpu = await cpuSeconds(groups, mount, one.id);
        if (cpu === undefined) return undefined;
        return { container: one.id, ...one.of, cpu, log: await one.log(), share: one.share };
      }),
    );
    return all.filter((one) => one !== undefined);
  }

  return {
    cores,
    busy,
    async taken(anew) {
      if (anew) await refresh();
      const seen = await look();
      if (seen.length > 0 || watched.size === 0 || anew) return seen;
      // All of them may have ended, as when the last preview falls asleep.
      const before = new Set(watched.keys());
      await refresh();
      const again = await look();
      const still = [...watched.keys()].find((id) => before.has(id));
      if (again.length > 0 || still === undefined) return again;
      const file = cpuFile(groups, mount, still);
      // The engine calls one running whose processes have ended already; where others could be, the kernel does count.
      if (await isThere(path.dirname(path.dirname(file)))) return again;
      throw new TreehouseError('bad-config', `the kernel's counts of containers are not at ${file}: mount ${mount}`);
    },
    async give(id, share) {
      const one = watched.get(id);
      if (!one) return;
      const apart = share !== 'usual';
      await tolerate(
        docker.getContainer(id).update({
          CpusetCpus: apart ? coresOfHogs(cores).list : allCores(cores),
          CpuShares: apart ? WEIGHT.apart : WEIGHT.usual,
          ...(one.cpus > 0 ? { NanoCpus: Math.round((share === 'slow' ? SLOW_CPUS : one.cpus) * 1e9) } : {}),
        }),
        [404, 409],
      );
      one.share = share;
    },
  };
}

/** Share of the CPU time between two calls in which the processors were not idle; the first line of proc(5)'s stat. */
function cpuMeter(file: string): () => Promise<number> {
  let before = { total: 0, idle: 0 };
  return async () => {
    const line = (await readFile(file, 'utf8')).split('\n', 1)[0] ?? '';
    // user nice system idle iowait irq softirq steal; guests are counted in user.
    const counts = line.split(/\s+/).slice(1, 9).map(Number);
    const now = { total: counts.reduce((sum, one) => sum + one, 0), idle: (counts[3] ?? 0) + (counts[4] ?? 0) };
    const total = now.total - before.total;
    const idle = now.idle - before.idle;
    const first = before.total === 0;
    before = now;
    return first || total <= 0 ? 0 : 1 - idle / total;
  };
}

function cpuFile({ driver, version }: Groups, mount: string, id: string): string {
  const group = driver === 'systemd' ? `system.slice/docker-${id}.scope` : `docker/${id}`;
  return version === '2' ? path.join(mount, group, 'cpu.stat') : path.join(mount, 'cpuacct', group, 'cpuacct.usage');
}

/** Undefined where it runs no more. */
async function cpuSeconds(groups: Groups, mount: string, id: string): Promise<number | undefined> {
  const text = await readFile(cpuFile(groups, mount, id), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  return groups.version === '2' ? Number(/^usage_usec (\d+)/m.exec(text)?.[1]) / 1e6 : Number(text) / 1e9;
}

type LogGrowth = () => Promise<number>;

/** Bytes that a log of the driver json-file grew by since the first call, over its turns; nought where it cannot be read. */
function logGrowth(file: string): LogGrowth {
  let before: { inode: number; size: number } | undefined;
  let grown = 0;
  return async () => {
    const now = await stat(file).catch(() => undefined);
    if (!now) return grown;
    if (before && before.inode !== now.ino) {
      const older = await stat(`${file}.1`).catch(() => undefined);
      grown += now.size + Math.max(0, (older?.size ?? 0) - before.size);
    } else if (before) grown += Math.max(0, now.size - before.size);
    before = { inode: now.ino, size: now.size };
    return grown;
  };
}

async function isThere(folder: string): Promise<boolean> {
  return (await stat(folder).catch(() => undefined)) !== undefined;
}
