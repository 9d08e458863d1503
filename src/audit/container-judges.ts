/** One question each, of a running container and the image that it is made from. Pure. */
import { GRANTABLE_CAPABILITIES } from '../domain/isolation.ts';
import { isLoopback } from '../domain/loopback.ts';
import { type ContainerFacts, isUnseen, type MountFacts, type ProcessFacts } from './facts.ts';
import { DAY_MS, days } from './measures.ts';
import { list, shown } from './shown.ts';
import { found, type Verdict } from './verdict.ts';

/** Docker's own set, as the talk lists it. */
const DOCKER_CAPABILITIES = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
];

export function privileged(one: ContainerFacts): Verdict {
  return one.privileged ? found('it runs privileged: it may do what root of the host may') : undefined;
}

/** Where root in a container is nobody on the host, it matters less. */
export function userRoot(isRemapped: boolean): (one: ContainerFacts) => Verdict {
  return ({ user, image }) => {
    if (!isRoot(user)) return undefined;
    const says = isUnseen(image)
      ? ''
      : isRoot(image.user)
        ? `: its image says ${image.user === '' ? 'no USER' : `USER ${shown(image.user)}`}`
        : `, though its image says USER ${shown(image.user)}`;
    return found(`it runs as root${says}`, isRemapped ? 'info' : 'warn');
  };
}

function isRoot(user: string): boolean {
  return ['', 'root', '0'].includes(user.split(':', 1)[0] ?? '');
}

export function capsAdded(one: ContainerFacts): Verdict {
  if (one.privileged) return found('it has all capabilities');
  const added = capabilities(one).filter((name) => !DOCKER_CAPABILITIES.includes(name));
  return added.length > 0 ? found(`it has ${list(added)}`) : undefined;
}

export function capsKept(one: ContainerFacts): Verdict {
  const kept = capabilities(one).filter(
    (name) => DOCKER_CAPABILITIES.includes(name) && !GRANTABLE_CAPABILITIES.has(name),
  );
  return kept.length > 0 ? found(`it has ${list(kept)}`) : undefined;
}

/** As Docker reads the two lists: what is added wins over what is dropped. */
function capabilities({ capAdd, capDrop }: ContainerFacts): readonly string[] {
  const names = (all: readonly string[]) => all.map((one) => one.toUpperCase().replace(/^CAP_/, ''));
  const [added, dropped] = [names(capAdd), names(capDrop)];
  const kept = dropped.includes('ALL') ? [] : DOCKER_CAPABILITIES.filter((one) => !dropped.includes(one));
  return [...new Set([...kept, ...added])].sort();
}

export function newPrivileges({ securityOpt }: ContainerFacts): Verdict {
  return securityOpt.some((one) => /^no-new-privileges(?:[:=]true)?$/.test(one))
    ? undefined
    : found('a program with the setuid bit makes a user root in it');
}

export function seccomp({ securityOpt, privileged: isPrivileged }: ContainerFacts): Verdict {
  const option = securityOpt.find((one) => /^seccomp[:=]/.test(one));
  if (isPrivileged || (option !== undefined && /^seccomp[:=]unconfined$/.test(option)))
    return found('no system call is kept from it');
  return option === undefined ? found("it runs under the engine's own profile, not Treehouse's", 'info') : undefined;
}

export function appArmor({ appArmorProfile, privileged: isPrivileged }: ContainerFacts): Verdict {
  // Empty: the engine has no AppArmor, which is a matter of the host.
  return appArmorProfile === 'unconfined' && !isPrivileged ? found('AppArmor is switched off for it') : undefined;
}

export function readOnlyRoot(one: ContainerFacts): Verdict {
  return one.readOnlyRoot ? undefined : found('it may write to its whole file system');
}

export function memory(one: ContainerFacts): Verdict {
  if (one.memory <= 0) return found('it may use all memory of the host');
  return one.memorySwap < 0 ? found('it may use all swap of the host', 'warn') : undefined;
}

export function cpu(one: ContainerFacts): Verdict {
  return one.cpu ? undefined : found('it may use all CPU time of the host');
}

export function pids(one: ContainerFacts): Verdict {
  return one.pids > 0 ? undefined : found('it may start processes without end (a fork bomb)');
}

export function oomKill(one: ContainerFacts): Verdict {
  return one.oomKillDisabled ? found('it is not ended where memory is short') : undefined;
}

