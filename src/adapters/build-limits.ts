/**
 * Bounds what all build steps of the engine have together, in the control group that it runs them in: BuildKit's API takes no limits
 * (moby, builder-next/executor_linux.go, puts each step under `<cgroup parent>/buildkit`).
 */
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type Docker from 'dockerode';
import type { BuildLimits } from '../domain/isolation.ts';
import type { Builder } from '../domain/ports.ts';
import { messageOf } from '../errors.ts';

/** The engine's own, unless it was started with another `--cgroup-parent`. */
const GROUP = 'docker/buildkit';
/** Microseconds; the kernel's usual one. */
const PERIOD = 100_000;
/** The kernel rounds memory down to pages, of 4 to 64 kB: what is not whole would never be found as it was written. */
const PAGE = 65_536;

/** The same builder; before each build the limits are made to be there. `onFault` is told, once each, why they cannot be. */
export function boundedBuilder(
  docker: Docker,
  builder: Builder,
  limits: BuildLimits,
  onFault: (reason: string) => void,
): Builder {
  let before: string | undefined;
  let groups: Groups | undefined;
  return {
    async build(input) {
      groups ??= await groupsOf(docker).catch(() => undefined);
      const fault = groups ? await boundBuilds(groups, limits) : 'the engine does not say how it groups processes';
      if (fault !== undefined && fault !== before) onFault(fault);
      before = fault;
      await builder.build(input);
    },
  };
}

/** How the engine groups processes. */
export interface Groups {
  readonly driver: string;
  readonly version: string;
}

/** And how many cores it has. */
export async function groupsOf(docker: Docker): Promise<Groups & { readonly cores: number }> {
  const info = (await docker.info()) as { CgroupDriver?: string; CgroupVersion?: string; NCPU?: number };
  return { cores: info.NCPU || 1, driver: info.CgroupDriver ?? 'nobody', version: info.CgroupVersion ?? '1' };
}

/** The same, as this host shows it, for who may not ask the engine. */
export async function groupsOfHost(mount = '/sys/fs/cgroup'): Promise<Groups> {
  const there = (name: string) =>
    access(path.join(mount, name)).then(
      () => true,
      () => false,
    );
  const version = (await there('cgroup.controllers')) ? '2' : '1';
  // systemd has slices in place of a folder of the engine's own.
  const isOwn = await there(version === '2' ? 'docker' : path.join('memory', 'docker'));
  return { version, driver: isOwn ? 'cgroupfs' : 'systemd' };
}

/** @returns why the limits cannot be set, if they cannot. */
export async function boundBuilds(
  { driver, version }: Groups,
  limits: BuildLimits,
  mount = '/sys/fs/cgroup',
): Promise<string | undefined> {
  try {
    if (driver !== 'cgroupfs') {
      return `the engine leaves control groups to ${driver}, where build steps have none in common; {"exec-opts": ["native.cgroupdriver=cgroupfs"]} in its daemon.json gives them one`;
    }
    await (version === '2' ? boundUnified(mount, limits) : boundByController(mount, limits));
    return undefined;
  } catch (error) {
    return messageOf(error).split('\n')[0];
  }
}

/** Control groups version 2 (kernel.org, admin-guide/cgroup-v2). */
async function boundUnified(mount: string, { memory, cpus, pids }: BuildLimits): Promise<void> {
  const folder = path.join(mount, GROUP);
  await mkdir(folder, { recursive: true });
  for (const above of [mount, path.dirname(folder)]) await put(above, 'cgroup.subtree_control', '+memory +cpu +pids');
  await put(folder, 'memory.max', wholePages(memory));
  await put(folder, 'memory.swap.max', '0');
  await put(folder, 'cpu.max', `${Math.round(cpus * PERIOD)} ${PERIOD}`);
  await put(folder, 'pids.max', String(pids));
}

/** Version 1: a tree for each controller (kernel.org, admin-guide/cgroup-v1). */
async function boundByController(mount: string, { memory, cpus, pids }: BuildLimits): Promise<void> {
  const folders = ['memory', 'cpu', 'pids'].map((controller) => path.join(mount, controller, GROUP));
  await Promise.all(folders.map((folder) => mkdir(folder, { recursive: true })));
  const [ofMemory = '', ofCpu = '', ofPids = ''] = folders;
  const bytes = wholePages(memory);
  const both = ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'];
  // Neither may pass the other, so that the order depends on whether they grow; some kernels count no swap.
  await put(ofMemory, both[0] ?? '', bytes).catch(() => undefined);
  await put(ofMemory, both[1] ?? '', bytes).catch(() => undefined);
  await put(ofMemory, both[0] ?? '', bytes);
  await put(ofCpu, 'cpu.cfs_period_us', String(PERIOD));
  await put(ofCpu, 'cpu.cfs_quota_us', String(Math.round(cpus * PERIOD)));
  await put(ofPids, 'pids.max', String(pids));
}

function wholePages(bytes: number): string {
  return String(bytes - (bytes % PAGE));
}

async function put(folder: string, name: string, value: string): Promise<void> {
  const file = path.join(folder, name);
  if ((await readFile(file, 'utf8')).trim() !== value) await writeFile(file, value);
}
