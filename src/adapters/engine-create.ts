/**
 * Makes containers of a compose model by the engine's API, as `docker compose create` would: that takes five times as long, most
 * of it to begin. test/real/create.test.ts holds the two together.
 */
import { readFile } from 'node:fs/promises';
import type Docker from 'dockerode';
import { z } from 'zod';
import { undouble } from '../domain/dollars.ts';
import { nanosecondsOf } from '../domain/duration.ts';
import { LABEL } from '../domain/labels.ts';
import type { Maker } from '../domain/ports.ts';
import { failed } from './engine-errors.ts';

const text = z.string().transform(undouble);
const texts = z.array(text);
const map = z.record(text, text);
const bytes = z.coerce.number();
const nanoseconds = z.string().transform((one, context) => {
  const found = nanosecondsOf(one);
  if (found === undefined) context.addIssue(`'${one}' is not a duration`);
  return found ?? 0;
});

const mount = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('volume'), source: text, target: text, read_only: z.boolean() }),
  z.strictObject({ type: z.literal('tmpfs'), target: text, tmpfs: z.strictObject({ size: bytes }).optional() }),
  z.strictObject({
    type: z.literal('bind'),
    source: text,
    target: text,
    read_only: z.boolean(),
    // Never made by the engine where it is missing.
    bind: z.strictObject({ create_host_path: z.literal(false) }),
  }),
]);

const healthcheck = z.strictObject({
  disable: z.boolean().optional(),
  test: texts.nullish(),
  interval: nanoseconds.optional(),
  timeout: nanoseconds.optional(),
  start_period: nanoseconds.optional(),
  start_interval: nanoseconds.optional(),
  retries: z.coerce.number().optional(),
});

/** Strict: a key that is not turned into something here is an error, not a wall that is silently missing. */
const service = z.strictObject({
  image: text,
  pull_policy: z.literal('never'),
  command: texts.nullish(),
  entrypoint: texts.nullish(),
  environment: map,
  labels: map,
  user: text.optional(),
  working_dir: text.optional(),
  hostname: text.optional(),
  domainname: text.optional(),
  tty: z.boolean().optional(),
  stdin_open: z.boolean().optional(),
  stop_signal: text.optional(),
  stop_grace_period: nanoseconds.optional(),
  init: z.boolean(),
  restart: text.optional(),
  healthcheck,
  networks: z.record(z.string(), z.strictObject({ aliases: texts })),
  volumes: z.array(mount),
  dns: texts.optional(),
  dns_opt: texts.optional(),
  dns_search: texts.optional(),
  extra_hosts: texts.optional(),
  group_add: z.array(z.union([text, z.number().transform(String)])).optional(),
  security_opt: texts,
  cap_add: texts,
  cap_drop: texts,
  devices: z.array(z.strictObject({ source: text, target: text, permissions: text.optional() })).optional(),
  sysctls: z.record(text, z.union([text, z.number().transform(String)])).optional(),
  read_only: z.boolean().optional(),
  mem_limit: bytes,
  memswap_limit: bytes,
  cpus: z.coerce.number(),
  pids_limit: z.coerce.number(),
  shm_size: bytes,
  ulimits: z.record(z.string(), z.union([z.number(), z.strictObject({ soft: z.number(), hard: z.number() })])),
  logging: z.strictObject({ driver: text, options: map }),
});

const model = z.strictObject({
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.strictObject({ name: text, external: z.literal(true) })),
  volumes: z.record(z.string(), z.strictObject({ name: text, labels: map })),
});

type Service = z.output<typeof service>;
type Model = z.output<typeof model>;

export function containerMaker(docker: Docker): Maker {
  return {
    async create({ project, model: raw }) {
      const parsed = model.parse(raw);
      try {
        await Promise.all(
          Object.entries(parsed.volumes).map(([key, { name, labels }]) =>
            docker.createVolume({
              Name: name,
              Labels: { ...labels, [COMPOSE.project]: project, [COMPOSE.volume]: key },
            }),
          ),
        );
        const services = Object.entries(parsed.services);
        const ids = await Promise.all(services.map(([key, one]) => createOne(docker, project, key, one, parsed)));
        return new Map(services.map(([key], index) => [key, ids[index] ?? '']));
      } catch (cause) {
        throw failed('making the containers', cause, 'start-failed');
      }
    },
  };
}

/** By these `docker compose -p` finds what is its project's: `ps`, `logs`, `down` work as if it had made them. */
const COMPOSE = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  number: 'com.docker.compose.container-number',
  oneOff: 'com.docker.compose.oneoff',
  hash: 'com.docker.compose.config-hash',
  volume: 'com.docker.compose.volume',
} as const;

