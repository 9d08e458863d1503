/** The receiver before a real Redis that stops, dies and comes back: 202 means durable, 503 comes soon, nothing hangs. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore, type RedisStore } from '../../src/adapters/redis-store.ts';
import type { PreviewId } from '../../src/domain/names.ts';
import { type HintQueue, openHints } from '../../src/queue/hints.ts';
import { redisConnections } from '../../src/queue/redis.ts';
import { keptLog } from '../support/log.ts';
import { repository, startReceiver, type TestReceiver } from '../support/receiver.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { deliver, signed } from '../support/signed.ts';

const push = {
  ref: 'refs/heads/main',
  after: '6113728f27ae82c7b1a177c8d03f9e96e0adf246',
  created: false,
  deleted: false,
  forced: false,
  repository: { full_name: 'acme/shop' },
};
const merged = {
  action: 'closed',
  repository: { full_name: 'acme/shop' },
  pull_request: {
    number: 7,
    state: 'closed',
    merged: true,
    updated_at: '2026-11-01T10:00:00Z',
    head: { ref: 'topic', sha: push.after, repo: { full_name: 'acme/shop' } },
  },
};
const repositories = [repository('acme/shop')];
const { log, logged } = keptLog();

let redis: TestRedis;
let hints: HintQueue;
let store: RedisStore;
let receiver: TestReceiver;

beforeEach(async () => {
  redis = await startRedis();
  await open();
});

afterEach(async () => {
  await close();
  await redis.close();
});

async function open(): Promise<void> {
  const connections = redisConnections(redis.url, log);
  hints = openHints({ redis: connections });
  store = openStore({ redis: connections, clock: { now: Date.now }, log });
  receiver = await startReceiver({ store, hints, repositories: () => repositories });
}

async function close(): Promise<void> {
  await receiver.close();
  await Promise.all([hints.close(), store.close()]);
}

async function timed(): Promise<{ readonly status: number; readonly ms: number }> {
  const began = performance.now();
  const { status } = await deliver(receiver.url, signed('push', push));
  return { status, ms: performance.now() - began };
}

test('202 is durable: a Redis that is killed right after it still has the hint and what was said', async () => {
  expect((await deliver(receiver.url, signed('push', push))).status).toBe(202);
  expect((await deliver(receiver.url, signed('pull_request', merged))).status).toBe(202);
  await redis.kill();
  await redis.start();
  await expect.poll(() => store.ping(), { timeout: 10_000 }).toBe(true);
  expect(await hints.counts()).toEqual({ waiting: 2, active: 0, later: 0 });
  expect(await store.record('main--shop' as PreviewId)).toMatchObject({ state: 'waiting', branch: 'main' });
  expect(await store.pullRequests(merged.repository.full_name as never, 'topic' as never)).toEqual([
    { number: 7, open: false, merged: true, head: push.after, updatedAt: Date.parse('2026-11-01T10:00:00Z') },
  ]);
});

test('the same delivery ten times is one job', async () => {
  await Promise.all(Array.from({ length: 10 }, () => deliver(receiver.url, signed('push', push))));
  expect(await hints.counts()).toEqual({ waiting: 1, active: 0, later: 0 });
});

test('Redis does not answer (SIGSTOP): 503 soon; when it answers again: 202', async () => {
  expect((await timed()).status).toBe(202);
  redis.pause();
  const { status, ms } = await timed();
  expect(status).toBe(503);
  expect(ms).toBeLessThan(5_000);
  redis.resume();
  await expect.poll(async () => (await timed()).status, { timeout: 10_000 }).toBe(202);
});

test('Redis is killed: 503 soon; when it is back: 202', async () => {
  expect((await timed()).status).toBe(202);
  await redis.kill();
  const warnings: string[] = [];
  const warned = (warning: Error) => warnings.push(warning.message);
  process.on('warning', warned);
  const answers = await Promise.all(Array.from({ length: 12 }, timed));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
  expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(5_000);
  await redis.start();
  await expect.poll(async () => (await timed()).status, { timeout: 10_000 }).toBe(202);
  const outage = logged.filter(({ msg }) => msg === 'redis is away').length;
  expect(outage).toBeGreaterThan(0);
  process.off('warning', warned);
  expect(warnings).toEqual([]);
});

test('Redis is away from the start: 503 soon; when it comes: 202', async () => {
  await close();
  await redis.kill();
  await open();
  const { status, ms } = await timed();
  expect(status).toBe(503);
  expect(ms).toBeLessThan(5_000);
  await redis.start();
  await expect.poll(async () => (await timed()).status, { timeout: 10_000 }).toBe(202);
});
