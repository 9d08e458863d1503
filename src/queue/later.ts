/** Hints for a later time. They lie in a sorted set, so a restart loses none, and become ordinary hints when they are due. */
import type { Redis } from 'ioredis';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Hints } from '../domain/ports.ts';
import { queueKeys } from './names.ts';
import { backOff, CRASHES_MAX, LONGEST_PAUSE_MS } from './outcome.ts';

/** Removes an entry unless it was given another time meanwhile. */
const REMOVE_IF_SAME = `
  local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if score and tonumber(score) == tonumber(ARGV[2]) then return redis.call('ZREM', KEYS[1], ARGV[1]) end
  return 0`;

/** What became of a run's outcome. */
export type Settled = { readonly again: true; readonly afterMs: number } | { readonly again: false };

/** Writes down what follows from a run; `crashed` where it ended in an error that nobody foresaw. */
export async function settle(
  redis: Redis,
  prefix: string,
  run: { readonly id: PreviewId; readonly outcome: Outcome; readonly crashed: boolean },
): Promise<Settled> {
  const keys = queueKeys(prefix);
  const { id, outcome, crashed } = run;
  switch (outcome.kind) {
    case 'done':
    case 'terminal':
      await forget(redis, prefix, id);
      return { again: false };
    case 'again': {
      const crashes = crashed ? await redis.hincrby(keys.crashes, id, 1) : 0;
      if (!crashed) await redis.hdel(keys.crashes, id);
      if (crashes > CRASHES_MAX) {
        await forget(redis, prefix, id);
        return { again: false };
      }
      const afterMs = outcome.afterMs ?? backOff(await redis.hincrby(keys.tries, id, 1));
      await redis.zadd(keys.later, Date.now() + afterMs, id);
      return { again: true, afterMs };
    }
    default:
      return outcome satisfies never;
  }
}

async function forget(redis: Redis, prefix: string, id: PreviewId): Promise<void> {
  const keys = queueKeys(prefix);
  await redis.multi().zrem(keys.later, id).hdel(keys.tries, id).hdel(keys.crashes, id).exec();
}

/** Hints what is due. First the hint, then the removal: a crash between them hints twice, which costs nothing. */
export async function promote(redis: Redis, prefix: string, hints: Hints): Promise<void> {
  const key = queueKeys(prefix).later;
  const now = Date.now();
  const due = await redis.zrangebyscore(key, 0, now, 'WITHSCORES', 'LIMIT', 0, 100);
  // Nobody asks for a longer pause: the clock was set back since.
  due.push(...(await redis.zrangebyscore(key, now + LONGEST_PAUSE_MS + 1, '+inf', 'WITHSCORES', 'LIMIT', 0, 100)));
  for (let at = 0; at + 1 < due.length; at += 2) {
    const [member, score] = [due[at] ?? '', due[at + 1] ?? ''];
    const id = parsePreviewId(member);
    if (id) await hints.hint(id);
    await redis.eval(REMOVE_IF_SAME, 1, key, member, score);
  }
}
