/** Who may build or wake now, who waits and why, and who makes room for them: decided from what is observed. Pure. */
import { fairOrder } from './fair-order.ts';
import type { PreviewId, RepositoryName } from './names.ts';
import { type Need, type Room, roomOf, type Shortage, shortageOf } from './room.ts';

/** The most that there may be at once, of one repository or of the host; undefined: no limit. */
export interface HouseLimits {
  /** Previews that exist, awake or asleep. */
  readonly previews?: number | undefined;
  /** Previews whose containers run. */
  readonly running?: number | undefined;
  readonly builds?: number | undefined;
  /** Bytes: the sum of the memory limits of all containers that run or are paused. */
  readonly memory?: number | undefined;
}

export interface RepositoryLimits extends HouseLimits {
  /** Whether a new preview waits for one to go, or the longest unused one goes. */
  readonly atLimit: 'wait' | 'remove';
}

/** A preview that has containers. */
export interface Resident {
  readonly id: PreviewId;
  readonly repository: RepositoryName;
  readonly running: boolean;
  /** Bytes that its containers are promised, or were when they ran. */
  readonly memory: number;
  /** Bytes that it keeps though it sleeps: those of paused containers. */
  readonly held?: number;
  /** Milliseconds since the epoch. */
  readonly lastUsed: number;
  /** Neither a limit nor the time ends it. */
  readonly pinned: boolean;
  /** It is being visited. */
  readonly busy: boolean;
}

/** A build needs a place among builds, and room where its preview is not there yet; a wake needs room alone. */
export type Purpose = 'build' | 'wake';

export interface Place {
  readonly id: PreviewId;
  readonly repository: RepositoryName;
  readonly purpose: Purpose;
}

export interface Waiter extends Place {
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** What is to be built. */
  readonly commit?: string;
  /** When it was told that its turn has come; its place is kept until it comes. */
  readonly called?: number;
}

/** All that a decision is taken from. */
export interface House extends Queueing {
  readonly residents: readonly Resident[];
  readonly host: HouseLimits;
  limitsOf(repository: RepositoryName): RepositoryLimits;
  /** Bytes that a preview without running containers will take. */
  memoryOf(place: Place): number;
  /** Why no build may begin at all. */
  readonly paused?: string | undefined;
  /** Milliseconds that a build usually takes; undefined where none is known. */
  readonly buildMs?: number | undefined;
}

export interface Wait {
  readonly kind: 'wait';
  /** From 1; no two have the same. */
  readonly position: number;
  /** What it waits for, and what ends that. */
  readonly because: string;
  /** Milliseconds until its turn, where that can be told. */
  readonly aboutMs?: number;
}
export type Turn = { readonly kind: 'go' } | Wait;

/** A preview that is to sleep or to go, and for whom. */
export interface MakesRoom {
  readonly id: PreviewId;
  readonly act: 'sleep' | 'remove';
  readonly cause: string;
}

/** What is remembered of who builds and who waits; it may be lost, and hints bring it back. */
export interface Queueing {
  /** Of workers that live. */
  readonly places: readonly Place[];
  readonly waiting: readonly Waiter[];
  /** When a repository last got a place, milliseconds since the epoch. */
  readonly served: ReadonlyMap<RepositoryName, number>;
}

/** Where that lies, for all workers together. */
export interface PlaceBook {
  read(): Promise<Queueing>;
  /**
   * Puts what `edit` makes of it in its place, in one step; `edit` runs again where another was faster. New places are this
   * worker's.
   * @returns what was written. @throws transient `queue-away`
   */
  change(edit: (now: Queueing) => Queueing): Promise<Queueing>;
  /** Says that this worker lives; without it for six seconds, its places are free. */
  beat(): Promise<void>;
  close(): void;
}

export interface Admitted {
  /** Of everyone who waits. */
  readonly turns: ReadonlyMap<PreviewId, Turn>;
  readonly makeRoom: readonly MakesRoom[];
}

/**
 * Those who may go, in fair order, as far as there is room now. Room that others make counts once they have made it, so that
 * no limit is overstepped meanwhile.
 */
