/** The timer of sleep: what nobody visited for long enough is asked to rest. */
import type { PreviewId } from '../domain/names.ts';
import type { Clock, Gateway, Hints, Repository, Store } from '../domain/ports.ts';
import { idlePreviews } from '../domain/rest.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

export interface IdleOptions {
  readonly gateway: Pick<Gateway, 'routes' | 'visits' | 'inFlight'>;
  readonly store: Pick<Store, 'records' | 'wantRest'>;
  readonly hints: Hints;
  readonly clock: Clock;
  readonly log: Logger;
  readonly repositories: readonly Repository[];
}

/** Between two looks: a quarter of the shortest time, within these milliseconds. */
const LEAST_MS = 500;
const MOST_MS = 30_000;

/** Looks until `stop`; does nothing where no repository lets its previews sleep. */
export function startIdling(options: IdleOptions): { stop(): Promise<void> } {
  const { gateway, store, hints, clock, log } = options;
  const idle = new Map(options.repositories.flatMap((one) => (one.idle === undefined ? [] : [[one.name, one.idle]])));
  const since = clock.now();
  if (idle.size === 0) return { stop: () => Promise.resolve() };

  async function look(): Promise<void> {
    const [routes, visits, records] = await Promise.all([gateway.routes(), gateway.visits(), store.records()]);
    const lastOf = new Map(visits.map((one) => [one.host, one.last]));
    const visited = new Map<PreviewId, number>();
    const busy = new Set<PreviewId>();
    for (const route of routes) {
      visited.set(route.preview, Math.max(visited.get(route.preview) ?? 0, lastOf.get(route.host) ?? 0));
      if ((await gateway.inFlight(route.upstream)) > 0) busy.add(route.preview);
    }
    const idleOf = (one: { repository: Repository['name'] }) => idle.get(one.repository);
    for (const one of idlePreviews({ records, visited, busy, idleOf, since, now: clock.now() })) {
      await store.wantRest(one.id, true);
      await hints.hint(one.id);
    }
  }

  let looking = Promise.resolve();
  const timer = setInterval(
    () => {
      looking = looking
        .then(look)
        .catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'idle previews are not looked for'));
    },
    Math.min(MOST_MS, Math.max(LEAST_MS, Math.min(...idle.values()) / 4)),
  );
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}
