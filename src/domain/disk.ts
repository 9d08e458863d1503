/** What takes room on disk, what of it goes first, and when a disk is so full that no build may begin. Pure, but for the port. */
import type { PreviewId } from './names.ts';

/** Something that can be had again at a cost, and so may go. */
export interface DiskThing {
  /** For people. */
  readonly name: string;
  /** By which its store finds it. */
  readonly ref: string;
  /** What it lies in, with bytes; of images and tags several may share a layer, which goes with the last of them. */
  readonly pieces: ReadonlyMap<string, number>;
  /** Milliseconds since the epoch. */
  readonly lastUsed: number;
  /** Why it stays, whatever the budget. */
  readonly kept?: string;
  /** Why it goes, whatever the budget. */
  readonly goes?: string;
  /** Whose converge must not run while it goes. */
  readonly preview?: PreviewId;
}

/** Somewhere that such things lie. */
export interface DiskStore {
  /** For people: `images`. */
  readonly name: string;
  /** Bytes; undefined: as much as there is room for. */
  readonly budget: number | undefined;
  /** A folder on the disk that they take room of. */
  readonly folder: string;
  look(): Promise<readonly DiskThing[]>;
  /**
   * Takes away those of them that nothing needs even now, and that were not used since they were looked at.
   * @returns those that are gone
   */
  remove(things: readonly DiskThing[], how: RemoveHow): Promise<readonly DiskThing[]>;
}

export interface RemoveHow {
  /** What was used later stays; milliseconds since the epoch. */
  readonly unusedSince: number;
  readonly signal: AbortSignal;
}

/** A store as it was found. */
export interface StoreState {
  readonly name: string;
  readonly budget: number | undefined;
  /** Path of the disk that it is on. */
  readonly disk: string;
  readonly things: readonly DiskThing[];
}

export interface Removal {
  readonly store: string;
  readonly thing: DiskThing;
  readonly cause: string;
}

/** Bytes that the things take together. */
export function bytesOf(things: readonly DiskThing[]): number {
  const pieces = new Map(things.flatMap((one) => [...one.pieces]));
  return [...pieces.values()].reduce((sum, one) => sum + one, 0);
}

/**
 * The least recently used of each store until it is within its budget, then those of all stores of a disk that is short of room
 * until there is enough. What is kept stays, even where that is too much.
 * @param short bytes that are to become free, by path of the disk
 */
export function whatGoes(stores: readonly StoreState[], short: ReadonlyMap<string, number>): readonly Removal[] {
  const counts = new Map(stores.map((one) => [one, countOf(one.things)]));
  const free = new Map<string, number>();
  const removals: Removal[] = [];
  const gone = new Set<DiskThing>();
  const take = (store: StoreState, thing: DiskThing, cause: string): void => {
    free.set(store.disk, (free.get(store.disk) ?? 0) + (counts.get(store)?.leave(thing) ?? 0));
    gone.add(thing);
    removals.push({ store: store.name, thing, cause });
  };
  for (const store of stores) {
    const { name, budget } = store;
    for (const thing of store.things)
      if (thing.goes !== undefined && thing.kept === undefined) take(store, thing, thing.goes);
    if (budget === undefined) continue;
    const count = counts.get(store);
    const cause = `${name} may take ${sizeText(budget)}, and it was unused the longest`;
    for (const thing of removable(store.things).filter((one) => !gone.has(one))) {
      if ((count?.total() ?? 0) <= budget) break;
      take(store, thing, cause);
    }
  }
  for (const [disk, bytes] of short) {
    const left = stores
      .filter((one) => one.disk === disk)
      .flatMap((store) => removable(store.things).map((thing) => ({ store, thing })))
      .filter(({ thing }) => !gone.has(thing))
      .sort((a, b) => byUse(a.thing, b.thing));
    for (const { store, thing } of left) {
      if ((free.get(disk) ?? 0) >= bytes) break;
      take(store, thing, `the disk of ${disk} is nearly full, and it was unused the longest`);
    }
  }
  return removals;
}

/** Those that may go and whose going helps, least recently used first. */
function removable(things: readonly DiskThing[]): readonly DiskThing[] {
  const needed = new Set(things.flatMap((one) => (one.kept === undefined ? [] : [...one.pieces.keys()])));
  const helps = (one: DiskThing) => [...one.pieces].some(([piece, bytes]) => bytes > 0 && !needed.has(piece));
  return things.filter((one) => one.kept === undefined && helps(one)).sort(byUse);
}

function byUse(a: DiskThing, b: DiskThing): number {
  return a.lastUsed - b.lastUsed || (a.ref < b.ref ? -1 : 1);
}

