/** What the engine says of a preview's containers and their images, whole enough to start the same elsewhere. */
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import type { LiveBuild } from '../domain/live.ts';
import type { ObservedNetwork } from '../domain/observed.ts';
import type { HealthFacts, ProcessFacts, RunningMount, RunningService, RunningStack } from '../domain/running.ts';
import { orAway, orGone } from './engine-errors.ts';
import { labelledAs } from './engine-labels.ts';

/** Key of the compose file → what the engine calls it. */
type Names = ReadonlyMap<string, string>;

/** Reads the live build's containers; those that went meanwhile are left out. */
export async function runningStack(
  docker: Docker,
  live: LiveBuild,
  networks: readonly ObservedNetwork[],
): Promise<RunningStack> {
  const own = networks.filter((one) => one.role === 'app' && one.build === live.build);
  const inspected = await Promise.all(
    own.map(async ({ id, key }) => [key, await orGone(docker.getNetwork(id).inspect())] as const),
  );
  const keys: Names = new Map(own.map((one) => [one.name, one.key]));
  const services = await Promise.all(live.containers.map((one) => serviceOf(docker, one.id, keys)));
  return {
    services: services.filter((one) => one !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1)),
    networks: new Map(inspected.map(([key, info]) => [key, { internal: (info as Inside)?.Internal === true }])),
  };
}

type Inside = { readonly Internal?: boolean } | undefined;

async function serviceOf(docker: Docker, id: string, keys: Names): Promise<RunningService | undefined> {
  const info = await orGone(docker.getContainer(id).inspect());
  if (!info) return undefined;
  const image = await orAway(`looking at the image of ${info.Name.slice(1)}`, docker.getImage(info.Image).inspect());
  const { Config: config, HostConfig: host } = info;
  const labels = config.Labels ?? {};
  const { service, build, commit, after, exposed } = labelledAs(labels);
  return {
    ...{ name: service, build, commit, after, port: exposed?.port },
    container: { id: info.Id, name: info.Name.slice(1) },
    image: { reference: config.Image, id: info.Image, digests: image.RepoDigests ?? [] },
    own: processOf(config),
    fromImage: processOf(image.Config),
    hostname: info.Id.startsWith(config.Hostname) ? '' : config.Hostname,
    domainname: config.Domainname ?? '',
    ...{ tty: config.Tty, stdinOpen: config.OpenStdin, init: host.Init === true },
    stopSeconds: (config as { StopTimeout?: number }).StopTimeout,
    restart: restartOf(host.RestartPolicy),
    networks: networksOf(info, service, keys),
    mounts: await Promise.all((host.Mounts ?? []).map((one) => mountOf(docker, one))),
    ...{ dns: host.Dns ?? [], dnsOptions: host.DnsOptions ?? [], dnsSearch: host.DnsSearch ?? [] },
    extraHosts: host.ExtraHosts ?? [],
    groups: (host.GroupAdd ?? []).map(String),
    sysctls: host.Sysctls ?? {},
    devices: ((host.Devices ?? []) as { PathOnHost?: string }[]).map((one) => String(one.PathOnHost)),
    ulimits: Object.fromEntries(
      ((host.Ulimits ?? []) as { Name: string; Soft: number; Hard: number }[]).map(({ Name, Soft, Hard }) => [
        Name,
        { soft: Soft, hard: Hard },
      ]),
    ),
    capAdd: (host.CapAdd ?? []).map((one: string) => one.replace(/^CAP_/, '')),
    readOnly: host.ReadonlyRootfs === true,
    // What it has at the moment may be less: see domain/neighbours.ts.
    memory: Number(labels[LABEL.memory] || host.Memory || 0),
    cpus: Number(labels[LABEL.cpus] || (host.NanoCpus ?? 0) / 1e9),
    ...{ pids: host.PidsLimit ?? 0, shm: host.ShmSize ?? 0 },
  };
}

type Config = Partial<Pick<Docker.ContainerInspectInfo['Config'], 'Cmd' | 'Env' | 'Labels' | 'User' | 'WorkingDir'>> & {
  readonly Entrypoint?: string | string[] | null;
  readonly StopSignal?: string;
  readonly Healthcheck?: Partial<Record<keyof typeof HEALTH, number>> & { readonly Test?: string[] };
};

const HEALTH = { Interval: 'interval', Timeout: 'timeout', StartPeriod: 'startPeriod', Retries: 'retries' } as const;

function processOf(raw: unknown): ProcessFacts {
  const config = (raw ?? {}) as Config;
  return {
    command: config.Cmd ?? [],
    entrypoint: typeof config.Entrypoint === 'string' ? [config.Entrypoint] : (config.Entrypoint ?? []),
    environment: config.Env ?? [],
    labels: config.Labels ?? {},
    user: config.User ?? '',
    workingDir: config.WorkingDir ?? '',
    stopSignal: config.StopSignal ?? '',
    health: config.Healthcheck && healthOf(config.Healthcheck),
  };
}

function healthOf(check: NonNullable<Config['Healthcheck']>): HealthFacts {
  return {
    test: check.Test ?? [],
    ...{ interval: check.Interval ?? 0, timeout: check.Timeout ?? 0 },
    ...{ startPeriod: check.StartPeriod ?? 0, retries: check.Retries ?? 0 },
  };
}

function restartOf(policy: Docker.HostRestartPolicy | undefined): string {
  const name = policy?.Name || 'no';
  return policy?.MaximumRetryCount ? `${name}:${policy.MaximumRetryCount}` : name;
}

/** Without the names that every engine gives by itself. */
function networksOf(info: Docker.ContainerInspectInfo, service: string, keys: Names): RunningService['networks'] {
  const usual = new Set([service, info.Name.slice(1), info.Id.slice(0, 12)]);
  return new Map(
    Object.entries(info.NetworkSettings.Networks ?? {}).flatMap(([name, one]) => {
      const key = keys.get(name);
      if (key === undefined) return [];
      const aliases = (one.Aliases ?? []) as readonly string[];
      return [[key, [...new Set(aliases)].filter((alias) => !usual.has(alias))] as const];
    }),
  );
}

async function mountOf(docker: Docker, mount: Docker.MountSettings): Promise<RunningMount> {
  const { Source: source, Target: target } = mount;
  if (mount.Type === 'tmpfs') {
    const size = mount.TmpfsOptions?.SizeBytes;
    return { kind: 'tmpfs', target, ...(size === undefined ? {} : { sizeBytes: size }) };
  }
  if (mount.Type !== 'volume') return { kind: 'bind', source, target };
  const info = await orGone(docker.getVolume(source).inspect());
  const volume = info?.Labels?.['com.docker.compose.volume'] ?? source;
  return { kind: 'volume', volume, target, readOnly: mount.ReadOnly === true };
}
