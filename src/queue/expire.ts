/** The timer of previews that nobody uses: it warns, and then they go. */
import { age } from '../domain/duration.ts';
import { FORK_TTL, settingsFor } from '../domain/forks.ts';
import { forkNumber, type PreviewId } from '../domain/names.ts';
import type { Clock, Gateway, Hints, Pins, Repository, Store } from '../domain/ports.ts';
import { knownHead, type PreviewRecord } from '../domain/preview.ts';
import { type Ageing, ageing } from '../domain/ttl.ts';
import { lastVisits } from '../domain/visits.ts';
import type { Logger } from '../log.ts';
import { lookAgainAndAgain, shortestOf } from './looks.ts';

export interface ExpireOptions {
  readonly gateway: Pick<Gateway, 'routes' | 'visits' | 'visiting'>;
  readonly store: Pick<Store, 'records' | 'append' | 'setAside' | 'uses' | 'noteUses'>;
  readonly pins: Pick<Pins, 'all'>;
  readonly hints: Hints;
  readonly clock: Clock;
  readonly log: Logger;
  /** As they are now. */
  repositories(): readonly Repository[];
}

/** Between two looks: a tenth of the shortest time, within these milliseconds. */
const LEAST_MS = 500;
const MOST_MS = 60_000;

/** Looks until `stop`; a look costs next to nothing where nothing has a time to live. */
export function startExpiring(options: ExpireOptions): { stop(): Promise<void> } {
  const { gateway, store, pins, hints, clock, log } = options;
  const ttls = () => options.repositories().map((one) => one.ttl);
  const since = clock.now();
  /** Whether a preview may still say that it goes. */
  let isOwed = true;

  async function look(): Promise<number | undefined> {
    const forks = (await store.records()).some((one) => forkNumber(one.branch) !== undefined) ? [FORK_TTL] : [];
    const shortest = shortestOf([...ttls(), ...forks]);
    // Who waits for its end hears that there is none any more.
    if (shortest === undefined && !isOwed) return undefined;
    isOwed = shortest !== undefined;
    const given = new Map(options.repositories().map((one) => [one.name, one]));
    const ttlOf = ({ repository, branch }: Pick<PreviewRecord, 'repository' | 'branch'>) => {
      const known = given.get(repository);
      return known && settingsFor(known, branch).ttl;
    };
    const [routes, visits, records, uses, pinned] = await Promise.all([
      gateway.routes(),
      gateway.visits(),
      store.records(),
      store.uses(),
      pins.all(),
    ]);
    // nginx forgets visits when it starts anew, Redis when it is wiped; both at once give it another time to live.
    const visited = lastVisits(routes, visits, uses);
    const all = ageing({ records, visited, kept: pinned, ttlOf, since, now: clock.now() });
    await store.noteUses(new Map(all.map((one) => [one.record.id, one.lastUsed])));
    for (const one of all) {
      const { record, expiresAt } = one;
      if (record.expiresAt !== expiresAt) {
        const at = clock.now();
        await store.append({ type: 'preview.expiring', at, preview: record.id, ...(expiresAt ? { expiresAt } : {}) });
      }
      if (one.isOver && !(await isVisited(record.id))) await expire(one, ttlOf(record) ?? 0);
    }
    return shortest;

    async function isVisited(id: PreviewId): Promise<boolean> {
      const mine = routes.filter((one) => one.preview === id);
      const open = await Promise.all(mine.map((one) => gateway.visiting(one.upstream)));
      return open.some((count) => count > 0);
    }
  }

  async function expire({ record }: Ageing, ttl: number): Promise<void> {
    const commit = knownHead(record);
    const cause = `nobody used it for ${age(ttl)}`;
    if (commit === undefined) return;
    await store.setAside(record, { commit, cause });
    await hints.hint(record.id);
  }

  return lookAgainAndAgain({
    ...{ look, log, share: 1 / 10, pause: [LEAST_MS, MOST_MS], failing: 'unused previews are not looked for' },
    first: shortestOf(ttls()),
  });
}