export function admit(house: House): Admitted {
  const now = roomOf(house);
  // As it will be when all who were asked have made room, and those who wait for it have come.
  const later = roomOf(house);
  const turns = new Map<PreviewId, Turn>();
  const makeRoom: MakesRoom[] = [];
  const waits: { readonly waiter: Waiter; readonly shortage: Shortage; readonly because: string }[] = [];
  for (const waiter of fairOrder(house)) {
    const shortage = shortageOf(now, waiter);
    if (!shortage) {
      turns.set(waiter.id, { kind: 'go' });
      now.take(waiter);
      later.take(waiter);
      continue;
    }
    const made = shortage.need === 'builds' ? [] : roomMadeBy(house, later, waiter);
    makeRoom.push(...made);
    if (shortage.need === 'memory' && shortage.canFit) now.close('memory', shortage.of);
    waits.push({ waiter, shortage, because: becauseOf(shortage, made) });
  }
  for (const [index, { waiter, shortage, because }] of numbered(waits).entries()) {
    turns.set(waiter.id, { kind: 'wait', position: index + 1, because, ...aboutOf(house, shortage, index + 1) });
  }
  return { turns, makeRoom };
}

/** Those whom only their own repository's limit holds up are passed by others, so they are counted last. */
function numbered<T extends { readonly shortage: Shortage }>(waits: readonly T[]): readonly T[] {
  const held = (one: T) => one.shortage.of !== undefined;
  return [...waits.filter((one) => !held(one)), ...waits.filter(held)];
}

/** A queue of builds moves on by itself; when somebody goes or stops visiting, nobody knows. */
function aboutOf(house: House, shortage: Shortage, position: number): { readonly aboutMs?: number } {
  const { buildMs } = house;
  const side = shortage.of === undefined ? house.host.builds : house.limitsOf(shortage.of).builds;
  if (shortage.need !== 'builds' || side === undefined || buildMs === undefined || house.paused !== undefined)
    return {};
  return { aboutMs: buildMs * Math.ceil(position / side) };
}

/** Whoever was unused longest, for each need that is short, until there is enough; none where that is not enough. */
function roomMadeBy(house: House, later: Room, waiter: Waiter): readonly MakesRoom[] {
  const all: MakesRoom[] = [];
  const standing = [...house.residents].sort((a, b) => a.lastUsed - b.lastUsed || (a.id < b.id ? -1 : 1));
  const waits = new Set(house.waiting.map((one) => one.id));
  const builds = new Set(house.places.map((one) => one.id));
  for (let shortage = shortageOf(later, waiter); shortage && shortage.need !== 'builds'; ) {
    const { need, of } = shortage;
    const victim = standing.find(
      (one) =>
        (of === undefined || one.repository === of) &&
        !(one.pinned || one.busy || waits.has(one.id) || builds.has(one.id)) &&
        later.has(one, need) &&
        (need !== 'previews' || house.limitsOf(one.repository).atLimit === 'remove'),
    );
    if (!victim || !shortage.canFit) return [];
    const act = need === 'previews' ? 'remove' : 'sleep';
    const other = `${waiter.id} needs its room, and it was unused the longest`;
    all.push({ id: victim.id, act, cause: act === 'remove' ? other : `${other}; the next visitor wakes it` });
    later.leave(victim, act);
    shortage = shortageOf(later, waiter);
  }
  later.take(waiter);
  return all;
}

const ENDS: Readonly<Record<Exclude<Need, 'builds'>, string>> = {
  previews: 'its turn comes when one of them goes',
  running: 'its turn comes when one of them sleeps; all are pinned, visited or at work',
  memory: 'its turn comes when some of them sleep; all are pinned, visited or at work',
};

function becauseOf(shortage: Shortage, made: readonly MakesRoom[]): string {
  if (shortage.need === 'builds' || !shortage.canFit) return shortage.why;
  if (made.length === 0) return `${shortage.why}; ${ENDS[shortage.need]}`;
  const names = made.map((one) => `${one.id} ${one.act === 'sleep' ? 'goes to sleep' : 'is removed'}`);
  return `${shortage.why}; ${names.join(' and ')} to make room`;
}
