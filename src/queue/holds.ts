/** Who is at work on which preview, in Redis, for all workers that share it; what a killed worker held is free again in seconds. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { DEFAULT_PREFIX, queueKeys } from './names.ts';
import type { RedisConnections } from './redis.ts';

export interface HoldsOptions {
  readonly redis: RedisConnections;
  readonly prefix?: string;
  /** Milliseconds after which what is not renewed is free; it is renewed four times as often. */
  readonly leaseMs: number;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What is held by whomever. */
export interface HeldPreview {
  readonly id: PreviewId;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export interface Holds {
  /**
   * @param onLost told where another has it all the same: this process was silent for too long
   * @returns what lets go of it; undefined where another worker has it.
   * @throws transient `queue-away`
   */
  take(id: PreviewId, onLost: () => void): Promise<(() => Promise<void>) | undefined>;
  /** Of all workers. @throws transient `queue-away` */
  all(): Promise<readonly HeldPreview[]>;
  close(): void;
}

const NOW = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)`;
/** KEYS: sorted set, preview → when it is free; hash, preview → "holder since". ARGV: preview, holder, lease in ms, the time. 1 where it is the holder's. */
const TAKE = `${NOW}
  local free = redis.call('ZSCORE', KEYS[1], ARGV[1])
  local said = redis.call('HGET', KEYS[2], ARGV[1])
  local mine = said and string.sub(said, 1, #ARGV[2]) == ARGV[2]
  if free and tonumber(free) > now and not mine then return 0 end
  redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
  if not mine then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[4]) end
  return 1`;
/** KEYS as above. ARGV: preview, holder. */
const LET_GO = `
  local said = redis.call('HGET', KEYS[2], ARGV[1])
  if not said or string.sub(said, 1, #ARGV[2]) ~= ARGV[2] then return 0 end
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
  return 1`;
/** KEYS as above. Forgets those that are free, and gives "preview" and "holder since" of the others in turn. */
const ALL = `${NOW}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do redis.call('HDEL', KEYS[2], id) end
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  return redis.call('HGETALL', KEYS[2])`;

export function openHolds({ redis, leaseMs, now, prefix = DEFAULT_PREFIX }: HoldsOptions): Holds {
  const { held, holders } = queueKeys(prefix);
  const connection = redis.quick();

  async function ask(act: string, script: string, ...args: string[]): Promise<unknown> {
    try {
      await redis.ready(connection);
      return await connection.eval(script, 2, held, holders, ...args);
    } catch (error) {
      throw new TreehouseError('queue-away', `${act}: ${messageOf(error)}`, { kind: 'transient', cause: error });
    }
  }

  return {
    async take(id, onLost) {
      // Who looks into Redis sees which process it is.
      const holder = `${hostname()}/${process.pid}/${randomUUID()}`;
      const args = [id, holder, String(leaseMs), String(now())];
      if ((await ask(`taking ${id}`, TAKE, ...args)) !== 1) return undefined;
      const timer = setInterval(() => {
        // While Redis is away nobody takes it; one that was wiped is told anew.
        ask(`keeping ${id}`, TAKE, ...args).then(
          (kept) => {
            if (kept === 1) return;
            clearInterval(timer);
            onLost();
          },
          () => undefined,
        );
      }, leaseMs / 4);
      return async () => {
        clearInterval(timer);
        // Else it is free once its lease is over.
        await ask(`letting go of ${id}`, LET_GO, id, holder).catch(() => undefined);
      };
    },
    async all() {
      const reply = (await ask('reading who is at work', ALL)) as string[];
      const found: HeldPreview[] = [];
      for (let at = 0; at + 1 < reply.length; at += 2) {
        const id = parsePreviewId(reply[at] ?? '');
        if (id) found.push({ id, since: Number(reply[at + 1]?.split(' ')[1]) });
      }
      return found;
    },
    close: () => connection.disconnect(),
  };
}
