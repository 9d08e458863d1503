/** What an audit asks the engine: versions, options, and every running container as the engine says it is. Reads alone. */
import type Docker from 'dockerode';
import type {
  ContainerFacts,
  EngineFacts,
  ImageFacts,
  MountFacts,
  NetworkFacts,
  PartFacts,
  ProcessFacts,
  Seen,
} from '../audit/facts.ts';
import type { AuditEngine } from '../audit/ports.ts';
import { historySecrets, secretArguments, secretNames } from '../audit/secret-looking.ts';
import { shown } from '../audit/shown.ts';
import { LABEL } from '../domain/labels.ts';
import { messageOf, TreehouseError } from '../errors.ts';

/** A busy engine takes seconds; one that hangs is away. */
const WITHIN_MS = 20_000;
const AT_ONCE = 8;
/** Images that are built to be reproducible are dated 1970 or 1980. */
const EPOCH = Date.UTC(2000, 0, 1);

type Inspected = Docker.ContainerInspectInfo;

interface Image {
  readonly facts: ImageFacts;
  /** `NAME=value`, so that a container's own can be told apart; it goes no further. */
  readonly env: ReadonlySet<string>;
}

export function engineAudit(docker: Docker): AuditEngine {
  return {
    async observe() {
      const [version, raw, listed, volumes] = await Promise.all([
        answer('asking its version', docker.version()),
        answer('asking how it is set up', docker.info()),
        answer('listing containers', docker.listContainers()),
        answer('listing volumes', docker.listVolumes()),
      ]);
      const devices = new Map(
        (volumes.Volumes ?? []).flatMap((one) => {
          const device = one.Options?.device;
          return device?.startsWith('/') ? [[one.Name, device] as const] : [];
        }),
      );
      const inspected = (
        await pooled(listed, (one) => gone(answer('looking at a container', docker.getContainer(one.Id).inspect())))
      ).filter((one) => one !== undefined);
      const networks = membersOf(inspected);
      const images = imagesOf(docker);
      const mine = inspected.filter((one) => one.Config.Labels?.[LABEL.preview] !== undefined);
      const containers = await pooled(mine, async (one) =>
        containerFacts(one, {
          processes: await processesOf(docker, one.Id),
          image: await images(one.Image),
          networks: networksOf(one, networks),
          devices,
        }),
      );
      return {
        ...setup(raw as Record<string, unknown>),
        version: version.Version,
        built: dateOf(String(version.BuildTime ?? '')),
        containers,
        others: await pooled(
          inspected.filter((one) => !mine.includes(one)),
          async (one) => ({
            name: nameOf(one),
            privileged: one.HostConfig.Privileged === true,
            mounts: mountsOf(one, devices),
            part: await partFacts(one, images, devices),
          }),
        ),
      };
    },
  };
}

function setup(info: Record<string, unknown>): Omit<EngineFacts, 'version' | 'built' | 'containers' | 'others'> {
  const registries = (info.RegistryConfig ?? {}) as {
    InsecureRegistryCIDRs?: string[] | null;
    IndexConfigs?: Record<string, { Secure?: boolean }> | null;
  };
  const named = Object.entries(registries.IndexConfigs ?? {}).flatMap(([name, one]) =>
    one.Secure === false ? [name] : [],
  );
  return {
    securityOptions: (info.SecurityOptions as string[] | null) ?? [],
    liveRestore: info.LiveRestoreEnabled === true,
    rootDir: String(info.DockerRootDir ?? ''),
    loggingDriver: String(info.LoggingDriver ?? ''),
    cgroupVersion: String(info.CgroupVersion ?? ''),
    limits: {
      memory: info.MemoryLimit === true,
      swap: info.SwapLimit === true,
      cpu: info.CpuCfsQuota === true,
      pids: info.PidsLimit === true,
    },
    insecureRegistries: [...(registries.InsecureRegistryCIDRs ?? []), ...named],
  };
}

/** By labels of docker-compose.yml. */
const PART = { name: 'treehouse.part', home: 'treehouse.home' };

