/** Builds the stack anew from what `docker compose config` printed: every key is looked up, nothing is edited in place. */
import { createHash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { undouble } from '../domain/dollars.ts';
import type { Change, Mount, Refusal, Stack, StackFile, StackService } from '../domain/stack.ts';
import { hardenBuild } from './build.ts';
import { chooseExposed, type Extension, readExtension } from './expose.ts';
import { insideCheckout } from './inside.ts';
import { limitService } from './limits.ts';
import { isSet, Notes } from './notes.ts';
import { DEFAULT_POLICY, type Policy } from './policy.ts';
import { readExternalSecrets } from './secrets.ts';
import { readSeeds } from './seed.ts';
import { hardenService } from './service.ts';
import { asArray, field, isRecord, MAX_SERVICES } from './sources.ts';

export type Hardened =
  | { readonly kind: 'accepted'; readonly stack: Stack }
  | { readonly kind: 'refused'; readonly refusals: readonly Refusal[]; readonly changes: readonly Change[] };

const DRIVERS = new Set(['', 'bridge', 'default']);
/** Of the engine's own addresses there are some thirty networks for all previews together. */
const MAX_NETWORKS = 8;
const MAX_VOLUMES = 50;
const NOT_EXTERNAL = 'nothing outside the repository is mounted; use a file of the repository';

/** `model` is the parsed output of `docker compose config --format json` for the checkout at `root`. */
export async function harden(root: string, model: unknown, policy: Policy = DEFAULT_POLICY): Promise<Hardened> {
  const notes = new Notes(policy);
  const top = notes.section('file', '', model);
  const networks = readNetworks(field(top, 'networks'), notes);
  const volumes = readVolumes(field(top, 'volumes'), notes);
  const files = await readFiles(root, top, notes);
  const externals = readExternalSecrets(field(top, 'secrets'), notes);
  const extension = readExtension(field(model, 'x-treehouse'), notes);

  const all: StackService[] = [];
  const tests: StackService[] = [];
  const entries = Object.entries(isRecord(field(top, 'services')) ? (field(top, 'services') as object) : {});
  if (entries.length > MAX_SERVICES) notes.refuse('services', 'limits', `more than ${MAX_SERVICES} services`);
  for (const [name, raw] of entries.slice(0, MAX_SERVICES)) {
    const where = `services.${name}`;
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name) || !isRecord(raw)) {
      notes.refuse(where, 'names', 'a service is named with letters, digits, ".", "_" and "-"');
      continue;
    }
    const profiles = asArray(raw.profiles).map(String);
    const isTest =
      extension.test === undefined ? name === 'test' || profiles.includes('test') : extension.test === name;
    if (profiles.length > 0 && !isTest) {
      notes.change(`${where}.profiles`, 'left out: it belongs to a profile');
      continue;
    }
    const left = notes.section('service', where, raw);
    const build = left.build === undefined ? undefined : await hardenBuild(root, `${where}.build`, left.build, notes);
    const mounts = await readMounts({ root, volumes, where: `${where}.volumes` }, left.volumes, notes);
    const service = hardenService({ name, all: raw, raw: left, build, mounts, files, externals, networks }, notes);
    (isTest ? tests : all).push(service);
  }
  const test = chooseTest(tests, extension, notes);
  if (all.length === 0 && notes.refusals.length === 0) {
    notes.refuse('services', 'empty', 'no service is left to run');
  }
  const known = new Set(all.map((one) => one.name));
  const aliases = linkAliases(field(top, 'services'));
  const bounded = (service: StackService) =>
    limitService(withKnownDependencies(service, known, notes), policy.limits, notes);
  const services = all.map((service) => withAliases(bounded(service), aliases));
  const exposed = chooseExposed(services, extension, notes);
  const seeds = readSeeds(extension.seed, services, notes);
  if (notes.refusals.length > 0) return { kind: 'refused', refusals: notes.refusals, changes: notes.changes };
  return {
    kind: 'accepted',
    stack: {
      services,
      ...(test ? { test: { service: bounded(test), gate: extension.tests !== 'report' } } : {}),
      networks,
      volumes,
      exposed,
      ...(seeds.length > 0 ? { seeds } : {}),
      ...(extension.idle === undefined ? {} : { idle: extension.idle }),
      ...(extension.login === undefined ? {} : { login: extension.login }),
      changes: notes.changes,
    },
  };
}

