/** Leading on a real Redis: one of several at a time, and another soon where it dies or goes. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { claimLead, type Lead } from '../../src/queue/lead.ts';
import { queueKeys } from '../../src/queue/names.ts';
import { type RedisConnections, redisConnections } from '../../src/queue/redis.ts';
import { keptLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const LEASE_MS = 600;
const { log } = keptLog();
let redis: TestRedis;
let connections: RedisConnections;
let leads: Lead[] = [];
/** Names of those who lead now. */
let leading: string[] = [];

beforeAll(async () => {
  redis = await startRedis();
  connections = redisConnections(redis.url, log);
});

afterEach(async () => {
  await Promise.all(leads.map((one) => one.stop()));
  [leads, leading] = [[], []];
});

afterAll(async () => {
  await redis.close();
});

function candidate(name: string): Lead {
  const lead = claimLead({
    ...{ redis: connections, log, leaseMs: LEASE_MS },
    async begin() {
      leading.push(name);
      return async () => {
        leading = leading.filter((one) => one !== name);
      };
    },
  });
  leads.push(lead);
  return lead;
}

async function anyLeads(): Promise<void> {
  await expect.poll(() => leading.length, { timeout: 20 * LEASE_MS }).toBe(1);
}

test('one of three leads, and when it goes another does at once', async () => {
  const all = new Map(['a', 'b', 'c'].map((name) => [name, candidate(name)]));
  for (let left = 3; left > 0; left -= 1) {
    await anyLeads();
    await new Promise((resolve) => setTimeout(resolve, 2 * LEASE_MS));
    expect(leading).toHaveLength(1);
    const [first = ''] = leading;
    await all.get(first)?.stop();
    // Another may lead by now.
    expect(leading).not.toContain(first);
  }
});

test('who finds that another leads ends what it began', async () => {
  candidate('a');
  await anyLeads();
  const connection = connections.quick();
  await connections.ready(connection);
  await connection.set(queueKeys('treehouse').lead, 'another', 'PX', 5_000);
  await expect.poll(() => leading, { timeout: 20 * LEASE_MS }).toEqual([]);
  await connection.del(queueKeys('treehouse').lead);
  connection.disconnect();
  await anyLeads();
});

test('nobody leads for longer than the lease while Redis is away, and one does once it is back', async () => {
  candidate('a');
  await anyLeads();
  await redis.kill();
  await expect.poll(() => leading, { timeout: 20 * LEASE_MS }).toEqual([]);
  await redis.start();
  await anyLeads();
});
