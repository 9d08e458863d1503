/**
 * The records of all previews, read whole without asking for what has not changed since: each write is numbered, and a reader
 * asks for those after the last that it saw. So a list of 500 costs what changed, not what there is.
 */
import { randomUUID } from 'node:crypto';
import type { ChainableCommander, Redis } from 'ioredis';
import type { PreviewId } from '../domain/names.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { StoreKeys } from './redis-keys.ts';

/** Fields of the hash that are no records; no preview's id holds a colon. */
const EPOCH = ':epoch';
const COUNT = ':count';

/** KEYS: records, changes. ARGV: an epoch should there be none, then a preview and its record, again and again. */
const WRITE = `
  redis.call('HSETNX', KEYS[1], '${EPOCH}', ARGV[1])
  local count = redis.call('HINCRBY', KEYS[1], '${COUNT}', 1)
  for at = 2, #ARGV, 2 do
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
    redis.call('ZADD', KEYS[2], count, ARGV[at])
  end
  return 1`;

/** KEYS: as of WRITE. ARGV: an epoch, preview, expected record ('' for none), new one ('' removes). 1 where it was as expected. */
const SWAP = `
  if (redis.call('HGET', KEYS[1], ARGV[2]) or '') ~= ARGV[3] then return 0 end
  if ARGV[4] == '' then
    redis.call('HDEL', KEYS[1], ARGV[2])
    redis.call('ZREM', KEYS[2], ARGV[2])
    redis.call('HSET', KEYS[1], '${EPOCH}', ARGV[1])
    return 1
  end
  redis.call('HSETNX', KEYS[1], '${EPOCH}', ARGV[1])
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
  redis.call('ZADD', KEYS[2], redis.call('HINCRBY', KEYS[1], '${COUNT}', 1), ARGV[2])
  return 1`;

/** KEYS: as of WRITE. ARGV: epoch and count of the last read. Gives both anew, whether all follow, and previews with their records. */
const READ = `
  local epoch = redis.call('HGET', KEYS[1], '${EPOCH}') or ''
  local count = redis.call('HGET', KEYS[1], '${COUNT}') or '0'
  if epoch == '' or epoch ~= ARGV[1] then return {epoch, count, 1, redis.call('HGETALL', KEYS[1])} end
  local changed = {}
  if count ~= ARGV[2] then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[2], '+inf')) do
      changed[#changed + 1] = id
      changed[#changed + 1] = redis.call('HGET', KEYS[1], id) or ''
    end
  end
  return {epoch, count, 0, changed}`;

/** Writes records as a part of what the pipeline does in one step. */
export function writeRecords(
  pipeline: ChainableCommander,
  keys: StoreKeys,
  records: ReadonlyMap<string, string>,
): void {
  pipeline.eval(WRITE, 2, keys.records, keys.changes, randomUUID(), ...[...records].flat());
}

/** Changes a record only where it still is `expected`. @returns whether it was */
export async function swapRecord(
  redis: Redis,
  keys: StoreKeys,
  change: { readonly id: PreviewId; readonly expected: string | null; readonly value: string | undefined },
): Promise<boolean> {
  const { id, expected, value } = change;
  const reply = await redis.eval(SWAP, 2, keys.records, keys.changes, randomUUID(), id, expected ?? '', value ?? '');
  return reply === 1;
}

/** A record as it lies in Redis, and what it says. */
export interface StoredRecord {
  readonly text: string;
  readonly record: PreviewRecord;
}

/** @returns what reads all records, by their ids in order; the array is never changed */
export function recordsReader(redis: Redis, keys: StoreKeys): () => Promise<readonly StoredRecord[]> {
  let epoch = '';
  let count = '0';
  let known = new Map<string, StoredRecord>();
  let sorted: readonly StoredRecord[] = [];
  // One that comes back after a crash may have lost its last second, and count it anew.
  redis.on('close', () => {
    epoch = '';
  });

  return async () => {
    const reply = await redis.eval(READ, 2, keys.records, keys.changes, epoch, count);
    const [nowEpoch, nowCount, isAll, pairs] = reply as [string, string, number, string[]];
    [epoch, count] = [nowEpoch, nowCount];
    if (isAll === 1) known = new Map();
    else if (pairs.length === 0) return sorted;
    for (let at = 0; at < pairs.length; at += 2) {
      const [id = '', text = ''] = pairs.slice(at, at + 2);
      if (!id.startsWith(':') && text !== '') known.set(id, { text, record: JSON.parse(text) as PreviewRecord });
    }
    sorted = [...known.values()].sort((a, b) => (a.record.id < b.record.id ? -1 : 1));
    return sorted;
  };
}
