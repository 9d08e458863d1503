/** The timer of sleep: what nobody visited for long enough is asked to rest. */
import type { BuildId, PreviewId } from '../domain/names.ts';
import type { Clock, Gateway, Hints, Pins, Repository, Store } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import { idlePreviews, soonestIdle } from '../domain/rest.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

export interface IdleOptions {
  readonly gateway: Pick<Gateway, 'routes' | 'visits' | 'inFlight'>;
  readonly store: Pick<Store, 'records' | 'wantRest'>;
  readonly pins: Pick<Pins, 'all'>;
  readonly hints: Hints;
  readonly clock: Clock;
  readonly log: Logger;
  readonly repositories: readonly Repository[];
  /** Milliseconds after which builds ask to sleep by their own files. */
  asked(): Promise<ReadonlyMap<BuildId, number>>;
}

/** Between two looks: a quarter of the shortest time, within these milliseconds. */
const LEAST_MS = 500;
const MOST_MS = 30_000;

/** Looks until `stop`. */
export function startIdling(options: IdleOptions): { stop(): Promise<void> } {
  const { gateway, store, pins, hints, clock, log } = options;
  const usual = new Map(options.repositories.map((one) => [one.name, one.idle]));
  const since = clock.now();

  /** @returns the shortest time that any preview has; undefined where none has one. */
  async function look(): Promise<number | undefined> {
    const asked = await options.asked();
    const times = [...usual.values(), ...asked.values()].filter((one) => one !== undefined);
    if (times.length === 0) return undefined;
    await putToRest(({ repository, serving }) =>
      soonestIdle(usual.get(repository), serving && asked.get(serving.build)),
    );
    return Math.min(...times);
  }

  async function putToRest(idleOf: (record: PreviewRecord) => number | undefined): Promise<void> {
    const [routes, visits, records, kept] = await Promise.all([
      gateway.routes(),
      gateway.visits(),
      store.records(),
      pins.all(),
    ]);
    const lastOf = new Map(visits.map((one) => [one.host, one.last]));
    const visited = new Map<PreviewId, number>();
    const busy = new Set<PreviewId>();
    for (const route of routes) {
      visited.set(route.preview, Math.max(visited.get(route.preview) ?? 0, lastOf.get(route.host) ?? 0));
      if ((await gateway.inFlight(route.upstream)) > 0) busy.add(route.preview);
    }
    for (const one of idlePreviews({ records, visited, busy, kept, idleOf, since, now: clock.now() })) {
      await store.wantRest(one.id, true);
      await hints.hint(one.id);
    }
  }

  let over = false;
  let timer: NodeJS.Timeout | undefined;
  let looking = Promise.resolve();

  function lookIn(ms: number): void {
    timer = setTimeout(() => {
      looking = look()
        .catch((error: unknown) => {
          log.warn({ reason: messageOf(error) }, 'idle previews are not looked for');
          return undefined;
        })
        .then((shortest) => {
          if (!over) lookIn(pauseOf(shortest));
        });
    }, ms);
    timer.unref();
  }

  lookIn(pauseOf(Math.min(...[...usual.values()].filter((one) => one !== undefined))));
  return {
    async stop() {
      over = true;
      clearTimeout(timer);
      await looking;
    },
  };
}

function pauseOf(shortest = Number.POSITIVE_INFINITY): number {
  return Math.min(MOST_MS, Math.max(LEAST_MS, shortest / 4));
}
