/** What a container takes of the host, as the engine counts it. */
import type Docker from 'dockerode';
import type { ContainerUse } from '../api/live.ts';
import { orGone } from './engine-errors.ts';

/** Undefined where it does not run. */
export async function containerUse(docker: Docker, id: string): Promise<ContainerUse | undefined> {
  const stats = await orGone(docker.getContainer(id).stats({ stream: false }));
  // Of one that just ends the engine leaves parts out.
  const limit = stats?.memory_stats?.limit;
  if (!stats?.cpu_stats?.cpu_usage || limit === undefined) return undefined;
  const { memory_stats: memory, cpu_stats: now, precpu_stats: before } = stats;
  // What `docker stats` shows: without the page cache that can be given back at once (cgroup v1, v2).
  const cache = memory.stats?.total_inactive_file ?? memory.stats?.inactive_file ?? 0;
  const spent = now.cpu_usage.total_usage - (before?.cpu_usage?.total_usage ?? now.cpu_usage.total_usage);
  const passed = now.system_cpu_usage - (before?.system_cpu_usage ?? now.system_cpu_usage);
  return {
    memory: Math.max(0, memory.usage - cache),
    memoryLimit: limit,
    cpu: passed > 0 ? Math.round((spent / passed) * (now.online_cpus ?? 1) * 1_000) / 1_000 : 0,
    processes: stats.pids_stats?.current ?? 0,
  };
}

/** Undefined where it is not there. */
export async function containerDisk(docker: Docker, id: string): Promise<number | undefined> {
  // Only where it is asked for: the engine counts file by file.
  const info = (await orGone(docker.getContainer(id).inspect({ size: true } as object))) as
    | { SizeRw?: number }
    | undefined;
  return info?.SizeRw;
}