export function devices(one: ContainerFacts): Verdict {
  return one.devices > 0 ? found(`it has ${one.devices} devices of the host`) : undefined;
}

export function defaultNetwork({ networkMode, networks }: ContainerFacts): Verdict {
  return ['bridge', 'default'].includes(networkMode) || networks.some((one) => one.name === 'bridge')
    ? found('it is in the network that every container without one shares')
    : undefined;
}

/** With the first version of cgroups the engine gives every container the host's: that is a matter of the host. */
export function namespaces(hasCgroup2: boolean): (one: ContainerFacts) => Verdict {
  return (one) => {
    const shared = Object.entries({
      network: one.networkMode,
      pid: one.pidMode,
      ipc: one.ipcMode,
      uts: one.utsMode,
      user: one.usernsMode,
      cgroup: hasCgroup2 ? one.cgroupnsMode : '',
    }).flatMap(([name, mode]) => {
      if (mode === 'host') return [`the host's ${name} namespace`];
      return /^(?:container|ns):/.test(mode) ? [`another container's ${name} namespace`] : [];
    });
    return shared.length > 0 ? found(`it is in ${shared.join(', ')}`) : undefined;
  };
}

export function sharedNetwork(gateway: string | undefined): (one: ContainerFacts) => Verdict {
  return ({ networks }) => {
    const own = networks.filter((one) => !['bridge', 'host', 'none'].includes(one.name));
    const previews = [...new Set(own.flatMap((one) => one.previews))];
    if (previews.length > 0) return found(`it shares a network with the preview ${list(previews, 3)}`);
    const strangers = [...new Set(own.flatMap((one) => one.strangers))].filter((one) => one !== gateway);
    return strangers.length > 0 ? found(`it shares a network with ${list(strangers, 3)}`, 'warn') : undefined;
  };
}

/** Nothing below these is a preview's. */
const SENSITIVE = /^\/(?:bin|boot|dev|etc|lib|lib32|lib64|proc|sbin|sys|usr|var\/lib\/(?:docker|containerd))(?:\/|$)/;
/** Nor these themselves; what lies in them may be. */
const SENSITIVE_ITSELF = /^\/(?:|home|home\/[^/]+|media|mnt|opt|root|run|srv|tmp|var|var\/(?:lib|log|run|tmp))$/;
/** Where people and programs keep keys, wherever it is. */
const KEYS = /\/\.(?:ssh|aws|docker|kube|gnupg|config\/gcloud)(?:\/|$)/;
/** Where Treehouse lays secrets in memory, `<instance>/<preview>/<layer>/<service>/<file>`: only files are for a container. */
const SECRETS = /^\/(?:run|dev\/shm)\/treehouse-\d+(?:\/|$)/;
const SECRET = /^\/(?:run|dev\/shm)\/treehouse-\d+(?:\/[^/]+){5}$/;
const SOCKET = /\/(?:docker|containerd|podman|crio|cri-dockerd|buildkitd)\.sock$/;

export function socketMount(mount: MountFacts): boolean {
  return mount.type === 'bind' && SOCKET.test(mount.source);
}

export function sockets({ mounts }: ContainerFacts): Verdict {
  const open = mounts.filter(socketMount);
  return open.length > 0 ? found(`${list(open.map(mountText))}: it is root of the host by it`) : undefined;
}

/** Binds of the host's folders that hold more than a preview's own; `home` is Treehouse's. */
export function sensitiveMounts(home: string): (one: ContainerFacts) => Verdict {
  return ({ mounts }) => {
    const open = mounts.filter((one) => one.type === 'bind' && isSensitive(one.source, home) && !socketMount(one));
    if (open.length === 0) return undefined;
    return found(list(open.map(mountText)), open.some((one) => one.writable) ? 'fail' : 'warn');
  };
}

function isSensitive(source: string, home: string): boolean {
  if (SECRETS.test(source)) return !SECRET.test(source);
  if (source === home || source.startsWith(`${home}/`)) return !source.startsWith(`${home}/builds/`);
  return SENSITIVE.test(source) || SENSITIVE_ITSELF.test(source) || KEYS.test(source) || home.startsWith(`${source}/`);
}

export function writableBinds({ mounts }: ContainerFacts): Verdict {
  const open = mounts.filter((one) => one.type === 'bind' && one.writable);
  return open.length > 0 ? found(list(open.map(mountText))) : undefined;
}

