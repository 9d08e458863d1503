/** Since when what is known is what the forge says, in Redis: one hash. */
import type { Agreement, AgreementBook, DeliveriesState } from '../domain/agreement.ts';
import type { RepositoryName } from '../domain/names.ts';
import { asker, type Connections } from './redis-keys.ts';

export function redisAgreement(options: {
  readonly redis: Connections;
  readonly prefix?: string;
}): AgreementBook & { close(): void } {
  const key = `${options.prefix ?? 'treehouse'}:agreement`;
  const connection = options.redis.quick();
  const asking = asker(options.redis, connection);
  return {
    read: () =>
      asking('reading when it was agreed with the forge', async () => {
        const { repositories, deliveries } = await connection.hgetall(key);
        const all = JSON.parse(repositories ?? '[]') as [RepositoryName, Agreement][];
        return {
          repositories: new Map(all),
          deliveries: deliveries === undefined ? undefined : (JSON.parse(deliveries) as DeliveriesState),
        };
      }),
    noteRepositories: (all) =>
      asking('noting when it was agreed with the forge', async () => {
        await connection.hset(key, 'repositories', JSON.stringify([...all]));
      }),
    noteDeliveries: (state) =>
      asking('noting which deliveries were asked for again', async () => {
        await connection.hset(key, 'deliveries', JSON.stringify(state));
      }),
    close: () => connection.disconnect(),
  };
}