/** The service named `test` before others of the profile. */
function chooseTest(tests: readonly StackService[], extension: Extension, notes: Notes): StackService | undefined {
  const test = tests.find((one) => one.name === 'test') ?? tests[0];
  if (!test && extension.test !== undefined) {
    notes.refuse('x-treehouse.test', 'value', `there is no service '${extension.test}'`);
  }
  for (const one of tests) {
    if (one !== test) notes.change(`services.${one.name}`, `left out: ${test?.name} is the test`);
  }
  return test;
}

/** `links: ["redis:db"]` gives redis the further name db; Compose keeps it to one container, here its network knows it. */
function linkAliases(services: unknown): ReadonlyMap<string, readonly string[]> {
  const aliases = new Map<string, string[]>();
  for (const service of Object.values(isRecord(services) ? services : {})) {
    for (const link of asArray(field(service, 'links'))) {
      const [target, alias] = String(link).split(':');
      if (target === undefined || alias === undefined || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(alias)) continue;
      aliases.set(target, [...(aliases.get(target) ?? []), alias]);
    }
  }
  return aliases;
}

function withAliases(service: StackService, aliases: ReadonlyMap<string, readonly string[]>): StackService {
  const more = aliases.get(service.name);
  if (!more) return service;
  const networks = Object.entries(service.networks).map(([key, names]) => [key, [...new Set([...names, ...more])]]);
  return { ...service, networks: Object.fromEntries(networks) };
}

function withKnownDependencies(service: StackService, known: ReadonlySet<string>, notes: Notes): StackService {
  const dependsOn = service.dependsOn.filter((one) => {
    if (known.has(one.service)) return true;
    notes.change(`services.${service.name}.depends_on.${one.service}`, 'left out: that service does not run here');
    return false;
  });
  return { ...service, dependsOn };
}

function readNetworks(raw: unknown, notes: Notes): Record<string, { internal: boolean }> {
  const networks: Record<string, { internal: boolean }> = Object.create(null);
  for (const [key, value] of Object.entries(isRecord(raw) ? raw : {})) {
    const where = `networks.${key}`;
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(key)) {
      notes.refuse(where, 'names', 'a network is named with letters, digits, ".", "_" and "-"');
      continue;
    }
    const network = notes.section('network', where, value);
    if (network.external)
      notes.refuse(`${where}.external`, 'external', "a preview joins no network but its own; remove 'external'");
    if (!DRIVERS.has(String(network.driver ?? ''))) {
      notes.refuse(`${where}.driver`, 'driver', 'only bridge networks are made');
    }
    if (isRecord(network.ipam) && Object.keys(network.ipam).length > 0) {
      notes.change(`${where}.ipam`, 'dropped: the engine chooses the addresses');
    }
    networks[key] = { internal: network.internal === true };
  }
  const count = Object.keys(networks).length;
  if (count > MAX_NETWORKS) notes.refuse('networks', 'limits', `more than ${MAX_NETWORKS} networks`);
  if (count === 0) networks.default = { internal: false };
  return networks;
}

function readVolumes(raw: unknown, notes: Notes): string[] {
  const volumes: string[] = [];
  for (const [key, value] of Object.entries(isRecord(raw) ? raw : {})) {
    const where = `volumes.${key}`;
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(key)) {
      notes.refuse(where, 'names', 'a volume is named with letters, digits, ".", "_" and "-"');
      continue;
    }
    const volume = notes.section('volume', where, value);
    if (volume.external) notes.refuse(`${where}.external`, 'external', "a preview owns its volumes; remove 'external'");
    if (!['', 'local'].includes(String(volume.driver ?? ''))) {
      notes.refuse(`${where}.driver`, 'driver', 'only local volumes are made');
    }
    volumes.push(key);
  }
  if (volumes.length > MAX_VOLUMES) notes.refuse('volumes', 'limits', `more than ${MAX_VOLUMES} volumes`);
  return volumes;
}

