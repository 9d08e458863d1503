/** Who builds and who waits, in Redis, for all workers that share it; what a killed worker held is free again in seconds. */
import { randomUUID } from 'node:crypto';
import type { PlaceBook, Queueing } from '../domain/admission.ts';
import type { RepositoryName } from '../domain/names.ts';
import { TreehouseError } from '../errors.ts';
import { asker, type Connections, swapField } from './redis-keys.ts';

/** Milliseconds after its last beat at which a worker counts as dead; it beats three times as often. */
const LEASE_MS = 6_000;
/** Two workers that change it at once; more than so many in a row is a fault. */
const SWAPS_MAX = 50;
const FIELD = 'state';

/**
 * KEYS: sorted set, worker → when it counts as dead by Redis's own clock. ARGV: this worker, lease in ms.
 * Gives all that are alive.
 */
const BEAT = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now)
  return redis.call('ZRANGE', KEYS[1], 0, -1)`;

interface Stored {
  readonly places: readonly (Queueing['places'][number] & { readonly worker: string })[];
  readonly waiting: Queueing['waiting'];
  readonly served: Readonly<Record<string, number>>;
}

export function redisPlaces(options: {
  readonly redis: Connections;
  readonly prefix?: string;
  readonly leaseMs?: number;
}): PlaceBook {
  const prefix = options.prefix ?? 'treehouse';
  const hash = `${prefix}:admission`;
  const connection = options.redis.quick();
  const asking = asker(options.redis, connection);
  const worker = randomUUID();
  /** Ours, told again after Redis was wiped. */
  let mine: Queueing['places'] = [];

  async function beat(): Promise<ReadonlySet<string>> {
    const lease = String(options.leaseMs ?? LEASE_MS);
    return new Set((await connection.eval(BEAT, 1, `${prefix}:workers`, worker, lease)) as string[]);
  }

  async function read(): Promise<{ readonly text: string | null; readonly stored: Stored }> {
    const [alive, text] = await Promise.all([beat(), connection.hget(hash, FIELD)]);
    const { places = [], waiting = [], served = {} } = text === null ? {} : (JSON.parse(text) as Partial<Stored>);
    const others = places.filter((one) => one.worker !== worker && alive.has(one.worker));
    return { text, stored: { places: [...others, ...mine.map((one) => ({ ...one, worker }))], waiting, served } };
  }

  async function change(edit: (now: Queueing) => Queueing): Promise<Queueing> {
    for (let attempt = 0; attempt < SWAPS_MAX; attempt += 1) {
      const { text, stored } = await read();
      const after = edit(queueingOf(stored));
      const holders = new Map(stored.places.map((one) => [one.id, one.worker]));
      const value = JSON.stringify({
        places: after.places.map((one) => ({ ...one, worker: holders.get(one.id) ?? worker })),
        waiting: after.waiting,
        served: Object.fromEntries(after.served),
      } satisfies Stored);
      if (value !== text && !(await swapField(connection, hash, { field: FIELD, expected: text, value }))) continue;
      mine = after.places.filter((one) => (holders.get(one.id) ?? worker) === worker);
      return after;
    }
    throw new TreehouseError('queue-away', 'too many workers give places away at once', { kind: 'transient' });
  }

  return {
    read: () => asking('reading who builds and who waits', async () => queueingOf((await read()).stored)),
    change: (edit) => asking('noting who builds and who waits', () => change(edit)),
    beat: async () => void (await asking('saying that this worker lives', beat)),
    close: () => connection.disconnect(),
  };
}

function queueingOf({ places, waiting, served }: Stored): Queueing {
  return {
    places: places.map(({ worker: _worker, ...place }) => place),
    waiting,
    served: new Map(Object.entries(served) as [RepositoryName, number][]),
  };
}