async function partFacts(
  info: Inspected,
  images: ReturnType<typeof imagesOf>,
  devices: ReadonlyMap<string, string>,
): Promise<PartFacts | undefined> {
  const { [PART.name]: name, [PART.home]: home } = info.Config.Labels ?? {};
  if (name === undefined || home === undefined) return undefined;
  const beside = { processes: [], image: await images(info.Image), networks: [], devices };
  return { name, home, container: containerFacts(info, beside) };
}

interface Beside {
  readonly processes: Seen<readonly ProcessFacts[]>;
  readonly image: Image | { readonly unseen: string };
  readonly networks: readonly NetworkFacts[];
  readonly devices: ReadonlyMap<string, string>;
}

function containerFacts(info: Inspected, beside: Beside): ContainerFacts {
  const host = info.HostConfig;
  const labels = info.Config.Labels ?? {};
  const check = info.Config.Healthcheck?.Test ?? [];
  const isKnown = 'facts' in beside.image;
  return {
    id: info.Id,
    instance: labels[LABEL.instance] ?? '',
    preview: labels[LABEL.preview] ?? '',
    service: labels[LABEL.service] || nameOf(info),
    role: labels[LABEL.role] ?? '',
    privileged: host.Privileged === true,
    user: info.Config.User ?? '',
    capAdd: host.CapAdd ?? [],
    capDrop: host.CapDrop ?? [],
    securityOpt: host.SecurityOpt ?? [],
    appArmorProfile: (info as { AppArmorProfile?: string }).AppArmorProfile ?? '',
    readOnlyRoot: host.ReadonlyRootfs === true,
    memory: host.Memory ?? 0,
    memorySwap: host.MemorySwap ?? 0,
    cpu: (host.NanoCpus ?? 0) > 0 || (host.CpuQuota ?? 0) > 0,
    pids: host.PidsLimit ?? 0,
    oomKillDisabled: host.OomKillDisable === true,
    devices: (host.Devices?.length ?? 0) + (host.DeviceRequests?.length ?? 0) + (host.DeviceCgroupRules?.length ?? 0),
    networkMode: host.NetworkMode ?? '',
    pidMode: host.PidMode ?? '',
    ipcMode: host.IpcMode ?? '',
    utsMode: (host as { UTSMode?: string }).UTSMode ?? '',
    usernsMode: host.UsernsMode ?? '',
    cgroupnsMode: (host as { CgroupnsMode?: string }).CgroupnsMode ?? '',
    networks: beside.networks,
    mounts: mountsOf(info, beside.devices),
    ports: portsOf(info),
    hasHealthCheck: check.length > 0 && check[0] !== 'NONE' && check[0] !== '',
    restart: host.RestartPolicy?.Name ?? '',
    logDriver: host.LogConfig?.Type ?? '',
    logOptions: host.LogConfig?.Config ?? {},
    // What the image sets is the image's fault.
    secretVariables: secretNames(info.Config.Env ?? [], 'env' in beside.image ? beside.image.env : undefined),
    secretArguments: secretArguments([info.Path, ...info.Args]),
    pid: info.State.Pid,
    processes: beside.processes,
    imageName: info.Config.Image,
    image: isKnown ? beside.image.facts : (beside.image as { unseen: string }),
  };
}

function mountsOf(info: Inspected, devices: ReadonlyMap<string, string>): readonly MountFacts[] {
  return (info.Mounts ?? []).map((one) => {
    const device = one.Name === undefined ? undefined : devices.get(one.Name);
    const type = String((one as { Type?: string }).Type ?? '');
    return {
      // A volume may be a folder of the host under another name.
      type: device === undefined ? type : 'bind',
      source: device ?? one.Source ?? '',
      target: one.Destination,
      writable: one.RW,
    };
  });
}

function portsOf(info: Inspected): ContainerFacts['ports'] {
  const asked = (info.HostConfig.PortBindings ?? {}) as Record<string, { HostIp?: string }[] | null>;
  const given = (info.NetworkSettings.Ports ?? {}) as Record<string, { HostIp?: string }[] | null>;
  const found = new Map<string, { port: string; address: string }>();
  for (const [port, bindings] of [...Object.entries(asked), ...Object.entries(given)]) {
    for (const { HostIp } of bindings ?? []) {
      const address = HostIp || '0.0.0.0';
      found.set(`${port} ${address}`, { port, address });
    }
  }
  return [...found.values()];
}