function mountText(mount: MountFacts): string {
  return `${shown(mount.source)} at ${shown(mount.target)}`;
}

export function ports(one: ContainerFacts): Verdict {
  if (one.ports.length === 0) return undefined;
  const open = one.ports.filter((port) => !isLoopback(port.address));
  return open.length > 0
    ? found(`it publishes ${list(open.map((port) => port.port))} past this host and its firewall`)
    : found(`it publishes ${list(one.ports.map((port) => port.port))} on loopback`, 'info');
}

export function healthCheck({ hasHealthCheck, role }: ContainerFacts): Verdict {
  return hasHealthCheck || role === 'test' ? undefined : found('nothing tells whether it works');
}

export function restarts({ restart }: ContainerFacts): Verdict {
  return ['always', 'unless-stopped'].includes(restart)
    ? found(`it is restarted without end (${restart}), also after the host was`)
    : undefined;
}

/** Programs that only start others. */
const STARTERS =
  /^(?:docker-init|tini|dumb-init|catatonit|init|s6-[\w-]+|runsvdir|runsv|runit|supervisord?|foreman|overmind|honcho|concurrently|npm|npx|yarn|pnpm|sh|ash|dash|bash|busybox|su|sudo|gosu|su-exec|env|timeout|entrypoint(?:\.sh)?|docker-entrypoi\w*)$/;

export function processes({ processes: all, pid }: ContainerFacts): Verdict {
  if (isUnseen(all)) return all;
  const programs = programsOf(all, pid);
  return programs.length > 1 ? found(`${programs.length} of them: ${list(programs)}`) : undefined;
}

/** Programs that nothing but starters stands above; workers of a program are its own. What `exec` brought in is not below. */
function programsOf(all: readonly ProcessFacts[], root: number): readonly string[] {
  const first = all.find((one) => one.pid === root);
  const below = (pid: number): readonly string[] =>
    all.flatMap((one) => (one.parent === pid && one.pid !== pid ? of(one) : []));
  const of = (one: ProcessFacts): readonly string[] => {
    if (!STARTERS.test(one.program)) return [one.program];
    const started = below(one.pid);
    return started.length > 0 || one.pid !== root ? started : [one.program];
  };
  return first ? of(first) : [];
}

export function secretVariables(one: ContainerFacts): Verdict {
  return one.secretVariables.length > 0
    ? found(list(one.secretVariables.map(({ name, why }) => `${name} (${why})`)))
    : undefined;
}

export function secretArguments(one: ContainerFacts): Verdict {
  return one.secretArguments.length > 0 ? found(`its command has ${list(one.secretArguments)}`) : undefined;
}

export function secretsInImage({ image }: ContainerFacts): Verdict {
  if (isUnseen(image)) return image;
  return image.secrets.length > 0
    ? found(`who has the image has ${list(image.secrets.map(({ name, why }) => `${name} (${why})`))}`)
    : undefined;
}

export function logs({ logDriver, logOptions }: ContainerFacts): Verdict {
  if (logDriver === 'none') return found('its log is thrown away');
  return logDriver === 'json-file' && !(logOptions['max-size'] ?? '').match(/^[1-9]/)
    ? found('its log grows until the disk is full')
    : undefined;
}

export function imageTag({ imageName, image }: ContainerFacts): Verdict {
  if (isUnseen(image) || image.isBuilt || imageName.includes('@')) return undefined;
  const tag = /:([^:/]+)$/.exec(imageName)?.[1];
  if (tag === undefined || tag === 'latest') return found(`${shown(imageName)} is whatever came last`);
  return image.hasDigest
    ? found(`${shown(imageName)} is no digest: it may be another image tomorrow`, 'info')
    : undefined;
}

export function imageAge(at: number): (one: ContainerFacts) => Verdict {
  return ({ image }) => {
    if (isUnseen(image)) return image;
    if (image.created === undefined) return { unseen: 'the image does not say when it was built' };
    const age = at - image.created;
    return age > 180 * DAY_MS ? found(`it was built ${days(age)} ago`) : undefined;
  };
}

export function imageSize({ image }: ContainerFacts): Verdict {
  if (isUnseen(image)) return image;
  return image.size > 1024 ** 3 ? found(`it is ${(image.size / 1024 ** 3).toFixed(1)} GiB large`) : undefined;
}
