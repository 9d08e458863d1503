/** The queue through the deaths of its worker and of its Redis. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../../src/adapters/redis-store.ts';
import type { PreviewId } from '../../src/domain/names.ts';
import { followAll } from '../../src/metrics/follow.ts';
import { type HintQueue, openHints } from '../../src/queue/hints.ts';
import { type RedisConnections, redisConnections } from '../../src/queue/redis.ts';
import { answerSweeps, askForSweeps } from '../../src/queue/sweeps.ts';
import { type Converge, type HintWorker, startWorker } from '../../src/queue/worker.ts';
import { keptLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const A = 'a--shop' as PreviewId;
const { log } = keptLog();

let redis: TestRedis;
let connections: RedisConnections;
let hints: HintQueue;
let workers: HintWorker[] = [];
let child: ChildProcess | undefined;

beforeEach(async () => {
  redis = await startRedis();
  connections = redisConnections(redis.url, log);
  hints = openHints({ redis: connections });
});

afterEach(async () => {
  child?.kill('SIGKILL');
  await Promise.all(workers.map((one) => one.stop(0)));
  workers = [];
  await hints.close();
  await redis.close();
});

function worker(converge: Converge, promoteEveryMs = 50): HintWorker {
  const started = startWorker({
    redis: connections,
    converge,
    hints,
    log,
    concurrency: 2,
    promoteEveryMs,
    lockMs: 1_500,
  });
  workers.push(started);
  return started;
}

/** A converge that takes `ms`, and `undoMs` to undo its work when it is aborted. */
function counting(ms: number, undoMs = 200) {
  const seen = { began: 0, ended: 0, aborted: 0, open: 0, overlaps: 0 };
  const converge: Converge = async (_id, { signal }) => {
    seen.began += 1;
    seen.open += 1;
    if (seen.open > 1) seen.overlaps += 1;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener('abort', () => {
        seen.aborted += 1;
        clearTimeout(timer);
        setTimeout(resolve, undoMs);
      });
    });
    seen.open -= 1;
    seen.ended += 1;
    if (signal.aborted) throw signal.reason;
    return { kind: 'done' };
  };
  return { seen, converge };
}

test('a worker process that is killed: its job is taken over, and a hint given meanwhile is not lost', async () => {
  child = spawn(process.execPath, ['--input-type=module', '-e', deadlyWorker(redis.url)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: new URL('../..', import.meta.url),
  });
  await hints.hint(A);
  await new Promise<void>((resolve) => child?.stdout?.once('data', () => resolve()));
  await hints.hint(A);
  child.kill('SIGKILL');
  const { seen, converge } = counting(20);
  worker(converge);
  await expect.poll(() => seen.ended, { timeout: 20_000 }).toBe(2);
  await expect.poll(() => hints.counts()).toEqual({ waiting: 0, active: 0, later: 0 });
  expect(seen.overlaps).toBe(0);
});

test.each([
  // Undoing takes longer than the queue takes to give the job away again, to the same worker.
  { workers: 1, undoMs: 3_000 },
  { workers: 2, undoMs: 200 },
])(
  'Redis stops answering for longer than the lock: never two runs at once, one is done in the end ($workers)',
  async (with_) => {
    const { seen, converge } = counting(3_000, with_.undoMs);
    for (let at = 0; at < with_.workers; at += 1) worker(converge);
    await hints.hint(A);
    await expect.poll(() => seen.began).toBe(1);
    redis.pause();
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    redis.resume();
    await expect
      .poll(() => hints.counts().catch(() => undefined), { timeout: 30_000 })
      .toEqual({ waiting: 0, active: 0, later: 0 });
    expect(seen.overlaps).toBe(0);
    expect(seen.ended - seen.aborted).toBeGreaterThan(0);
  },
);

test('Redis is killed in the middle of a run and comes back: the work goes on, and new hints are taken', async () => {
  const { seen, converge } = counting(1_000);
  worker(converge);
  await hints.hint(A);
  await expect.poll(() => seen.began).toBe(1);
  await redis.kill();
  await new Promise((resolve) => setTimeout(resolve, 300));
  await redis.start();
  await expect
    .poll(() => hints.counts().catch(() => undefined), { timeout: 30_000 })
    .toEqual({ waiting: 0, active: 0, later: 0 });
  const before = seen.ended;
  expect(before).toBeGreaterThan(0);
  await hints.hint(A);
  await expect.poll(() => seen.ended, { timeout: 20_000 }).toBeGreaterThan(before);
  expect(seen.overlaps).toBe(0);
});

test('Redis comes back empty: hints given from then on are run', async () => {
  const { seen, converge } = counting(10);
  worker(converge);
  await hints.hint(A);
  await expect.poll(() => seen.ended).toBe(1);
  await redis.kill();
  await redis.start({ keep: false });
  await expect
    .poll(
      () =>
        hints.hint(A).then(
          () => true,
          () => false,
        ),
      { timeout: 10_000 },
    )
    .toBe(true);
  await expect.poll(() => seen.ended, { timeout: 20_000 }).toBe(2);
});

test('a hint while Redis is away is refused as transient, soon; also where Redis was never there', async () => {
  await redis.kill();
  const began = performance.now();
  await expect(hints.hint(A)).rejects.toMatchObject({ code: 'queue-away', kind: 'transient' });
  const never = openHints({ redis: redisConnections('redis://127.0.0.1:1', log) });
  await expect(never.hint(A)).rejects.toMatchObject({ code: 'queue-away', kind: 'transient' });
  await never.close();
  expect(performance.now() - began).toBeLessThan(8_000);
});

test('a worker stops although Redis is away', async () => {
  const { seen, converge } = counting(60_000);
  const one = worker(converge);
  await hints.hint(A);
  await expect.poll(() => seen.began).toBe(1);
  await redis.kill();
  const began = performance.now();
  await one.stop(0);
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(seen.aborted).toBe(1);
});

test('nor does one that was just looking for hints for later wait for it', async () => {
  const one = worker(async () => ({ kind: 'done' }), 1);
  await hints.hint(A);
  redis.pause();
  // In flight by then, and never answered.
  await delay(50);
  await redis.kill();
  await one.stop(0);
});

test('whoever reads without end, or waits to be asked for sweeps, ends although Redis is away', async () => {
  const store = openStore({ redis: connections, clock: { now: Date.now }, log });
  const unfollow = followAll(
    (how) => store.follow(how),
    () => undefined,
    log,
  );
  const sweeps = { redis: connections, prefix: 'treehouse' };
  const none = async () => ({ removed: [], drifted: [], waiting: [] }) as never;
  const unanswer = answerSweeps(sweeps, none);
  const asking = askForSweeps(sweeps);
  await asking.sweep({ dryRun: true });
  await redis.kill();
  // Each is between two tries by then.
  await delay(500);
  await Promise.all([unfollow(), unanswer(), asking.close()]);
  await store.close();
});

/** BullMQ alone, with the names and locks of our queue: it says that it began, and never ends. */
function deadlyWorker(url: string): string {
  return `
    import { Worker } from 'bullmq';
    import { Redis } from 'ioredis';
    const connection = new Redis(${JSON.stringify(url)}, { maxRetriesPerRequest: null });
    new Worker('hints', () => { console.log('began'); return new Promise(() => {}); }, {
      connection, prefix: 'treehouse', lockDuration: 1500, stalledInterval: 600, maxStalledCount: 1000000,
    });`;
}
