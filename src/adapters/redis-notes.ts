/** The last note of each pull request, in Redis: each a key that goes by itself. */
import type { Note, Notes } from '../domain/notes.ts';
import { asker, type Connections } from './redis-keys.ts';

const KEPT_S = 86_400;

export function redisNotes(options: {
  readonly redis: Connections;
  readonly prefix?: string;
}): Notes & { close(): void } {
  const connection = options.redis.quick();
  const asking = asker(options.redis, connection);
  const keyOf = (repository: string, pullRequest: number) =>
    `${options.prefix ?? 'treehouse'}:note:${repository}:${pullRequest}`;
  return {
    put: (repository, pullRequest, note) =>
      asking(`noting an answer on pull request #${pullRequest} of ${repository}`, async () => {
        await connection.set(keyOf(repository, pullRequest), JSON.stringify(note), 'EX', KEPT_S);
      }),
    of: (repository, pullRequest) =>
      asking(`reading the answer on pull request #${pullRequest} of ${repository}`, async () => {
        const text = await connection.get(keyOf(repository, pullRequest));
        return text === null ? undefined : (JSON.parse(text) as Note);
      }),
    close: () => connection.disconnect(),
  };
}