/** A count that is kept while things leave. */
function countOf(things: readonly DiskThing[]): { total(): number; leave(thing: DiskThing): number } {
  const users = new Map<string, number>();
  for (const one of things) for (const piece of one.pieces.keys()) users.set(piece, (users.get(piece) ?? 0) + 1);
  let total = bytesOf(things);
  return {
    total: () => total,
    leave({ pieces }) {
      let freed = 0;
      for (const [piece, bytes] of pieces) {
        const left = (users.get(piece) ?? 0) - 1;
        users.set(piece, left);
        if (left === 0) freed += bytes;
      }
      total -= freed;
      return freed;
    },
  };
}

/** A file system that something of Treehouse lies on. */
export interface Disk {
  /** A folder on it, by which people know it. */
  readonly path: string;
  /** For people who see no paths of the host: `Treehouse's home`. */
  readonly name: string;
  /** Bytes that whoever is not root can have. */
  readonly size: number;
  readonly free: number;
  /** How much of the files that it can hold is used, 0 to 1; 0 where it does not say. */
  readonly files: number;
}

/** From when on a disk is too full to build. */
export interface HighWater {
  /** Of its size, 0 to 1. */
  readonly full: number;
  /** Bytes that must be free. */
  readonly free: number;
}

/** What an admin says of all this. */
export interface DiskSettings {
  /** Bytes; undefined: only where a disk is nearly full does any of it go. */
  readonly budgets: Readonly<Record<'images' | 'cache' | 'registry' | 'mirrors' | 'checkouts', DiskStore['budget']>>;
  readonly mark: HighWater;
  /** Seconds between two looks. */
  readonly every: number;
  /** Seconds after its last use for which nothing goes. */
  readonly grace: number;
}

/** Below the mark by so much of the disk, builds go on: else each that ends would let just one begin. */
const EASE = 0.05;

/** How full a disk is, of bytes or of files, 0 to 1. */
export function fullness({ size, free, files }: Disk): number {
  return Math.max(size === 0 ? 1 : 1 - free / size, files);
}

/** Whether no build may begin. @param before whether it was so the last time: then it takes more room to end it */
export function isTooFull(disk: Disk, mark: HighWater, before: boolean): boolean {
  const ease = before ? EASE : 0;
  return fullness(disk) >= mark.full - ease || disk.free < mark.free + ease * disk.size;
}

/** Bytes that are to become free until builds go on. */
export function shortBy(disk: Disk, mark: HighWater): number {
  const wanted = Math.max((1 - mark.full + EASE) * disk.size, mark.free + EASE * disk.size);
  // More than that is not asked for where it is files that are too many: what goes has some.
  return Math.max(wanted - disk.free, disk.files >= mark.full - EASE ? EASE * disk.size : 0, 0) + 1;
}

/** In words for those who wait; stays the same while the disk is about as full. */
export function tooFullText(disk: Disk, mark: HighWater): string {
  const [full, at, below] = [fullness(disk), mark.full, mark.full - EASE].map((one) => Math.floor(one * 100 + 1e-9));
  const what = disk.files > 1 - disk.free / disk.size ? 'of its files ' : '';
  const least =
    (full ?? 0) < (at ?? 0) ? `with less than ${sizeText(mark.free)} free (TREEHOUSE_DISK_FREE)` : undefined;
  return (
    `the disk of ${disk.name} is ${full} % full ${what}and builds wait ` +
    `${least ?? `from ${at} % on (TREEHOUSE_DISK_FULL)`}: free some space there, and they go on ` +
    `${least === undefined ? `below ${below} %` : 'by themselves'}`
  );
}

/** The fullest of all disks, in words for whose work found no room. */
export interface Fullest {
  readonly text: string;
  /** Whether there is next to nothing left of it. */
  readonly isOut: boolean;
  /** Whether there is so little left that work may well find no room. */
  readonly isNear: boolean;
}

/** Of a disk with less room than this, what fails may have failed for that. */
const OUT = 0.005;
const NEAR = 0.1;

/** Undefined where there are none. */
export function fullestOf(disks: readonly Disk[]): Fullest | undefined {
  const [worst] = [...disks].sort((a, b) => fullness(b) - fullness(a));
  if (!worst) return undefined;
  const { name, size, free, files } = worst;
  const full = fullness(worst);
  const isOfFiles = files > 1 - free / size;
  const left = isOfFiles ? 'can hold no more files' : `has ${sizeText(free)} free of ${sizeText(size)}`;
  return { text: `the disk of ${name} ${left}`, isOut: full >= 1 - OUT, isNear: full >= 1 - NEAR };
}

/** `3 GB`, as admins read it from `df -h`. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${value >= 10 ? Math.round(value) : Math.round(value * 10) / 10} ${units[unit]}`;
}
