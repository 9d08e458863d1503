/** One service of the compose model, built anew from the keys that the table allows. */

import {
  CONDITIONS,
  type Dependency,
  type Mount,
  type MountedFile,
  type StackBuild,
  type StackFile,
  type StackService,
} from '../domain/stack.ts';
import { readHealthCheck } from './health.ts';
import { isSet, type Notes } from './notes.ts';
import { readSecretUses } from './secrets.ts';
import { asArray, field, isRecord } from './sources.ts';
import { RESERVED_LABELS, RESERVED_VARIABLES } from './table.ts';

interface Input {
  readonly name: string;
  /** As the file has it. */
  readonly all: Record<string, unknown>;
  /** What the table leaves of it. */
  readonly raw: Record<string, unknown>;
  readonly build: StackBuild | undefined;
  readonly mounts: readonly Mount[];
  readonly files: ReadonlyMap<string, StackFile>;
  /** Secrets that Treehouse keeps: key in the file → name. */
  readonly externals: ReadonlyMap<string, string>;
  readonly networks: Readonly<Record<string, unknown>>;
}

const MAX_PORTS = 100;

/** Everything refused or changed on the way is in `notes`. */
export function hardenService(input: Input, notes: Notes): StackService {
  const { name, raw, build } = input;
  const where = `services.${name}`;
  const definition: Record<string, unknown> = Object.create(null);
  for (const [key, value] of Object.entries(input.all)) {
    // False and empty say something where a key is allowed: `init: false`, `entrypoint: []`.
    if (value !== null && notes.policy.tables.service.get(key)?.verdict === 'allow') definition[key] = value;
  }
  const isBuilt = input.all.build !== undefined && input.all.build !== null;
  if (!isBuilt && (typeof raw.image !== 'string' || raw.image === '')) {
    notes.refuse(where, 'image', "it has neither 'image' nor 'build'");
  }
  readLimits(where, raw, definition, notes);
  readCapabilities(where, raw, definition, notes);
  readHosts(where, raw, definition, notes);
  readRestart(where, raw, definition, notes);
  const check = readHealthCheck(`${where}.healthcheck`, raw.healthcheck, notes);
  if (check) definition.healthcheck = check;
  const labels = keepUnreserved(`${where}.labels`, raw.labels, RESERVED_LABELS, notes);
  if (Object.keys(labels).length > 0) definition.labels = labels;
  const secrets = readSecretUses(where, raw.secrets, input.externals, notes);
  return {
    name,
    ...(build ? { build } : { image: String(raw.image ?? '') }),
    definition,
    environment: keepUnreserved(`${where}.environment`, raw.environment, RESERVED_VARIABLES, notes),
    dependsOn: readDependencies(raw.depends_on, raw.links),
    networks: readNetworks(where, raw.networks, input.networks, notes),
    mounts: input.mounts,
    files: readFileUses(where, raw, input.files, notes),
    ...(secrets.length > 0 ? { secrets } : {}),
    ports: readPorts(where, raw, notes),
  };
}

function readLimits(
  where: string,
  raw: Record<string, unknown>,
  definition: Record<string, unknown>,
  notes: Notes,
): void {
  if (!isRecord(raw.deploy)) return;
  const limits = field(field(raw.deploy, 'resources'), 'limits');
  const memory = field(limits, 'memory');
  if (memory !== undefined) definition.mem_limit ??= memory;
  const cpus = field(limits, 'cpus');
  if (cpus !== undefined) definition.cpus ??= cpus;
  const pids = field(limits, 'pids');
  if (pids !== undefined) definition.pids_limit ??= pids;
  const devices = field(field(field(raw.deploy, 'resources'), 'reservations'), 'devices');
  if (isSet(devices))
    notes.refuse(`${where}.deploy.resources.reservations.devices`, 'devices', 'it reaches into the host');
  if (Number(field(raw.deploy, 'replicas') ?? 1) !== 1) {
    notes.change(`${where}.deploy.replicas`, 'set to 1: a preview runs one container of each service');
  }
}

function readCapabilities(
  where: string,
  raw: Record<string, unknown>,
  definition: Record<string, unknown>,
  notes: Notes,
): void {
  const wanted = asArray(raw.cap_add).map((one) => String(one).toUpperCase().replace(/^CAP_/, ''));
  for (const one of wanted) {
    if (!notes.policy.capabilities.has(one))
      notes.refuse(`${where}.cap_add`, 'cap_add', `the capability ${one} is not given`);
  }
  if (wanted.length > 0) definition.cap_add = wanted;
}

function readHosts(
  where: string,
  raw: Record<string, unknown>,
  definition: Record<string, unknown>,
  notes: Notes,
): void {
  const hosts = asArray(raw.extra_hosts).map(String);
  if (hosts.some((one) => /host-gateway/i.test(one))) {
    notes.refuse(`${where}.extra_hosts`, 'extra_hosts', 'host-gateway is the host itself; remove it');
  }
  if (hosts.length > 0) definition.extra_hosts = hosts;
}

