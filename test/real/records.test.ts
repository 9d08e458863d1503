/** All records as several processes write and read them at once, beside what lies in Redis; and what reading costs. */
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openStore, type RedisStore } from '../../src/adapters/redis-store.ts';
import type { Branch, BuildId, Commit, PreviewId, RepositoryName } from '../../src/domain/names.ts';
import type { PreviewKey, PreviewRecord } from '../../src/domain/preview.ts';
import { redisConnections } from '../../src/queue/redis.ts';
import { keptLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const { log } = keptLog();
const DAY = 24 * 3_600_000;
const commit = 'a'.repeat(40) as Commit;
let redis: TestRedis;
let beside: Redis;
let now = Date.now();
let prefixes = 0;
let opened: RedisStore[] = [];

beforeAll(async () => {
  redis = await startRedis();
  beside = redisConnections(redis.url, log).patient();
});

afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

afterAll(async () => {
  beside.disconnect();
  await redis.close();
});

function stores(count: number): RedisStore[] {
  prefixes += 1;
  opened = Array.from({ length: count }, () =>
    openStore({ redis: redisConnections(redis.url, log), clock: { now: () => now }, log, prefix: `test${prefixes}` }),
  );
  return opened;
}

function keyOf(n: number): PreviewKey {
  return {
    id: `n${n}--shop` as PreviewId,
    repository: 'acme/shop' as RepositoryName,
    branch: `n${n}` as Branch,
  };
}

function started(n: number, build: string) {
  const { id } = keyOf(n);
  return { type: 'build.started', at: now, preview: id, build: build as BuildId, commit, cause: 'pushed' } as const;
}

/** As they lie there, whatever was read before. */
async function lying(): Promise<PreviewRecord[]> {
  const all = Object.entries(await beside.hgetall(`test${prefixes}:records`));
  const records = all.flatMap(([id, text]) => (id.startsWith(':') ? [] : [JSON.parse(text) as PreviewRecord]));
  return records.sort((a, b) => (a.id < b.id ? -1 : 1));
}

test('whoever writes, and whatever is lost, all read what lies there', async () => {
  const act = fc.oneof(
    { weight: 4, arbitrary: fc.record({ what: fc.constant('know' as const), by: fc.nat(1), n: fc.nat(5) }) },
    { weight: 4, arbitrary: fc.record({ what: fc.constant('build' as const), by: fc.nat(1), n: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('remove' as const), by: fc.nat(1), n: fc.nat(5) }) },
    { weight: 6, arbitrary: fc.record({ what: fc.constant('read' as const), by: fc.nat(1), n: fc.constant(0) }) },
    {
      weight: 1,
      arbitrary: fc.record({ what: fc.constantFrom('later', 'lose', 'wipe'), by: fc.nat(1), n: fc.constant(0) }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
      const both = stores(2);
      let builds = 0;
      for (const { what, by, n } of acts) {
        const store = both[by];
        if (!store) throw new Error('there are two');
        if (what === 'know') await store.know(keyOf(n));
        else if (what === 'build') {
          builds += 1;
          await store.append(started(n, `b${builds}`));
        } else if (what === 'remove') {
          await store.append({ type: 'preview.removed', at: now, preview: keyOf(n).id, cause: 'deleted', ms: 1 });
        } else if (what === 'later') now += 8 * DAY;
        else if (what === 'lose') await beside.del(`test${prefixes}:records`);
        else if (what === 'wipe') await beside.flushall();
        else expect(await store.records()).toEqual(await lying());
      }
      for (const store of both) expect(await store.records()).toEqual(await lying());
      await Promise.all(both.map((one) => one.close()));
    }),
    { numRuns: 40 },
  );
});

test('a Redis that lost what it had just acknowledged is believed', async () => {
  const [one, two] = stores(2);
  if (!one || !two) throw new Error('there are two');
  await one.know(keyOf(1));
  await one.append(started(1, 'b1'));
  const kept = await beside.hgetall(`test${prefixes}:records`);
  await one.append(started(1, 'b2'));
  expect((await two.records())[0]?.attempt?.build).toBe('b2');
  await redis.kill();
  await redis.start();
  // As it would be with a file that is written each second: one write is gone, and another takes its number.
  await beside.del(`test${prefixes}:records`);
  await beside.hset(`test${prefixes}:records`, kept);
  await one.append(started(1, 'b3'));
  expect((await two.records())[0]?.attempt?.build).toBe('b3');
});

test('what did not change is not sent again', async () => {
  const [store] = stores(1);
  if (!store) throw new Error('there is one');
  for (let n = 0; n < 300; n += 1) await store.know(keyOf(n));
  expect(await store.records()).toHaveLength(300);
  const sent = async (read: () => Promise<unknown>): Promise<number> => {
    const before = await sentSoFar();
    await read();
    return (await sentSoFar()) - before;
  };
  const asking = await sent(async () => undefined);
  expect((await sent(() => store.records())) - asking).toBeLessThan(500);
  await store.append(started(7, 'b1'));
  expect((await sent(() => store.records())) - asking).toBeLessThan(1_500);
});

/** Bytes that Redis has answered. */
async function sentSoFar(): Promise<number> {
  return Number(/total_net_output_bytes:(\d+)/.exec(await beside.info('stats'))?.[1]);
}
