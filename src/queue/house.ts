/** Looks at how full the house is: what a decision on who may build or wake is taken from. */
import type { House, HouseLimits, Place, Queueing, RepositoryLimits, Resident } from '../domain/admission.ts';
import type { PreviewId, RepositoryName } from '../domain/names.ts';
import type { Clock, Gateway, Pins, Repository, Store } from '../domain/ports.ts';
import type { PreviewKey, PreviewRecord } from '../domain/preview.ts';
import { lastVisits } from '../domain/visits.ts';

export interface HouseDeps {
  readonly store: Pick<Store, 'records'>;
  readonly gateway: Pick<Gateway, 'routes' | 'visits' | 'visiting'>;
  readonly pins: Pick<Pins, 'all'>;
  readonly clock: Clock;
  /** As they are now. */
  repositories(): readonly Repository[];
  readonly host: HouseLimits;
  /** Previews that have containers. */
  residents(): Promise<readonly (PreviewKey & Pick<Resident, 'running' | 'memory' | 'held'>)[]>;
  /** Bytes that a container of the repository gets where its file says nothing. */
  usualMemory(repository: RepositoryName): number;
  /** Why no build may begin for now, in words for those who wait; undefined: they may. */
  pausedBecause?(): Promise<string | undefined>;
}

/** The house, but for what is remembered of who builds and waits. */
export interface Sight {
  /** With what is remembered; `busy` are visited beside those that are known to be. */
  with(queueing: Queueing, busy?: ReadonlySet<PreviewId>): House;
  readonly records: ReadonlyMap<PreviewId, PreviewRecord>;
  /** Whether somebody has a request or a connection open to it. */
  isVisited(id: PreviewId): Promise<boolean>;
}

const NO_LIMITS: RepositoryLimits = { atLimit: 'wait' };
/** Milliseconds after a visit in which its visitor is expected to go on, so that two previews do not wake and end each other in turn. */
const RECENT_MS = 5_000;

/** Asks the engine and the gateway only where a limit needs it. */
export async function lookAtHouse(deps: HouseDeps): Promise<Sight> {
  const most = new Map(deps.repositories().map((one) => [one.name, one.most ?? NO_LIMITS]));
  const counts = [deps.host, ...most.values()].some(
    (one) => one.previews !== undefined || one.running !== undefined || one.memory !== undefined,
  );
  const [list, paused, found, routes, visits, pins] = await Promise.all([
    deps.store.records(),
    deps.pausedBecause?.(),
    counts ? deps.residents() : [],
    counts ? deps.gateway.routes() : [],
    counts ? deps.gateway.visits() : [],
    counts ? deps.pins.all() : new Set<PreviewId>(),
  ]);
  const records = new Map(list.map((one) => [one.id, one]));
  const visited = lastVisits(routes, visits);
  const now = deps.clock.now();
  const residents = found.map(({ id, repository, running, memory, held = 0 }): Resident => {
    const record = records.get(id);
    const lastUsed = Math.max(visited.get(id) ?? 0, record?.serving?.since ?? 0, wokenAt(record));
    const busy = now - lastUsed < RECENT_MS;
    return { id, repository, running, memory, held, lastUsed, pinned: pins.has(id), busy };
  });
  return {
    records,
    with: (queueing, busy = new Set()) => ({
      ...queueing,
      residents: residents.map((one) => (busy.has(one.id) ? { ...one, busy: true } : one)),
      host: deps.host,
      limitsOf: (name) => most.get(name) ?? NO_LIMITS,
      memoryOf: (place) => memoryOf(place, residents) ?? deps.usualMemory(place.repository),
      paused,
      buildMs: usualBuildMs(list),
    }),
    async isVisited(id) {
      const upstreams = routes.filter((one) => one.preview === id).map((one) => one.upstream);
      const open = await Promise.all(upstreams.map((one) => deps.gateway.visiting(one)));
      return open.some((count) => count > 0);
    },
  };
}

/** A preview that was woken by word has no visitor yet. */
function wokenAt(record: PreviewRecord | undefined): number {
  return record?.state === 'live' ? record.changedAt : 0;
}

/** Its own where it is known, else what others of its repository take: before a first build nobody knows. */
function memoryOf(place: Place, residents: readonly Resident[]): number | undefined {
  const own = residents.find((one) => one.id === place.id);
  if (own && own.memory > 0) return own.memory;
  return median(residents.filter((one) => one.repository === place.repository).map((one) => one.memory));
}

/** Half of the last builds of all previews took as long or less; milliseconds. */
function usualBuildMs(records: readonly PreviewRecord[]): number | undefined {
  return median(
    records.flatMap(({ serving, attempt }) =>
      serving && attempt && serving.build === attempt.build && serving.since >= attempt.startedAt
        ? [serving.since - attempt.startedAt]
        : [],
    ),
  );
}

function median(all: readonly number[]): number | undefined {
  return [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];
}
