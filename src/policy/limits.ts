/** Bounds what a service asks for: memory, CPU, processes, files, shared memory, tmpfs. */
import type { Limits } from '../domain/isolation.ts';
import type { Mount, StackService } from '../domain/stack.ts';
import type { Notes } from './notes.ts';
import { asArray, field, isRecord } from './sources.ts';

/** Keys of a definition that say what is bounded here; each is written anew. */
const OWN_KEYS = ['mem_limit', 'memswap_limit', 'cpus', 'pids_limit', 'shm_size', 'ulimits', 'tmpfs', 'read_only'];

/** Other limits that a file may set for itself, each below the number that `most` gives. */
const KEPT_ULIMITS: ReadonlyMap<string, (limits: Limits) => number> = new Map([
  ['nofile', (limits: Limits) => limits.files],
  ['nproc', (limits: Limits) => limits.pids.most],
  ['memlock', (limits: Limits) => limits.memory.most],
  ['fsize', (limits: Limits) => limits.fileSize],
]);

/** Everything that is lowered or left out is in `notes`. */
export function limitService(service: StackService, limits: Limits, notes: Notes): StackService {
  const where = `services.${service.name}`;
  const asked = service.definition;
  const definition: Record<string, unknown> = Object.create(null);
  for (const [key, value] of Object.entries(asked)) if (!OWN_KEYS.includes(key)) definition[key] = value;
  const bounded = (key: string, bounds: { usual: number; most: number }, unit: number, least = 1): number => {
    const value = Number(asked[key] ?? 0);
    if (!(value > 0)) return bounds.usual;
    // The engine cuts off what is smaller, and takes nought for no limit.
    if (value < least) {
      notes.change(`${where}.${key}`, `raised to ${least}`);
      return least;
    }
    if (value > bounds.most)
      notes.change(`${where}.${key}`, `lowered to ${bounds.most / unit}${unit === 1 ? '' : ' MiB'}`);
    return Math.min(value, bounds.most);
  };
  const memory = bounded('mem_limit', limits.memory, MIB);
  definition.mem_limit = String(memory);
  definition.memswap_limit = String(memory);
  definition.cpus = bounded('cpus', limits.cpus, 1, LEAST_CPUS);
  definition.pids_limit = bounded('pids_limit', limits.pids, 1);
  definition.shm_size = String(bounded('shm_size', { usual: 64 * MIB, most: limits.shm }, MIB));
  definition.ulimits = ulimits(where, asked.ulimits, limits, notes);
  const readOnly = limits.readOnly || asked.read_only === true;
  if (readOnly) definition.read_only = true;
  if (limits.readOnly && asked.read_only !== true) notes.change(`${where}.read_only`, 'set: the admin demands it');
  return { ...service, definition, mounts: mountsOf(service, asked.tmpfs, readOnly, limits, notes) };
}

const MIB = 1024 * 1024;
/** The smallest share of a core that the kernel can keep apart. */
const LEAST_CPUS = 0.01;

function ulimits(where: string, raw: unknown, limits: Limits, notes: Notes): Record<string, unknown> {
  const kept: Record<string, unknown> = {
    core: 0,
    nofile: { soft: Math.min(1024, limits.files), hard: limits.files },
    fsize: limits.fileSize,
  };
  for (const [name, value] of Object.entries(isRecord(raw) ? raw : {})) {
    const most = KEPT_ULIMITS.get(name)?.(limits);
    if (most === undefined) {
      if (name !== 'core') notes.change(`${where}.ulimits.${name}`, 'dropped: Treehouse sets the limits');
      continue;
    }
    const soft = Number(isRecord(value) ? field(value, 'soft') : value);
    const hard = Number(isRecord(value) ? field(value, 'hard') : value);
    const cap = (one: number) => (one >= 0 && one <= most ? one : most);
    if (cap(soft) !== soft || cap(hard) !== hard) notes.change(`${where}.ulimits.${name}`, `lowered to ${most}`);
    kept[name] = { soft: cap(soft), hard: cap(hard) };
  }
  return kept;
}

/** `tmpfs:` becomes mounts with a size; a read-only root gets /tmp and /run to write to. */
function mountsOf(
  service: StackService,
  tmpfs: unknown,
  readOnly: boolean,
  limits: Limits,
  notes: Notes,
): readonly Mount[] {
  const where = `services.${service.name}`;
  const mounts = new Map<string, Mount>();
  const add = (target: string, asked: number | undefined): void => {
    if (asked !== undefined && asked > limits.tmpfs) {
      notes.change(`${where}.tmpfs`, `${target} is lowered to ${limits.tmpfs / MIB} MiB`);
    }
    const sizeBytes = Math.min(asked ?? limits.tmpfs, limits.tmpfs);
    if (!mounts.has(target)) mounts.set(target, { kind: 'tmpfs', target, sizeBytes });
  };
  for (const mount of service.mounts) {
    if (mount.kind === 'tmpfs') add(mount.target, mount.sizeBytes);
    else mounts.set(mount.target, mount);
  }
  for (const entry of asArray(tmpfs)) {
    const [target = '', options = ''] = String(entry).split(':');
    if (!target.startsWith('/')) {
      notes.refuse(`${where}.tmpfs`, 'tmpfs', `'${target}' is not an absolute path in the container`);
      continue;
    }
    add(target, sizeOf(options));
  }
  if (readOnly) for (const target of ['/tmp', '/run']) add(target, undefined);
  return [...mounts.values()];
}

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: MIB, g: 1024 * MIB };

/** `size=64m` among mount options, in bytes; undefined where nothing that is understood is said. */
function sizeOf(options: string): number | undefined {
  const match = /(?:^|,)size=(\d+)([bkmg]?)(?:,|$)/i.exec(options);
  const unit = UNITS[(match?.[2] ?? '').toLowerCase()];
  return match && unit !== undefined ? Number(match[1]) * unit : undefined;
}
