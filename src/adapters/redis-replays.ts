/** Answers by Idempotency-Key, in Redis. */

import type { Replays } from '../api/once.ts';
import type { Answer } from '../api/route.ts';
import { asker, type Connections } from './redis-keys.ts';

/** Seconds for which a request may be sent again. */
const KEPT_S = 86_400;
/** Seconds for which a request counts as under way; its worker may have died. */
const UNDER_WAY_S = 60;

interface Kept {
  readonly fingerprint: string;
  readonly answer?: Answer;
}

export function redisReplays(options: {
  readonly redis: Connections;
  readonly prefix?: string;
}): Replays & { close(): void } {
  const connection = options.redis.quick();
  const asking = asker(options.redis, connection);
  const keyOf = (key: string) => `${options.prefix ?? 'treehouse'}:replay:${key}`;
  return {
    claim: (key, fingerprint) =>
      asking('noting a request', async () => {
        const mine = JSON.stringify({ fingerprint } satisfies Kept);
        if ((await connection.set(keyOf(key), mine, 'EX', UNDER_WAY_S, 'NX')) === 'OK') return 'mine';
        const text = await connection.get(keyOf(key));
        if (text === null) return 'busy';
        const kept = JSON.parse(text) as Kept;
        if (kept.fingerprint !== fingerprint) return 'other';
        return kept.answer ?? 'busy';
      }),
    keep: (key, answer) =>
      asking('keeping an answer', async () => {
        const text = await connection.get(keyOf(key));
        if (text === null) return;
        const { fingerprint } = JSON.parse(text) as Kept;
        await connection.set(keyOf(key), JSON.stringify({ fingerprint, answer } satisfies Kept), 'EX', KEPT_S);
      }),
    release: (key) =>
      asking('forgetting a request', async () => {
        await connection.del(keyOf(key));
      }),
    close: () => connection.disconnect(),
  };
}
