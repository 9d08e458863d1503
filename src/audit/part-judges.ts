/**
 * What is asked of the containers that an installation itself is made of (docker-compose.yml): the same as of a preview's, but for
 * what a part cannot do without, which is named here with its reason. Pure.
 */
import * as container from './container-judges.ts';
import {
  type ContainerFacts,
  type EngineFacts,
  type Facts,
  isUnseen,
  type MountFacts,
  type PartFacts,
} from './facts.ts';
import { list, shown } from './shown.ts';
import { found, type Verdict } from './verdict.ts';

export interface Exception {
  /** Label `treehouse.part`. */
  readonly part: string;
  /** The rule of a container that is not asked of it. */
  readonly rule: string;
  readonly why: string;
}

/** docs/security.md shows this table. */
export const EXCEPTIONS: readonly Exception[] = [
  { part: 'walls', rule: 'namespaces', why: "the rules between previews and the host are those of the host's network" },
  { part: 'walls', rule: 'caps-added', why: 'NET_ADMIN sets these rules' },
  { part: 'walls', rule: 'caps-kept', why: 'folders that the engine made as root are given to the other parts' },
  {
    part: 'walls',
    rule: 'user-root',
    why: "rules of a network and the engine's folders are root's; it listens to nobody",
  },
  { part: 'docker-socket-proxy', rule: 'socket-mount', why: 'it is what stands before the socket, for all others' },
  { part: 'entrance', rule: 'published-ports', why: 'previews are visited through it' },
  { part: 'nginx-proxy', rule: 'published-ports', why: 'previews are visited through it' },
  { part: 'nginx-proxy', rule: 'user-root', why: 'its image begins as root, to listen at 80 and to become another' },
  { part: 'nginx-proxy', rule: 'caps-kept', why: 'as above' },
];

/** Folders that a part writes to: `HOME` is Treehouse's, `MEMORY` where secrets lie. */
const WRITES: Readonly<Record<string, readonly string[]>> = {
  walls: ['HOME', 'MEMORY', '/sys/fs/cgroup'],
  serve: ['HOME'],
  worker: ['HOME', 'MEMORY'],
  gateway: ['HOME/nginx'],
  redis: ['HOME/parts/redis'],
  registry: ['HOME/parts/registry'],
};
const MEMORY = /^\/(?:run|dev\/shm)\/treehouse-\d+$/;
/** What nobody but the host itself has to read. */
const CLOSED =
  /^\/(?:|boot|dev|etc|home|proc|root|run|sys|usr|var|var\/(?:lib|log|run))$|^\/(?:boot|proc|root)\/|\/\.ssh(?:\/|$)/;

/** Whether the container is one of this installation: it says so, and for which home. */
export function isOwnPart(part: PartFacts | undefined, home: string): part is PartFacts {
  return part !== undefined && part.home === home;
}

/** Whether that part of this installation runs. */
export function hasPart(engine: Facts['engine'], home: string, name: string): boolean {
  return !isUnseen(engine) && partsOf(engine, home).some((one) => one.name === name);
}

export function ownParts({ engine, settings }: Facts): Verdict {
  if (isUnseen(engine)) return { unseen: 'the engine does not answer' };
  const faults = partsOf(engine, settings.home).flatMap((part) =>
    faultsOf(part, settings.home, engine.cgroupVersion === '2').map((text) => `${shown(part.name)}: ${text}`),
  );
  return faults.length === 0 ? undefined : found(faults.join('; '));
}

function partsOf(engine: EngineFacts, home: string): readonly PartFacts[] {
  return engine.others.flatMap(({ part }) => (isOwnPart(part, home) ? [part] : []));
}

function faultsOf(part: PartFacts, home: string, hasCgroup2: boolean): readonly string[] {
  const asked: Readonly<Record<string, (one: ContainerFacts) => Verdict>> = {
    privileged: container.privileged,
    'user-root': container.userRoot(false),
    'caps-added': container.capsAdded,
    'caps-kept': container.capsKept,
    'no-new-privileges': container.newPrivileges,
    seccomp: container.seccomp,
    apparmor: container.appArmor,
    namespaces: container.namespaces(hasCgroup2),
    devices: container.devices,
    memory: container.memory,
    pids: container.pids,
    'oom-kill': container.oomKill,
    'read-only-root': container.readOnlyRoot,
    'socket-mount': container.sockets,
    'default-network': container.defaultNetwork,
    'published-ports': container.ports,
    'health-check': container.healthCheck,
    'secret-variable': container.secretVariables,
    'secret-argument': container.secretArguments,
    'log-bounded': container.logs,
  };
  const excused = new Set(EXCEPTIONS.filter((one) => one.part === part.name).map((one) => one.rule));
  const texts = Object.entries(asked).flatMap(([rule, judge]) => {
    const verdict = excused.has(rule) ? undefined : judge(part.container);
    // Milder findings, as a port on loopback or the engine's own profile, are as they should be here.
    const isFault =
      verdict !== undefined && 'found' in verdict && (verdict.severity !== 'info' || rule === 'read-only-root');
    return isFault ? [`${verdict.found} (${rule})`] : [];
  });
  const mounts = part.container.mounts.filter((one) => one.type === 'bind' && !isFitting(one, part.name, home));
  return [
    ...texts,
    ...(mounts.length > 0 ? [`it has ${list(mounts.map((one) => shown(one.source)))} of the host`] : []),
  ];
}

function isFitting({ source, writable }: MountFacts, part: string, home: string): boolean {
  if (container.socketMount({ type: 'bind', source, target: '', writable })) return true;
  if (!writable) return !CLOSED.test(source) && source !== home;
  const places = (WRITES[part] ?? []).map((one) => one.replace('HOME', home));
  return places.includes(source) || (places.includes('MEMORY') && MEMORY.test(source));
}