function readRestart(
  where: string,
  raw: Record<string, unknown>,
  definition: Record<string, unknown>,
  notes: Notes,
): void {
  const policy = String(raw.restart ?? 'no');
  if (/^on-failure(:\d+)?$/.test(policy)) {
    const times = Math.min(10, Number(policy.split(':')[1] ?? 10) || 10);
    if (policy !== `on-failure:${times}`) notes.change(`${where}.restart`, `bounded to on-failure:${times}`);
    definition.restart = `on-failure:${times}`;
  } else if (policy === 'always' || policy === 'unless-stopped') {
    if (policy === 'always')
      notes.change(`${where}.restart`, 'set to unless-stopped: a preview that sleeps stays asleep');
    definition.restart = 'unless-stopped';
  } else if (policy !== 'no') notes.refuse(`${where}.restart`, 'restart', `'${policy}' is not a restart policy`);
}

function keepUnreserved(where: string, raw: unknown, reserved: RegExp, notes: Notes): Record<string, string> {
  const kept: Record<string, string> = Object.create(null);
  for (const [key, value] of Object.entries(isRecord(raw) ? raw : {})) {
    // The engine cuts NAME=VALUE at the first `=`.
    if (reserved.test(key.split('=')[0] ?? '')) notes.change(`${where}.${key}`, 'dropped: Treehouse sets it');
    else if (value !== null) kept[key] = String(value);
  }
  return kept;
}

function readDependencies(raw: unknown, links: unknown): Dependency[] {
  const found = new Map<string, Dependency>();
  for (const link of asArray(links)) {
    const service = String(link).split(':')[0] ?? '';
    found.set(service, { service, condition: 'service_started' });
  }
  for (const [service, value] of Object.entries(isRecord(raw) ? raw : {})) {
    const condition = String(field(value, 'condition') ?? 'service_started');
    found.set(service, {
      service,
      condition: CONDITIONS.find((one) => one === condition) ?? 'service_started',
    });
  }
  return [...found.values()];
}

function readNetworks(
  where: string,
  raw: unknown,
  known: Readonly<Record<string, unknown>>,
  notes: Notes,
): Record<string, string[]> {
  const joined: Record<string, string[]> = Object.create(null);
  for (const [key, value] of Object.entries(isRecord(raw) ? raw : {})) {
    if (!Object.hasOwn(known, key)) {
      notes.refuse(`${where}.networks.${key}`, 'external', 'there is no such network in the file');
      continue;
    }
    joined[key] = asArray(field(value, 'aliases'))
      .map(String)
      .filter((one) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(one));
    for (const fixed of ['ipv4_address', 'ipv6_address', 'link_local_ips', 'mac_address', 'driver_opts']) {
      if (isSet(field(value, fixed)))
        notes.change(`${where}.networks.${key}.${fixed}`, 'dropped: the engine chooses it');
    }
  }
  if (Object.keys(joined).length === 0) joined[Object.keys(known)[0] ?? 'default'] = [];
  return joined;
}

function readFileUses(
  where: string,
  raw: Record<string, unknown>,
  files: ReadonlyMap<string, StackFile>,
  notes: Notes,
): MountedFile[] {
  const used: MountedFile[] = [];
  for (const [kind, key] of [
    ['config', 'configs'],
    ['secret', 'secrets'],
  ] as const) {
    for (const entry of asArray(raw[key])) {
      const source = String(field(entry, 'source') ?? entry);
      const file = files.get(`${key}.${source}`);
      // What is wrong with the file itself was said where it is defined.
      if (!file) continue;
      const given = field(entry, 'target');
      const target = typeof given === 'string' && given !== '' ? given : kind === 'config' ? `/${source}` : source;
      const absolute = target.startsWith('/') ? target : `/run/secrets/${target}`;
      if (absolute.split('/').includes('..') || (kind === 'secret' && !absolute.startsWith('/run/secrets/'))) {
        notes.refuse(`${where}.${key}`, 'target', `'${target}' is not a place for a ${kind}`);
      } else used.push({ kind, ...file, target: absolute });
    }
  }
  return used;
}

function readPorts(where: string, raw: Record<string, unknown>, notes: Notes): number[] {
  const found = new Set<number>();
  const published = asArray(raw.ports);
  for (const entry of published) {
    if (String(field(entry, 'protocol') ?? 'tcp') === 'tcp') found.add(Number(field(entry, 'target')));
  }
  for (const entry of asArray(raw.expose)) found.add(Number.parseInt(String(entry), 10));
  if (published.length > 0) {
    notes.change(`${where}.ports`, 'not published on the host: the preview is reached by its own host name');
  }
  if (found.size > MAX_PORTS) notes.refuse(`${where}.ports`, 'limits', `more than ${MAX_PORTS} ports`);
  return [...found].filter((port) => Number.isInteger(port) && port > 0 && port < 65536);
}
