/** The right to migrate: one process has it, for as long as it lives. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';

export interface Lease {
  /** Says of which version the state is now. @returns false where the lease was lost, and nothing was said */
  stamp(version: number, by: string): Promise<boolean>;
  release(): Promise<void>;
}

export function stateKeys(prefix: string): { readonly version: string; readonly migrating: string } {
  return {
    /** Hash: `version` of the state, and `by` which Treehouse it was stamped. Every version reads these two fields. */
    version: `${prefix}:version`,
    /** Who migrates; it goes by itself. */
    migrating: `${prefix}:migrating`,
  };
}

/** KEYS: lease. ARGV: holder, milliseconds. */
const RENEW = `
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;

/** KEYS: lease. ARGV: holder. */
const RELEASE = `
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  return redis.call('DEL', KEYS[1])`;

/** KEYS: lease, version. ARGV: holder, version, program. */
const STAMP = `
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  redis.call('HSET', KEYS[2], 'version', ARGV[2], 'by', ARGV[3])
  return 1`;

/** @returns undefined where another one has it */
export async function holdLease(redis: Redis, prefix: string, ms: number): Promise<Lease | undefined> {
  const { version, migrating } = stateKeys(prefix);
  const holder = randomUUID();
  if ((await redis.set(migrating, holder, 'PX', ms, 'NX')) !== 'OK') return undefined;
  const timer = setInterval(() => {
    // Where it cannot be said, the lease ends by itself, and the stamp is refused.
    redis.eval(RENEW, 1, migrating, holder, ms).catch(() => undefined);
  }, ms / 3);
  return {
    stamp: async (to, by) => (await redis.eval(STAMP, 2, migrating, version, holder, to, by)) === 1,
    async release() {
      clearInterval(timer);
      await redis.eval(RELEASE, 1, migrating, holder);
    },
  };
}
