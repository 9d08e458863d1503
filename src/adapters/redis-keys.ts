/** Where the store keeps things in Redis, and the few scripts that change them in one step. */
import type { Redis } from 'ioredis';
import type { Branch, BuildId, PreviewId, RepositoryName } from '../domain/names.ts';
import { messageOf, TreehouseError } from '../errors.ts';

/** What the store needs of Redis connections; see queue/redis.ts. */
export interface Connections {
  quick(): Redis;
  patient(): Redis;
  ready(connection: Redis): Promise<void>;
}

export interface StoreKeys {
  /** Hash: preview id → record as JSON. */
  readonly records: string;
  /** Sorted set: preview ids by the number of the last write of their record. */
  readonly changes: string;
  /** Stream: every event but log lines. */
  readonly events: string;
  /** Set: previews for which someone asked for a build. */
  readonly redeploys: string;
  /** Hash: preview id → why the branch has none, as JSON. */
  readonly aside: string;
  /** Hash: preview id → whether its branch changed a file that counts, as JSON. */
  readonly paths: string;
  /** Hash: preview id → when it was last used. */
  readonly uses: string;
  /** Set: previews for which someone asked for new data. */
  readonly resets: string;
  /** Set: previews whose build someone wants to end. */
  readonly cancels: string;
  /** Set: previews that are to sleep. */
  readonly resting: string;
  /** Set: those of them that are to give their memory back. */
  readonly deep: string;
  /** Set of a preview that sleeps: ids of the containers that ran. */
  slept(preview: PreviewId): string;
  /** Hash of a preview: what was said of it on the forge. */
  said(preview: PreviewId): string;
  /** Hash of a branch: number of a pull request → fact as JSON. */
  pulls(repository: RepositoryName, branch: Branch): string;
  /** List: ids of the preview's builds, newest first. */
  builds(preview: PreviewId): string;
  /** Stream of one build: log lines and events. */
  build(preview: PreviewId, build: BuildId): string;
  /** The number of the last batch that a writer got through. */
  batch(writer: string): string;
}

export function storeKeys(prefix: string): StoreKeys {
  return {
    records: `${prefix}:records`,
    changes: `${prefix}:changes`,
    events: `${prefix}:events`,
    redeploys: `${prefix}:redeploys`,
    aside: `${prefix}:aside`,
    paths: `${prefix}:paths`,
    uses: `${prefix}:uses`,
    resets: `${prefix}:resets`,
    cancels: `${prefix}:cancels`,
    resting: `${prefix}:resting`,
    deep: `${prefix}:deep`,
    slept: (preview) => `${prefix}:slept:${preview}`,
    said: (preview) => `${prefix}:said:${preview}`,
    // Neither part can hold a colon: GitHub allows none in names, git none in branches.
    pulls: (repository, branch) => `${prefix}:pulls:${repository}:${branch}`,
    builds: (preview) => `${prefix}:builds:${preview}`,
    build: (preview, build) => `${prefix}:build:${preview}:${build}`,
    batch: (writer) => `${prefix}:batch:${writer}`,
  };
}

/** Asks over one connection; every failure to reach Redis is one error that says what for. @throws transient `queue-away` */
export function asker(redis: Connections, connection: Redis): <T>(act: string, work: () => Promise<T>) => Promise<T> {
  return async (act, work) => {
    try {
      await redis.ready(connection);
      return await work();
    } catch (error) {
      if (error instanceof TreehouseError && error.code !== 'queue-away') throw error;
      throw new TreehouseError('queue-away', `${act}: ${messageOf(error)}`, { kind: 'transient', cause: error });
    }
  };
}

/** KEYS: hash. ARGV: field, expected value ('' for none), new value ('' removes). 1 where it was as expected. */
const SWAP = `
  local now = redis.call('HGET', KEYS[1], ARGV[1]) or ''
  if now ~= ARGV[2] then return 0 end
  if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
  return 1`;

/** Changes a field of a hash only where it still is `expected`. */
export async function swapField(
  redis: Redis,
  hash: string,
  change: { readonly field: string; readonly expected: string | null; readonly value: string | undefined },
): Promise<boolean> {
  const reply = await redis.eval(SWAP, 1, hash, change.field, change.expected ?? '', change.value ?? '');
  return reply === 1;
}

/** Two processes that change one thing at once; more than a few in a row is a fault. */
export const SWAPS_MAX = 20;

export function tooMuchAtOnce(): TreehouseError {
  return new TreehouseError('queue-away', 'too many changes of one thing at once', { kind: 'transient' });
}

/**
 * Makes of what a field of a hash says, as JSON, what `edit` makes of it, whoever else changes it at once.
 * @returns whether `edit` gave anything else than what it was given
 */
export async function editField<T>(
  redis: Redis,
  { hash, field }: { readonly hash: string; readonly field: string },
  edit: (before: T | undefined) => T,
): Promise<boolean> {
  for (let attempt = 0; attempt < SWAPS_MAX; attempt += 1) {
    const expected = await redis.hget(hash, field);
    const before = expected === null ? undefined : (JSON.parse(expected) as T);
    const after = edit(before);
    if (after === before) return false;
    if (await swapField(redis, hash, { field, expected, value: JSON.stringify(after) })) return true;
  }
  throw tooMuchAtOnce();
}

/** KEYS: list of builds. ARGV: new build ('' for none), how many to keep, prefix of their streams' keys. */
export const KEEP_BUILDS = `
  if ARGV[1] ~= '' then
    redis.call('LREM', KEYS[1], 0, ARGV[1])
    redis.call('LPUSH', KEYS[1], ARGV[1])
  end
  for _, build in ipairs(redis.call('LRANGE', KEYS[1], ARGV[2], -1)) do redis.call('DEL', ARGV[3] .. build) end
  if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1) end
  return 1`;
