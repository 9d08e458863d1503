/** Holds on a real Redis: one holder of a preview, whatever dies. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { PreviewId } from '../../src/domain/names.ts';
import { type Holds, openHolds } from '../../src/queue/holds.ts';
import { queueKeys } from '../../src/queue/names.ts';
import { type RedisConnections, redisConnections } from '../../src/queue/redis.ts';
import { keptLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const A = 'a--shop' as PreviewId;
const B = 'b--shop' as PreviewId;
const LEASE_MS = 800;
const never = () => expect.unreachable();

let redis: TestRedis;
let connections: RedisConnections;
let [one, two]: [Holds, Holds] = [] as never;

beforeAll(async () => {
  redis = await startRedis();
  connections = redisConnections(redis.url, keptLog().log);
  one = openHolds({ redis: connections, leaseMs: LEASE_MS, now: () => 5 });
  two = openHolds({ redis: connections, leaseMs: LEASE_MS, now: () => 7 });
});

afterAll(async () => {
  one.close();
  two.close();
  await redis.close();
});

test('what one has no other gets, for as long as it takes, and until it is let go', async () => {
  const letGo = await one.take(A, never);
  expect(letGo).toBeDefined();
  expect(await two.take(A, never)).toBeUndefined();
  expect(await one.take(A, never)).toBeUndefined();
  const other = await two.take(B, never);
  // Far beyond its lease.
  await new Promise((resolve) => setTimeout(resolve, 2 * LEASE_MS));
  expect(await two.take(A, never)).toBeUndefined();
  expect([...(await two.all())].sort((a, b) => a.since - b.since)).toEqual([
    { id: A, since: 5 },
    { id: B, since: 7 },
  ]);
  await letGo?.();
  await other?.();
  expect(await one.all()).toEqual([]);
  await (await two.take(A, never))?.();
});

test('what a killed worker had is free once its lease is over', async () => {
  const killed = openHolds({ redis: connections, leaseMs: LEASE_MS, now: () => 5 });
  await killed.take(A, never);
  killed.close();
  expect(await two.take(A, never)).toBeUndefined();
  let taken: Awaited<ReturnType<Holds['take']>>;
  await expect.poll(async () => (taken ??= await two.take(A, never)), { timeout: 20 * LEASE_MS }).toBeDefined();
  await taken?.();
});

test('one that was silent for too long is told that another has it, and takes nothing from that one', async () => {
  const lost = vi.fn();
  const letGo = await one.take(A, lost);
  const connection = connections.quick();
  await connections.ready(connection);
  // As its lease would, had it been asleep.
  await connection.zrem(queueKeys('treehouse').held, A);
  await connection.hset(queueKeys('treehouse').holders, A, 'another 9');
  await connection.zadd(queueKeys('treehouse').held, Date.now() + 60_000, A);
  connection.disconnect();
  await expect.poll(() => lost.mock.calls.length, { timeout: 20 * LEASE_MS }).toBe(1);
  await letGo?.();
  expect(await two.all()).toEqual([{ id: A, since: 9 }]);
});

test('a Redis that was wiped is told anew', async () => {
  const letGo = await one.take(B, never);
  const connection = connections.quick();
  await connections.ready(connection);
  await connection.flushall();
  connection.disconnect();
  await expect.poll(() => two.all(), { timeout: 20 * LEASE_MS }).toEqual([{ id: B, since: 5 }]);
  await letGo?.();
  expect(await two.all()).toEqual([]);
});
