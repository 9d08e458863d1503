/** One service of a compose file for somewhere else: what differs from its image, and of its walls what any engine has. Pure. */
import { double } from '../domain/dollars.ts';
import { LABEL, LABEL_PREFIX } from '../domain/labels.ts';
import type { HealthFacts, ProcessFacts, RunningMount, RunningService } from '../domain/running.ts';
import { RESERVED_VARIABLES } from '../policy/table.ts';
import type { PulledService } from './parts.ts';

/** What the rest of the file calls things. */
export interface Names {
  config(path: string, content: string): string;
  /** The variable that chooses a published port. */
  port(service: string): string;
  /** The variable that holds a secret. */
  secret(name: string): string;
  /** Services that are in the file. */
  readonly services: ReadonlySet<string>;
}

export interface Section {
  readonly yaml: Readonly<Record<string, unknown>>;
  /** What a reader should know of it. */
  readonly notes: readonly string[];
}

export function serviceSection(service: PulledService, names: Names): Section {
  const { facts } = service;
  const files = [...service.files, ...service.secrets].map((one) => one.target);
  // Compose copies them into the container before it starts, where nothing may hide them or keep them out.
  const hides = (mount: RunningMount) => mount.kind === 'tmpfs' && files.some((one) => isBelow(one, mount.target));
  const mounts = facts.mounts.filter((one) => one.kind !== 'bind' && !hides(one));
  const isReadOnly = facts.readOnly && files.length === 0;
  return {
    yaml: some({
      image: service.image.reference,
      ...processSection(facts),
      labels: labelsSection(service, names),
      hostname: text(facts.hostname),
      domainname: text(facts.domainname),
      ...{ tty: facts.tty || undefined, stdin_open: facts.stdinOpen || undefined, init: facts.init || undefined },
      stop_grace_period: facts.stopSeconds === undefined ? undefined : `${facts.stopSeconds}s`,
      restart: facts.restart === 'no' ? undefined : double(facts.restart),
      depends_on: dependsOn(facts, names),
      ports: facts.port === undefined ? undefined : [`127.0.0.1:\${${names.port(facts.name)}:-}:${facts.port}`],
      networks: networksSection(facts.networks),
      volumes: mounts.map(mountSection),
      configs: service.files.map(({ path, content, target, isExecutable }) => ({
        source: names.config(path, content),
        target: double(target),
        mode: isExecutable ? 0o555 : 0o444,
      })),
      secrets: service.secrets.map(({ name, target, uid, gid }) => ({
        source: name,
        target: double(target),
        ...(uid === 0 && gid === 0 ? {} : { uid: String(uid), gid: String(gid) }),
        mode: 0o400,
      })),
      ...{ dns: texts(facts.dns), dns_opt: texts(facts.dnsOptions), dns_search: texts(facts.dnsSearch) },
      ...{ extra_hosts: texts(facts.extraHosts), group_add: texts(facts.groups), sysctls: record(facts.sysctls) },
      security_opt: ['no-new-privileges:true'],
      cap_drop: ['ALL'],
      cap_add: texts(facts.capAdd),
      read_only: isReadOnly || undefined,
      mem_limit: facts.memory || undefined,
      ...{ cpus: facts.cpus || undefined, pids_limit: facts.pids || undefined, shm_size: facts.shm || undefined },
      ulimits: facts.ulimits,
    }),
    notes: [
      ...(service.image.missing === undefined ? [] : [service.image.missing]),
      ...service.leftOut.map(
        ({ path, target, why }) =>
          `Not here: ${target}${path === undefined ? '' : `, which is ${path || '.'} of the repository`}: ${why}.`,
      ),
      ...(facts.readOnly && !isReadOnly
        ? ['read_only is left out: Compose writes the files and secrets into the container.']
        : []),
      ...facts.mounts
        .filter(hides)
        .map((one) => `The tmpfs at ${one.target} is left out: it would hide files and secrets below it.`),
      ...facts.devices.map((one) => `The device ${one} of the host is left out.`),
    ],
  };
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder.replace(/\/+$/, '')}/`);
}

/** The engine takes an image's command only where no entrypoint is given. */
function processSection({ own, fromImage }: RunningService): Record<string, unknown> {
  const entrypoint =
    !isSame(own.entrypoint, fromImage.entrypoint) || (own.command.length === 0 && fromImage.command.length > 0);
  const command = entrypoint ? own.command.length > 0 : !isSame(own.command, fromImage.command);
  return {
    // An empty one says something, so it is not left out.
    ...(entrypoint ? { entrypoint: own.entrypoint.map(double) } : {}),
    ...(command ? { command: own.command.map(double) } : {}),
    environment: record(environmentOf(own, fromImage)),
    user: own.user === fromImage.user ? undefined : double(own.user),
    working_dir: own.workingDir === fromImage.workingDir ? undefined : text(own.workingDir),
    stop_signal: own.stopSignal === fromImage.stopSignal ? undefined : text(own.stopSignal),
    healthcheck: healthSection(own.health, fromImage.health),
  };
}

/** Compose starts a container that it made without a secret as it is, unless something else of it changed. */
function labelsSection({ facts, secrets }: PulledService, names: Names): Record<string, string> {
  const given = secrets.map(({ name }) => `\${${names.secret(name)}:+${name}}`);
  return {
    ...record(labelsOf(facts.own, facts.fromImage)),
    ...(given.length === 0 ? {} : { [GIVEN]: given.join(' ') }),
  };
}

/** Label with the names of the secrets that have a value. */
const GIVEN = 'secrets.given';

/**
 * Without those of Treehouse and Compose; the first are emptied where the image has them, or a Treehouse on the same engine would
 * take the container for its own, and remove it.
 */
function labelsOf(own: ProcessFacts, fromImage: ProcessFacts): Record<string, string> {
  const isReserved = (name: string) => name.startsWith(LABEL_PREFIX) || name.startsWith('com.docker.compose.');
  const emptied = Object.values(LABEL).filter((name) => Object.hasOwn(fromImage.labels, name));
  return Object.fromEntries([
    ...Object.entries(own.labels).filter(([name, value]) => fromImage.labels[name] !== value && !isReserved(name)),
    ...emptied.map((name) => [name, ''] as const),
  ]);
}

/** Without the variables by which the gateway finds it. */
function environmentOf(own: ProcessFacts, fromImage: ProcessFacts): Record<string, string> {
  const inherited = new Set(fromImage.environment);
  const entries = own.environment.flatMap((one) => {
    const at = one.indexOf('=');
    const name = at < 0 ? one : one.slice(0, at);
    return inherited.has(one) || RESERVED_VARIABLES.test(name)
      ? []
      : [[name, at < 0 ? '' : one.slice(at + 1)] as const];
  });
  return Object.fromEntries(entries);
}

/** Without `start_interval`, which engines before 25 refuse; a check that only has another pace is the image's. */
function healthSection(own: HealthFacts | undefined, fromImage: HealthFacts | undefined): unknown {
  if (!own || own.test.length === 0) return undefined;
  if (own.test[0] === 'NONE') return { disable: true };
  const before = fromImage ?? { test: [], interval: 0, timeout: 0, startPeriod: 0, retries: 0 };
  const time = (key: 'interval' | 'timeout' | 'startPeriod') =>
    own[key] > 0 && own[key] !== before[key] ? durationOf(own[key]) : undefined;
  return some({
    test: isSame(own.test, before.test) ? undefined : own.test.map(double),
    ...{ interval: time('interval'), timeout: time('timeout'), start_period: time('startPeriod') },
    retries: own.retries === before.retries ? undefined : own.retries,
  });
}

/** Of nanoseconds, in the largest unit that is whole. */
function durationOf(time: number): string {
  if (time % 1e9 === 0) return `${time / 1e9}s`;
  return time % 1e6 === 0 ? `${time / 1e6}ms` : `${time}ns`;
}

function dependsOn({ after }: RunningService, { services }: Names): unknown {
  return Object.fromEntries(
    after.filter((one) => services.has(one.service)).map(({ service, condition }) => [service, { condition }]),
  );
}

function networksSection(networks: RunningService['networks']): unknown {
  const [only, ...more] = networks;
  // Compose's own, where nothing is said.
  if (only?.[0] === 'default' && only[1].length === 0 && more.length === 0) return undefined;
  return Object.fromEntries([...networks].map(([key, aliases]) => [key, some({ aliases: texts(aliases) })]));
}

function mountSection(mount: RunningMount): unknown {
  const target = double(mount.target);
  if (mount.kind === 'volume')
    return { type: 'volume', source: mount.volume, target, ...(mount.readOnly ? { read_only: true } : {}) };
  const size = mount.kind === 'tmpfs' ? mount.sizeBytes : undefined;
  return { type: 'tmpfs', target, ...(size === undefined ? {} : { tmpfs: { size } }) };
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, index) => text === other[index]);
}

function text(value: string): string | undefined {
  return value === '' ? undefined : double(value);
}

function texts(values: readonly string[]): readonly string[] {
  return values.map(double);
}

function record(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, double(value)]));
}

/** Without what says nothing; but an empty entrypoint says something. */
function some(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([key, value]) => key === 'entrypoint' || !isNothing(value)));
}

function isNothing(value: unknown): boolean {
  return value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}
