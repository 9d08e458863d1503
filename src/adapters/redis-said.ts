/** What was last said of each preview on the forge, in Redis: a hash each. */
import type { Commit } from '../domain/names.ts';
import type { SaidBook, SaidComment, SaidDeployment, SaidOfCommit } from '../domain/said.ts';
import { asker, type Connections, storeKeys } from './redis-keys.ts';

export interface RedisSaid extends SaidBook {
  close(): void;
}

/** Fields of a preview's hash; of commits and pull requests with what follows. */
const COMMIT = 'commit:';
const COMMENT = 'comment:';
const DEPLOYMENTS = 'deployments';

export function redisSaid(options: { readonly redis: Connections; readonly prefix?: string }): RedisSaid {
  const keys = storeKeys(options.prefix ?? 'treehouse');
  const connection = options.redis.quick();
  const asking = asker(options.redis, connection);
  const note: SaidNote = (id, field, value) =>
    asking(`noting what is said of ${id}`, async () => {
      if (value === undefined) await connection.hdel(keys.said(id), field);
      else await connection.hset(keys.said(id), field, JSON.stringify(value));
    });

  return {
    read: (id) =>
      asking(`reading what was said of ${id}`, async () => {
        const fields = Object.entries(await connection.hgetall(keys.said(id)));
        const under = <T>(prefix: string): [string, T][] =>
          fields.flatMap(([field, text]) =>
            field.startsWith(prefix) ? [[field.slice(prefix.length), JSON.parse(text) as T]] : [],
          );
        return {
          commits: new Map(under<SaidOfCommit>(COMMIT) as [Commit, SaidOfCommit][]),
          deployments: under<readonly SaidDeployment[]>(DEPLOYMENTS)[0]?.[1],
          comments: new Map(under<SaidComment>(COMMENT).map(([number, said]) => [Number(number), said])),
        };
      }),
    noteCommit: (id, commit, said) => note(id, `${COMMIT}${commit}`, said),
    noteDeployments: (id, said) => note(id, DEPLOYMENTS, said),
    noteComment: (id, pullRequest, said) => note(id, `${COMMENT}${pullRequest}`, said),
    forget: (id) => asking(`forgetting what was said of ${id}`, async () => void (await connection.del(keys.said(id)))),
    close: () => connection.disconnect(),
  };
}

type SaidNote = (id: Parameters<SaidBook['forget']>[0], field: string, value: unknown) => Promise<void>;
