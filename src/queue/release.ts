/** A key in Redis that says who has something, and goes by itself. */
import type { Redis } from 'ioredis';

/** KEYS: the key. ARGV: holder. */
const RELEASE = `
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  return redis.call('DEL', KEYS[1])`;

/** Takes the key away, unless it is another's by now. */
export async function release(redis: Redis, key: string, holder: string): Promise<void> {
  await redis.eval(RELEASE, 1, key, holder);
}