/** `configs.NAME` and `secrets.NAME` → a file of the checkout, or one that is written there before containers are made. */
async function readFiles(
  root: string,
  top: Record<string, unknown>,
  notes: Notes,
): Promise<ReadonlyMap<string, StackFile>> {
  const files = new Map<string, StackFile>();
  for (const kind of ['configs', 'secrets'] as const) {
    const all = field(top, kind);
    for (const [key, value] of Object.entries(isRecord(all) ? all : {})) {
      const where = `${kind}.${key}`;
      const entry = notes.section('config', where, value);
      if (isSet(entry.external)) {
        // Of a secret it says that Treehouse keeps it: secrets.ts.
        if (kind === 'configs') notes.refuse(`${where}.external`, 'external', NOT_EXTERNAL);
        continue;
      }
      if (typeof entry.content === 'string') {
        const content = undouble(entry.content);
        files.set(where, { path: `.treehouse-${shortHash(content)}`, content });
        continue;
      }
      if (typeof entry.file !== 'string') continue;
      const inside = await insideCheckout(root, undouble(entry.file));
      const stat = inside === undefined ? undefined : await lstat(path.join(root, inside));
      if (inside === undefined || !stat?.isFile()) {
        notes.refuse(`${where}.file`, 'inside', 'it is not a file of the repository');
      } else files.set(where, { path: inside });
    }
  }
  return files;
}

interface MountsOn {
  readonly root: string;
  /** Those that the file defines. */
  readonly volumes: readonly string[];
  readonly where: string;
}

async function readMounts({ root, volumes, where }: MountsOn, raw: unknown, notes: Notes): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const [index, entry] of asArray(raw).entries()) {
    const at = `${where}[${index}]`;
    const target = String(field(entry, 'target') ?? '');
    const type = String(field(entry, 'type') ?? '');
    const source = field(entry, 'source');
    if (/^[A-Za-z]:/.test(target)) {
      notes.refuse(at, 'mount', `Compose takes '${target}' for a path of Windows; give the volume a longer name`);
    } else if (!target.startsWith('/')) {
      // The talk's own file has `- ./code`: Compose reads it as a volume without a place in the container.
      notes.change(at, `dropped: '${target}' is not an absolute path in the container`);
    } else if (type === 'tmpfs') {
      const size = Number(field(field(entry, 'tmpfs'), 'size'));
      mounts.push({ kind: 'tmpfs', target, ...(size > 0 ? { sizeBytes: size } : {}) });
    } else if (type === 'volume') {
      const readOnly = field(entry, 'read_only') === true;
      const isNamed = typeof source === 'string' && source !== '';
      if (isNamed && !volumes.includes(source)) notes.refuse(at, 'mount', 'there is no such volume in the file');
      else mounts.push({ kind: 'volume', volume: isNamed ? source : anonymousVolume(where, target), target, readOnly });
    } else if (type === 'bind') {
      const inside = typeof source === 'string' ? await insideCheckout(root, undouble(source)) : undefined;
      const stat = inside === undefined ? undefined : await lstat(path.join(root, inside));
      if (inside === undefined || !(stat?.isFile() || stat?.isDirectory())) {
        notes.refuse(at, 'bind', `what is to be mounted at '${target}' is not a file or folder of the repository`);
        continue;
      }
      if (field(entry, 'read_only') !== true) notes.change(at, 'made read-only: it is the checkout itself');
      mounts.push({ kind: 'bind', path: inside, target });
    } else notes.refuse(at, 'mount', `mounts of type '${type}' are not made`);
  }
  return mounts;
}

/** A volume without a name gets one, so that it is kept over redeploys and found at teardown. */
export function anonymousVolume(owner: string, target: string): string {
  const whole = `${owner}-${target}`;
  return `${whole.replaceAll(/[^A-Za-z0-9]+/g, '_').slice(0, 80)}_${shortHash(whole)}`;
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
