/** The timer of sleep: what nobody visited for long enough is asked to rest. */
import { FORK_IDLE, settingsFor } from '../domain/forks.ts';
import { type BuildId, forkNumber } from '../domain/names.ts';
import type { Clock, Gateway, Hints, Pins, Repository, Store } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import { idlePreviews, soonestIdle } from '../domain/rest.ts';
import { lastVisits } from '../domain/visits.ts';
import type { Logger } from '../log.ts';
import { lookAgainAndAgain, shortestOf } from './looks.ts';

export interface IdleOptions {
  readonly gateway: Pick<Gateway, 'routes' | 'visits' | 'visiting'>;
  readonly store: Pick<Store, 'records' | 'wantRest'>;
  readonly pins: Pick<Pins, 'all'>;
  readonly hints: Hints;
  readonly clock: Clock;
  readonly log: Logger;
  /** As they are now. */
  repositories(): readonly Repository[];
  /** Milliseconds after which builds ask to sleep by their own files. */
  asked(): Promise<ReadonlyMap<BuildId, number>>;
}

/** Between two looks: a quarter of the shortest time, within these milliseconds. */
const LEAST_MS = 500;
const MOST_MS = 30_000;

/** Looks until `stop`. */
export function startIdling(options: IdleOptions): { stop(): Promise<void> } {
  const { gateway, store, pins, hints, clock, log } = options;
  const usual = () => options.repositories().map((one) => one.idle);
  const since = clock.now();

  /** @returns the shortest time that any preview has; undefined where none has one. */
  async function look(): Promise<number | undefined> {
    const asked = await options.asked();
    const forks = (await store.records()).some((one) => forkNumber(one.branch) !== undefined) ? [FORK_IDLE] : [];
    const shortest = shortestOf([...usual(), ...forks, ...asked.values()]);
    if (shortest === undefined) return undefined;
    const given = new Map(options.repositories().map((one) => [one.name, one]));
    await putToRest(({ repository, branch, serving }) => {
      const known = given.get(repository);
      return soonestIdle(known && settingsFor(known, branch).idle, serving && asked.get(serving.build));
    });
    return shortest;
  }

  async function putToRest(idleOf: (record: PreviewRecord) => number | undefined): Promise<void> {
    const [routes, visits, records, kept] = await Promise.all([
      gateway.routes(),
      gateway.visits(),
      store.records(),
      pins.all(),
    ]);
    const visited = lastVisits(routes, visits);
    for (const one of idlePreviews({ records, visited, kept, idleOf, since, now: clock.now() })) {
      // Asked of these alone: of all there would be as many questions as previews.
      const upstreams = routes.filter((route) => route.preview === one.id).map((route) => route.upstream);
      const open = await Promise.all(upstreams.map((upstream) => gateway.visiting(upstream)));
      if (open.some((count) => count > 0)) continue;
      await store.wantRest(one.id, true);
      await hints.hint(one.id);
    }
  }

  return lookAgainAndAgain({
    ...{ look, log, share: 1 / 4, pause: [LEAST_MS, MOST_MS], failing: 'idle previews are not looked for' },
    first: shortestOf(usual()),
  });
}