type Members = ReadonlyMap<string, readonly Inspected[]>;

function membersOf(all: readonly Inspected[]): Members {
  const members = new Map<string, Inspected[]>();
  for (const one of all) {
    for (const name of Object.keys(one.NetworkSettings.Networks ?? {})) {
      members.set(name, [...(members.get(name) ?? []), one]);
    }
  }
  return members;
}

function networksOf(info: Inspected, members: Members): readonly NetworkFacts[] {
  const previewOf = (one: Inspected) => one.Config.Labels?.[LABEL.preview];
  const instanceOf = (one: Inspected) => one.Config.Labels?.[LABEL.instance] ?? '';
  return Object.keys(info.NetworkSettings.Networks ?? {}).map((name) => {
    const others = (members.get(name) ?? []).filter(
      (one) => previewOf(one) !== previewOf(info) || instanceOf(one) !== instanceOf(info),
    );
    return {
      name,
      previews: others.flatMap((one) => previewOf(one) ?? []),
      strangers: others.filter((one) => previewOf(one) === undefined).map(nameOf),
    };
  });
}

/** Each image is asked once. */
function imagesOf(docker: Docker): (id: string) => Promise<Image | { readonly unseen: string }> {
  const asked = new Map<string, Promise<Image | { readonly unseen: string }>>();
  const ask = async (id: string) => {
    const of = docker.getImage(id);
    const info = await answer('looking at an image', of.inspect());
    const history = (await answer('reading an image’s history', of.history())) as { CreatedBy?: string }[];
    const env = info.Config?.Env ?? [];
    const created = dateOf(info.Created);
    const labels = info.Config?.Labels ?? {};
    const secrets = [...secretNames(env), ...historySecrets(history.map((one) => one.CreatedBy ?? ''))];
    const facts: ImageFacts = {
      user: info.Config?.User ?? '',
      created,
      size: info.Size,
      hasDigest: (info.RepoDigests ?? []).length > 0,
      isBuilt: labels[LABEL.role] === 'image',
      secrets: [...new Map(secrets.map((one) => [one.name, one])).values()],
    };
    return { facts, env: new Set(env) };
  };
  return (id) => {
    const known = asked.get(id) ?? ask(id).catch((error: unknown) => ({ unseen: messageOf(error) }));
    asked.set(id, known);
    return known;
  };
}

async function processesOf(docker: Docker, id: string): Promise<Seen<readonly ProcessFacts[]>> {
  try {
    const top = (await answer('listing processes', docker.getContainer(id).top({ ps_args: '-eo pid,ppid,comm' }))) as {
      Processes?: string[][] | null;
    };
    return (top.Processes ?? []).map(([pid, parent, program]) => ({
      pid: Number(pid),
      parent: Number(parent),
      program: (program ?? '').split(/[\s:]/)[0] ?? '',
    }));
  } catch (error) {
    return { unseen: messageOf(error) };
  }
}

function nameOf(info: Inspected): string {
  return shown(info.Name.replace(/^\//, ''));
}

function dateOf(text: string): number | undefined {
  const at = Date.parse(text);
  return Number.isNaN(at) || at < EPOCH ? undefined : at;
}

/** @throws {TreehouseError} `engine-away`. */
async function answer<T>(act: string, asked: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${WITHIN_MS / 1000} s`)), WITHIN_MS);
  });
  try {
    return await Promise.race([asked, late]);
  } catch (cause) {
    throw new TreehouseError('engine-away', `${act} failed: ${messageOf(cause)}`, { kind: 'transient', cause });
  } finally {
    clearTimeout(timer);
  }
}

/** What ended meanwhile is not graded. */
async function gone<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    const status = ((error as Error).cause as { statusCode?: number } | undefined)?.statusCode;
    if (status === 404) return undefined;
    throw error;
  });
}

async function pooled<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = [...all.entries()];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = queue.shift(); next; next = queue.shift()) results[next[0]] = await work(next[1]);
    }),
  );
  return results;
}
