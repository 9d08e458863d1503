/** One question each, of the host and its engine. Pure. */

import { isLoopback } from '../domain/loopback.ts';
import { socketMount } from './container-judges.ts';
import { type DiskFacts, type EngineFacts, type Facts, isUnseen, type Listener } from './facts.ts';
import { DAY_MS, days, isReachable } from './measures.ts';
import { hasPart, isOwnPart } from './part-judges.ts';
import { list, shown } from './shown.ts';
import { found, type Verdict } from './verdict.ts';

/** Lines of the engine that are mended no more, by anyone, and those that only distributions mend. */
const OLD_ENGINE = 25;
const ENDED_ENGINE = 28;
const YEAR = 365 * DAY_MS;

/** Asks the engine's facts, where there are any. */
function ofEngine(judge: (engine: EngineFacts, facts: Facts) => Verdict): (facts: Facts) => Verdict {
  return (facts) => (isUnseen(facts.engine) ? { unseen: 'the engine does not answer' } : judge(facts.engine, facts));
}

export function engineSeen({ engine }: Facts): Verdict {
  return isUnseen(engine)
    ? found(`nothing of the engine and of what runs could be graded: ${shown(engine.unseen)}`)
    : undefined;
}

export const engineVersion = ofEngine(({ version }) => {
  const line = Number.parseInt(version, 10);
  if (Number.isNaN(line)) return { unseen: `the engine's version '${version}' says nothing` };
  if (line < OLD_ENGINE) return found(`it is ${version}: nobody mends that line any more`, 'fail');
  if (line >= ENDED_ENGINE) return undefined;
  // Debian and its kin carry mends back, and mark their builds.
  return /dfsg|ubuntu|\.el\d|deb\d|-\d+$/i.test(version)
    ? found(`it is ${version}: Docker mends that line no more, the distribution does`, 'info')
    : found(`it is ${version}: Docker mends that line no more`);
});

export const engineAge = ofEngine(({ built }, { at }) => {
  if (built === undefined) return { unseen: 'the engine does not say when it was built' };
  return at - built > YEAR ? found(`it was built ${days(at - built)} ago`) : undefined;
});

export function kernelVersion({ host }: Facts): Verdict {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(host.kernel.release) ?? [];
  if (major === undefined) return { unseen: 'the kernel does not say its version' };
  const version = Number(major) * 1000 + Number(minor);
  if (version < 4_018) return found(`it is ${host.kernel.release}: nobody mends that line any more`, 'fail');
  return version < 5_010 ? found(`it is ${host.kernel.release}: only some distributions mend that line`) : undefined;
}

export function kernelAge({ host, at }: Facts): Verdict {
  const { built } = host.kernel;
  if (built === undefined) return { unseen: 'the kernel does not say when it was built' };
  return at - built > YEAR ? found(`the running one was built ${days(at - built)} ago`) : undefined;
}

export function kernelRestart({ host }: Facts): Verdict {
  return host.kernel.restartWaits ? found('an update waits for a restart of the host') : undefined;
}

export const usernsRemap = ofEngine(({ securityOptions }) =>
  securityOptions.some((one) => /\bname=(?:userns|rootless)\b/.test(one))
    ? undefined
    : found("root in a container is the host's root, but for capabilities and filters"),
);

export const seccompEngine = ofEngine(({ securityOptions }) => {
  const option = securityOptions.find((one) => /\bname=seccomp\b/.test(one));
  if (option === undefined) return found('the engine filters no system calls: it or its kernel has no seccomp');
  return /profile=unconfined/.test(option) ? found("the engine's default is to filter no system calls") : undefined;
});

export const mandatoryAccess = ofEngine(({ securityOptions }) =>
  securityOptions.some((one) => /\bname=(?:apparmor|selinux)\b/.test(one))
    ? undefined
    : found('the engine uses neither AppArmor nor SELinux'),
);

export const liveRestore = ofEngine(({ liveRestore }) =>
  liveRestore ? undefined : found('all containers end when the engine is restarted, as an update does'),
);

export const cgroupLimits = ofEngine(({ limits }) => {
  const absent = Object.entries(limits).flatMap(([name, there]) => (there ? [] : [name]));
  if (absent.length === 0) return undefined;
  return found(`it cannot limit ${absent.join(', ')}`, absent.join() === 'swap' ? 'warn' : 'fail');
});

export const cgroupVersion = ofEngine(({ cgroupVersion }) =>
  cgroupVersion === '2'
    ? undefined
    : found(`it is version ${cgroupVersion || 'unknown'}: containers see the host's cgroups`),
);

export const centralLogs = ofEngine(({ loggingDriver }) =>
  ['json-file', 'local', 'none', 'db'].includes(loggingDriver)
    ? found(`the engine keeps them to itself (${loggingDriver})`)
    : undefined,
);