async function createOne(docker: Docker, project: string, key: string, one: Service, all: Model): Promise<string> {
  const networks = Object.entries(one.networks).map(([network, { aliases }]) => ({
    name: all.networks[network]?.name ?? network,
    aliases,
  }));
  const [first, ...others] = networks;
  const container = await docker.createContainer({
    name: `${project}-${key}-1`,
    Image: one.image,
    ...(one.command ? { Cmd: one.command } : {}),
    ...(one.entrypoint ? { Entrypoint: one.entrypoint } : {}),
    Env: Object.entries(one.environment).map(([name, value]) => `${name}=${value}`),
    Labels: {
      ...one.labels,
      [COMPOSE.project]: project,
      [COMPOSE.service]: key,
      [COMPOSE.number]: '1',
      [COMPOSE.oneOff]: 'False',
      [COMPOSE.hash]: one.labels[LABEL.config] ?? '',
    },
    ...defined({
      User: one.user,
      WorkingDir: one.working_dir,
      Hostname: one.hostname,
      Domainname: one.domainname,
      StopSignal: one.stop_signal,
      StopTimeout: one.stop_grace_period === undefined ? undefined : Math.ceil(one.stop_grace_period / 1e9),
    }),
    Tty: one.tty ?? false,
    OpenStdin: one.stdin_open ?? false,
    Healthcheck: healthOf(one.healthcheck),
    HostConfig: await hostConfig(one, all, first?.name ?? 'none'),
    ...(first ? { NetworkingConfig: { EndpointsConfig: { [first.name]: { Aliases: first.aliases } } } } : {}),
  });
  // Engines before 25 take one network when they make a container.
  for (const { name, aliases } of others) {
    await docker.getNetwork(name).connect({ Container: container.id, EndpointConfig: { Aliases: aliases } });
  }
  return container.id;
}

async function hostConfig(one: Service, all: Model, network: string): Promise<Docker.HostConfig> {
  return {
    NetworkMode: network,
    Init: one.init,
    RestartPolicy: restartOf(one.restart ?? 'no'),
    LogConfig: { Type: one.logging.driver, Config: one.logging.options },
    Mounts: one.volumes.map((mount): Docker.MountSettings => {
      if (mount.type === 'tmpfs') {
        const size = mount.tmpfs?.size;
        const sized = size === undefined ? {} : { TmpfsOptions: { SizeBytes: size, Mode: 0o1777 } };
        return { Type: 'tmpfs', Source: '', Target: mount.target, ...sized };
      }
      const source = mount.type === 'volume' ? (all.volumes[mount.source]?.name ?? mount.source) : mount.source;
      return { Type: mount.type, Source: source, Target: mount.target, ReadOnly: mount.read_only };
    }),
    ...defined({ Dns: one.dns, DnsOptions: one.dns_opt, DnsSearch: one.dns_search, GroupAdd: one.group_add }),
    ExtraHosts: (one.extra_hosts ?? []).map((host) => host.replace('=', ':')),
    SecurityOpt: await Promise.all(one.security_opt.map(securityOption)),
    CapAdd: one.cap_add,
    CapDrop: one.cap_drop,
    ...defined({
      Sysctls: one.sysctls,
      Devices: one.devices?.map(({ source, target, permissions = 'rwm' }) => ({
        PathOnHost: source,
        PathInContainer: target,
        CgroupPermissions: permissions,
      })),
    }),
    ReadonlyRootfs: one.read_only ?? false,
    Memory: one.mem_limit,
    MemorySwap: one.memswap_limit,
    NanoCpus: Math.round(one.cpus * 1e9),
    PidsLimit: one.pids_limit,
    ShmSize: one.shm_size,
    Ulimits: Object.entries(one.ulimits).map(([Name, limit]) =>
      typeof limit === 'number' ? { Name, Soft: limit, Hard: limit } : { Name, Soft: limit.soft, Hard: limit.hard },
    ),
  };
}

/** The engine takes the profile itself, not its path. */
async function securityOption(option: string): Promise<string> {
  const file = /^seccomp:(.+)$/.exec(option)?.[1];
  return file === undefined ? option : `seccomp=${JSON.stringify(JSON.parse(await readFile(file, 'utf8')))}`;
}

/** Without a test of its own, that of the image, at the pace that is said. */
function healthOf(check: Service['healthcheck']): Docker.HealthConfig {
  if (check.disable) return { Test: ['NONE'] };
  return defined({
    Test: check.test ?? undefined,
    Interval: check.interval,
    Timeout: check.timeout,
    StartPeriod: check.start_period,
    StartInterval: check.start_interval,
    Retries: check.retries,
  });
}

function restartOf(policy: string): Docker.HostRestartPolicy {
  const [name = '', times] = policy.split(':');
  return { Name: name, ...(times === undefined ? {} : { MaximumRetryCount: Number(times) }) };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
