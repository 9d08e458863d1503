/** How full the house is, counted for each limit, and which limit is in the way of one more. Pure. */
import type { House, HouseLimits, Place, Resident } from './admission.ts';
import type { PreviewId, RepositoryName } from './names.ts';

export type Need = 'builds' | 'previews' | 'running' | 'memory';

/** The limit that is in the way. */
export interface Shortage {
  readonly need: Need;
  /** Whose limit; undefined: the host's. */
  readonly of: RepositoryName | undefined;
  readonly why: string;
  /** Whether there is enough once others make room. */
  readonly canFit: boolean;
}

/** A count that is kept while places are given away. */
export interface Room {
  readonly house: House;
  /** How much there is of a repository's, or of all. */
  used(need: Need, of: RepositoryName | undefined): number;
  /** How much more it would take. */
  needed(need: Need, place: Place): number;
  take(place: Place): void;
  leave(resident: Resident, act: 'sleep' | 'remove'): void;
  /** Whether `leave` would give any of it back. */
  has(resident: Resident, need: Need): boolean;
  /** Nobody passes one who waits for it, however little he wants. */
  close(need: Need, of: RepositoryName | undefined): void;
  isClosed(need: Need, of: RepositoryName | undefined): boolean;
}

interface Standing {
  readonly repository: RepositoryName;
  readonly memory: number;
}

export function roomOf(house: House): Room {
  const there = new Map<PreviewId, RepositoryName>();
  const running = new Map<PreviewId, Standing>();
  /** What previews keep that sleep. */
  const held = new Map<PreviewId, Standing>();
  const builds: RepositoryName[] = [];
  const closed = new Set<string>();
  for (const one of house.residents) {
    there.set(one.id, one.repository);
    if (one.running) running.set(one.id, one);
    else if (one.held) held.set(one.id, { repository: one.repository, memory: one.held });
  }
  const take = (place: Place): void => {
    const { id, repository, purpose } = place;
    if (purpose === 'build') builds.push(repository);
    there.set(id, repository);
    held.delete(id);
    if (!running.has(id)) running.set(id, { repository, memory: house.memoryOf(place) });
  };
  for (const place of house.places) take(place);

  const key = (need: Need, of: RepositoryName | undefined) => `${need} ${of ?? ''}`;
  return {
    house,
    take,
    used(need, of) {
      const within = (repository: RepositoryName) => of === undefined || repository === of;
      if (need === 'builds') return builds.filter(within).length;
      if (need === 'previews') return [...there.values()].filter(within).length;
      const awake = [...running.values()].filter((one) => within(one.repository));
      if (need === 'running') return awake.length;
      const kept = [...held.values()].filter((one) => within(one.repository));
      return [...awake, ...kept].reduce((sum, one) => sum + one.memory, 0);
    },
    needed(need, place) {
      if (need === 'builds') return place.purpose === 'build' ? 1 : 0;
      if (need === 'previews') return there.has(place.id) ? 0 : 1;
      if (running.has(place.id)) return 0;
      if (need === 'running') return 1;
      return Math.max(0, house.memoryOf(place) - (held.get(place.id)?.memory ?? 0));
    },
    leave({ id }, act) {
      running.delete(id);
      // Who makes room is stopped, not paused.
      held.delete(id);
      if (act === 'remove') there.delete(id);
    },
    has: ({ id }, need) =>
      need === 'previews' ? there.has(id) : running.has(id) || (need === 'memory' && held.has(id)),
    close: (need, of) => void closed.add(key(need, of)),
    isClosed: (need, of) => closed.has(key(need, of)),
  };
}

const NEEDS = ['builds', 'previews', 'running', 'memory'] as const;

/** The first limit that keeps `place` from being taken. */
export function shortageOf(room: Room, place: Place): Shortage | undefined {
  const { house } = room;
  if (place.purpose === 'build' && house.paused !== undefined) {
    return { need: 'builds', of: undefined, why: house.paused, canFit: true };
  }
  for (const need of NEEDS) {
    const more = room.needed(need, place);
    if (more === 0) continue;
    for (const of of [place.repository, undefined]) {
      const limits: HouseLimits = of === undefined ? house.host : house.limitsOf(of);
      const most = limits[need];
      if (most === undefined) continue;
      const used = room.used(need, of);
      if (used + more <= most && !room.isClosed(need, of)) continue;
      const canFit = more <= most;
      return { need, of, canFit, why: canFit ? fullText(need, of, used, most) : tooBigText(of, more, most) };
    }
  }
  return undefined;
}

/** Where a limit is set, by need: of the host, and of a repository. */
const SETTINGS: Readonly<Record<Need, readonly [string, string]>> = {
  builds: ['TREEHOUSE_CONCURRENCY', 'previews.builds'],
  previews: ['TREEHOUSE_MAX_PREVIEWS', 'previews.max'],
  running: ['TREEHOUSE_MAX_RUNNING', 'previews.running'],
  memory: ['TREEHOUSE_MAX_MEMORY', 'previews.memory'],
};

function settingOf(need: Need, of: RepositoryName | undefined): string {
  return SETTINGS[need][of === undefined ? 0 : 1];
}

function fullText(need: Need, of: RepositoryName | undefined, used: number, most: number): string {
  const whose = of === undefined ? '' : ` of ${of}`;
  const setting = settingOf(need, of);
  switch (need) {
    case 'builds':
      return `${counted(used, 'build')}${whose} ${used === 1 ? 'runs' : 'run'}, and ${most} may at once (${setting})`;
    case 'previews':
      return `there are ${counted(used, 'preview')}${whose}, and ${most} may be (${setting})`;
    case 'running':
      return `${counted(used, 'preview')}${whose} ${used === 1 ? 'runs' : 'run'}, and ${most} may at once (${setting})`;
    case 'memory':
      return `${mebibytes(used)} of memory are promised to running previews${whose}, and ${mebibytes(most)} may be (${setting})`;
    default:
      return need satisfies never;
  }
}

function tooBigText(of: RepositoryName | undefined, more: number, most: number): string {
  return `it needs ${mebibytes(more)} of memory, and all together may have ${mebibytes(most)} (${settingOf('memory', of)}): raise it`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
