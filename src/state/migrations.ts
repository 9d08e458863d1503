/**
 * How the state in Redis comes from each version to the next. What is here is history: a migration names keys and fields as they
 * were then, takes nothing from the rest of the program, and is never changed once it was released.
 *
 * Each one may be cut off anywhere and begun again, and may run beside itself and beside the version before, which still works
 * while the next one starts: so it changes a thing in one step, by what it finds there, and leaves alone what has the new form.
 */
import type { Redis } from 'ioredis';

export interface Migration {
  /** For the log, as in "migrating the state: …". */
  readonly what: string;
  /** @returns how many things it changed */
  run(redis: Redis, prefix: string): Promise<number>;
}

/** In order: the first leads from version 0 to 1. */
export const MIGRATIONS: readonly Migration[] = [
  { what: 'number the records, and rename when a comment was asked for', run: toVersion1 },
];

const BATCH = 500;

/** KEYS: records, their numbers. ARGV: an epoch, previews. Gives how many had no number. */
const NUMBER = `
  local numbered = 0
  for at = 2, #ARGV do
    if redis.call('HEXISTS', KEYS[1], ARGV[at]) == 1 and not redis.call('ZSCORE', KEYS[2], ARGV[at]) then
      redis.call('ZADD', KEYS[2], redis.call('HINCRBY', KEYS[1], ':count', 1), ARGV[at])
      numbered = numbered + 1
    end
  end
  if numbered > 0 then redis.call('HSETNX', KEYS[1], ':epoch', ARGV[1]) end
  return numbered`;

/** KEYS: hash. ARGV: field, expected value, new value. */
const REPLACE = `
  if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  return 1`;

/**
 * Before there were versions, records had no numbers at first, by which readers ask for what changed: from here on each has one.
 * And of a comment for which no answer came `addingSince` was noted, which is `askedAt` as of all else that is asked for: unread,
 * the comment could be written twice.
 */
async function toVersion1(redis: Redis, prefix: string): Promise<number> {
  const records = `${prefix}:records`;
  let changed = 0;
  for await (const found of scanned((cursor) => redis.hscan(records, cursor, 'COUNT', BATCH))) {
    // Names and values by turns; what begins with a colon is no preview.
    const ids = found.filter((name, at) => at % 2 === 0 && !name.startsWith(':'));
    if (ids.length === 0) continue;
    changed += Number(await redis.eval(NUMBER, 2, records, `${prefix}:changes`, `migrated-${Date.now()}`, ...ids));
  }
  for await (const keys of keysOf(redis, `${prefix}:said:*`)) {
    for (const count of await Promise.all(keys.map((key) => renameAsked(redis, key)))) changed += count;
  }
  return changed;
}

async function renameAsked(redis: Redis, key: string): Promise<number> {
  let changed = 0;
  for (const [field, text] of Object.entries(await redis.hgetall(key))) {
    if (!field.startsWith('comment:')) continue;
    const { addingSince, ...said } = JSON.parse(text) as { readonly addingSince?: number };
    if (addingSince === undefined) continue;
    const after = JSON.stringify({ ...said, askedAt: addingSince });
    changed += Number(await redis.eval(REPLACE, 1, key, field, text, after));
  }
  return changed;
}

/** Keys of a pattern, in steps that keep nobody waiting; one may come twice. */
export function keysOf(redis: Redis, pattern: string): AsyncGenerator<readonly string[]> {
  return scanned((cursor) => redis.scan(cursor, 'MATCH', pattern, 'COUNT', BATCH));
}

async function* scanned(next: (cursor: string) => Promise<[string, string[]]>): AsyncGenerator<readonly string[]> {
  let cursor = '0';
  do {
    const [after, found] = await next(cursor);
    if (found.length > 0) yield found;
    cursor = after;
  } while (cursor !== '0');
}
