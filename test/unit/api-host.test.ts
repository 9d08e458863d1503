/** What the API tells of the forge: when all was last as it has it, and nothing without credentials. */
import { expect, it } from 'vitest';
import { type HostDeps, hostRoutes } from '../../src/api/host.ts';
import { repositoryName } from '../../src/domain/names.ts';

async function hostWith(agreement: HostDeps['agreement']): Promise<object> {
  const [one] = hostRoutes({
    ...{ version: '1.2.3', limits: {}, pausedBecause: async () => undefined, agreement },
    host: async () => ({
      engine: { version: '26.1.5', api: '1.45', containers: 3, running: 2 },
      ...{ cores: 2, memory: 2 ** 30, disks: [] },
    }),
  });
  const answer = await one?.handle({} as never);
  return answer && 'body' in answer ? (answer.body as object) : {};
}

it('is absent without credentials', async () => {
  expect(await hostWith(undefined)).not.toHaveProperty('forge');
});

it('is when it last agreed for each installation, and where it could not, why', async () => {
  const host = await hostWith(async () => ({
    host: 'github.com',
    installations: [
      { owner: 'acme', agreedAt: 1_000, faults: [] },
      { owner: undefined, agreedAt: undefined, faults: [{ repositories: [repositoryName('rho/site')], why: 'no' }] },
    ],
    deliveries: undefined,
  }));
  expect(host).toMatchObject({
    forge: {
      host: 'github.com',
      installations: [
        { owner: 'acme', agreedAt: '1970-01-01T00:00:01.000Z', faults: [] },
        { owner: null, agreedAt: null, faults: [{ repositories: ['rho/site'], why: 'no' }] },
      ],
      deliveries: null,
    },
  });
});