export const insecureRegistries = ofEngine(({ insecureRegistries }) => {
  const open = insecureRegistries.filter((one) => !/^(?:127\.|::1|\[::1\]|localhost(?::|$))/.test(one));
  return open.length > 0 ? found(`the engine speaks without TLS to ${list(open)}`) : undefined;
});

/** Treehouse's own are asked by a rule of their own. */
function strangersOf({ others }: EngineFacts, { settings }: Facts): EngineFacts['others'] {
  return others.filter(({ part }) => !isOwnPart(part, settings.home));
}

export const neighboursOfPreviews = ofEngine((engine, facts) => {
  const names = strangersOf(engine, facts).map((one) => one.name);
  return names.length === 0
    ? undefined
    : found(`beside the previews run ${names.length} other containers: ${list(names, 4)}`);
});

export const dangerousNeighbours = ofEngine((engine, facts) => {
  const open = strangersOf(engine, facts).filter((one) => one.privileged || one.mounts.some(socketMount));
  return open.length === 0
    ? undefined
    : found(
        `privileged, or with the engine's socket: ${list(
          open.map((one) => one.name),
          4,
        )}`,
      );
});

export function apiExposed({ host }: Facts): Verdict {
  const { plainApi } = host;
  if (isUnseen(plainApi)) return plainApi;
  if (plainApi.length === 0) return undefined;
  const open = plainApi.some((one) => isReachable(one.address));
  const where = list(plainApi.map(addressOf));
  return open
    ? found(`it answers anyone without TLS at ${where}: who asks is root here`)
    : found(`it answers every user of this host without TLS at ${where}`, 'warn');
}

export function engineReached({ settings, engine }: Facts): Verdict {
  // In a network of their own, and by a list of what may be asked.
  if (settings.engineHere === true && hasPart(engine, settings.home, 'docker-socket-proxy')) return undefined;
  if (settings.dockerHost === undefined || !/^(?:tcp|http):/.test(settings.dockerHost)) return undefined;
  const { hostname, host } = new URL(settings.dockerHost);
  return isLoopback(hostname)
    ? found(`Treehouse reaches it by TCP at ${host}`, 'info')
    : found(`Treehouse reaches it without TLS at ${host}`);
}

export function socketMode({ host, engine }: Facts): Verdict {
  const { socket } = host;
  if (socket === undefined || isUnseen(socket)) return socket;
  const isRootless = !isUnseen(engine) && engine.securityOptions.some((one) => /\bname=rootless\b/.test(one));
  if (socket.uid !== 0 && !isRootless)
    return found(`${socket.path} is owned by the user ${socket.uid}, who is root by it`);
  if ((socket.mode & 0o006) !== 0) return found(`every user may use ${socket.path} (${octal(socket.mode)})`);
  return undefined;
}

export function dockerGroup({ host }: Facts): Verdict {
  const { socket } = host;
  if (socket === undefined || isUnseen(socket)) return socket;
  if ((socket.mode & 0o060) === 0 || socket.members.length === 0) return undefined;
  return found(`by the group ${socket.group} these are root here: ${list(socket.members)}`);
}

export function isVirtual({ host }: Facts): Verdict {
  if (isUnseen(host.virtual)) return host.virtual;
  return host.virtual
    ? undefined
    : found('it is a machine of its own: nothing but the kernel is between it and previews');
}

export function diskSpace({ host }: Facts): Verdict {
  const tight = host.disks.filter((one) => Math.min(one.space, one.inodes) < 0.15);
  if (tight.length === 0) return undefined;
  const least = Math.min(...tight.map((one) => Math.min(one.space, one.inodes)));
  return found(tight.map(diskText).join('; '), least < 0.05 ? 'fail' : 'warn');
}

export function diskApart({ host }: Facts): Verdict {
  const shared = host.disks.filter((one) => one.isRoot);
  return shared.length === 0
    ? undefined
    : found(`on the file system of the host itself: ${shared.map((one) => `${one.what} (${one.path})`).join(', ')}`);
}

function diskText(disk: DiskFacts): string {
  const percent = (share: number) => `${Math.floor(share * 100)}%`;
  const left =
    disk.space <= disk.inodes ? `${percent(disk.space)} of the space` : `${percent(disk.inodes)} of the inodes`;
  return `${left} is free for ${disk.what} (${disk.path})`;
}

export function addressOf(one: Listener): string {
  return one.address.includes(':') ? `[${one.address}]:${one.port}` : `${one.address}:${one.port}`;
}

export function octal(mode: number): string {
  return `0${(mode & 0o7777).toString(8)}`;
}
