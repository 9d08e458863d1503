/** What lies in a Redis, as text: recorded from earlier versions in test/fixtures/state, and compared. */
import { readFile } from 'node:fs/promises';
import type { ChainableCommander, Redis } from 'ioredis';

/** One key: its type, its value in plain JSON, and what was left of its time in milliseconds. */
export interface KeptKey {
  readonly key: string;
  readonly type: string;
  readonly ttl?: number;
  readonly value: unknown;
}

/** Puts into an empty Redis what a file of test/fixtures/state says, a key a line; of all keys, or of those that are `wanted`. */
export async function restoreState(redis: Redis, name: string, wanted = /./): Promise<void> {
  const text = await readFile(new URL(`../fixtures/state/${name}.jsonl`, import.meta.url), 'utf8');
  const kept = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as KeptKey);
  const pipeline = redis.pipeline();
  for (const one of kept) if (wanted.test(one.key)) restoreKey(pipeline, one);
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
}

function restoreKey(pipeline: ChainableCommander, { key, type, ttl, value }: KeptKey): void {
  if (type === 'string') pipeline.set(key, value as string);
  else if (type === 'hash') pipeline.hset(key, value as Record<string, string>);
  else if (type === 'set') pipeline.sadd(key, ...(value as string[]));
  else if (type === 'list') pipeline.rpush(key, ...(value as string[]));
  else if (type === 'zset') {
    const pairs = value as string[];
    for (let at = 0; at < pairs.length; at += 2) pipeline.zadd(key, pairs[at + 1] ?? '', pairs[at] ?? '');
  } else if (type === 'stream') {
    for (const [id, fields] of value as [string, string[]][]) pipeline.xadd(key, id, ...fields);
  } else throw new Error(`nobody knows how a ${type} is restored`);
  if (ttl !== undefined) pipeline.pexpire(key, ttl);
}

/** All that is there, by key, without what is left of its time. */
export async function wholeState(redis: Redis): Promise<readonly KeptKey[]> {
  const keys = (await redis.keys('*')).sort();
  return Promise.all(
    keys.map(async (key) => {
      const type = await redis.type(key);
      return { key, type, value: await valueAt(redis, key, type) };
    }),
  );
}

async function valueAt(redis: Redis, key: string, type: string): Promise<unknown> {
  if (type === 'string') return redis.get(key);
  if (type === 'hash') return redis.hgetall(key);
  if (type === 'set') return (await redis.smembers(key)).sort();
  if (type === 'list') return redis.lrange(key, 0, -1);
  if (type === 'zset') return redis.zrange(key, '0', '-1', 'WITHSCORES');
  return redis.xrange(key, '-', '+');
}
