/** What the engine says of a container's walls, in the domain's words. */
import type Docker from 'dockerode';
import type { ContainerFacts } from '../domain/isolation.ts';

export function factsOf(info: Docker.ContainerInspectInfo): ContainerFacts {
  const host = info.HostConfig;
  const ports = Object.entries(host.PortBindings ?? {}) as [string, unknown[] | null][];
  return {
    privileged: host.Privileged === true,
    capAdd: host.CapAdd ?? [],
    capDrop: host.CapDrop ?? [],
    securityOpt: host.SecurityOpt ?? [],
    networkMode: host.NetworkMode ?? '',
    pidMode: host.PidMode ?? '',
    ipcMode: host.IpcMode ?? '',
    utsMode: (host as { UTSMode?: string }).UTSMode ?? '',
    usernsMode: host.UsernsMode ?? '',
    cgroupParent: host.CgroupParent ?? '',
    runtime: host.Runtime ?? '',
    devices: [
      ...((host.Devices ?? []) as { PathOnHost?: string }[]).map((one) => String(one.PathOnHost)),
      ...((host.DeviceRequests ?? []) as unknown[]).map((one) => JSON.stringify(one)),
      ...(host.DeviceCgroupRules ?? []),
    ],
    sysctls: Object.keys(host.Sysctls ?? {}),
    volumesFrom: host.VolumesFrom ?? [],
    publishedPorts: ports.flatMap(([port, bindings]) => ((bindings?.length ?? 0) > 0 ? [port] : [])),
    memory: host.Memory ?? 0,
    memorySwap: host.MemorySwap ?? 0,
    cpus: (host.NanoCpus ?? 0) / 1e9,
    pids: host.PidsLimit ?? 0,
    networks: Object.keys(info.NetworkSettings.Networks ?? {}),
    mounts: mountsOf(info),
    virtualHost: info.Config.Env?.find((one) => one.startsWith('VIRTUAL_HOST='))?.slice('VIRTUAL_HOST='.length),
    labels: Object.keys(info.Config.Labels ?? {}),
  };
}

/** The engine lists a tmpfs that was asked for by mount among the mounts, by the older option apart. */
function mountsOf(info: Docker.ContainerInspectInfo): ContainerFacts['mounts'] {
  const listed = info.Mounts.map((one) => ({
    type: String((one as { Type?: string }).Type ?? ''),
    source: one.Name ?? one.Source ?? '',
    target: one.Destination,
    writable: one.RW,
  }));
  const older = Object.keys(info.HostConfig.Tmpfs ?? {}).map((target) => ({
    type: 'tmpfs',
    source: '',
    target,
    writable: true,
  }));
  return [...listed, ...older];
}
