/** Who is signed in to the dashboard, in Redis: each a key that goes by itself. */
import type { SessionRecord, Sessions } from '../domain/sessions.ts';
import { asker, type Connections } from './redis-keys.ts';

export function redisSessions(options: {
  readonly redis: Connections;
  readonly prefix?: string;
}): Sessions & { close(): void } {
  const connection = options.redis.quick();
  const asking = asker(options.redis, connection);
  const keyOf = (hash: string) => `${options.prefix ?? 'treehouse'}:session:${hash}`;
  return {
    add: (hash, record, seconds) =>
      asking('keeping a session', async () => {
        await connection.set(keyOf(hash), JSON.stringify(record), 'EX', seconds);
      }),
    find: (hash) =>
      asking('reading a session', async () => {
        const text = await connection.get(keyOf(hash));
        return text === null ? undefined : (JSON.parse(text) as SessionRecord);
      }),
    extend: (hash, seconds) =>
      asking('keeping a session', async () => {
        await connection.expire(keyOf(hash), seconds);
      }),
    remove: (hash) =>
      asking('ending a session', async () => {
        await connection.del(keyOf(hash));
      }),
    close: () => connection.disconnect(),
  };
}
