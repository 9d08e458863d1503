/** Hints and their worker on a real Redis: no two runs of a preview at once, and no last hint without a run after it. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { PreviewId } from '../../src/domain/names.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import { TreehouseError } from '../../src/errors.ts';
import { type HintQueue, onHinted, openHints } from '../../src/queue/hints.ts';
import { type RedisConnections, redisConnections } from '../../src/queue/redis.ts';
import { type Converge, type HintWorker, startWorker } from '../../src/queue/worker.ts';
import { keptLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const done: Outcome = { kind: 'done' };
const A = 'a--shop' as PreviewId;
const B = 'b--shop' as PreviewId;
const { log, logged } = keptLog();

let redis: TestRedis;
let connections: RedisConnections;
let prefixes = 0;
let prefix = '';
let opened: { close(): Promise<unknown> }[] = [];

beforeAll(async () => {
  redis = await startRedis();
  connections = redisConnections(redis.url, log);
});

afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
  logged.length = 0;
});

afterAll(async () => {
  await redis.close();
});

function queue(): HintQueue {
  prefixes += 1;
  prefix = `test${prefixes}`;
  const hints = openHints({ redis: connections, prefix });
  opened.push(hints);
  return hints;
}

function worker(
  hints: HintQueue,
  converge: Converge,
  options: { concurrency?: number; lockMs?: number } = {},
): HintWorker {
  const started = startWorker({
    redis: connections,
    prefix,
    converge,
    hints,
    log,
    concurrency: 4,
    promoteEveryMs: 50,
    lockMs: 1_500,
    ...options,
  });
  opened.push({ close: () => started.stop(0) });
  return started;
}

/** A converge that takes `ms`, and what it saw. */
function slow(ms: number, outcome: (run: number) => Outcome = () => done) {
  const runs: { readonly id: PreviewId; readonly from: number; to: number }[] = [];
  const open = new Map<PreviewId, number>();
  let overlaps = 0;
  const converge: Converge = async (id) => {
    const now = (open.get(id) ?? 0) + 1;
    open.set(id, now);
    if (now > 1) overlaps += 1;
    const run = { id, from: performance.now(), to: 0 };
    runs.push(run);
    await pause(ms);
    run.to = performance.now();
    open.set(id, (open.get(id) ?? 0) - 1);
    return outcome(runs.length);
  };
  return { converge, runs, overlaps: () => overlaps };
}

async function atWork(one: HintWorker): Promise<readonly PreviewId[]> {
  return (await one.atWork()).map(({ id }) => id);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function idle(hints: HintQueue): Promise<void> {
  await expect.poll(() => hints.counts(), { timeout: 30_000 }).toEqual({ waiting: 0, active: 0, later: 0 });
}

test('200 hints at 5 previews: no overlap, and each preview’s last hint is followed by a run that began after it', async () => {
  const hints = queue();
  const { converge, runs, overlaps } = slow(150);
  worker(hints, converge);
  worker(hints, converge);
  const last = new Map<PreviewId, number>();
  for (let at = 0; at < 200; at += 1) {
    const id = `branch${(at * 7) % 5}--shop` as PreviewId;
    last.set(id, performance.now());
    await hints.hint(id);
    if (at % 9 === 0) await pause(15);
  }
  await idle(hints);
  expect(overlaps()).toBe(0);
  for (const [id, at] of last) expect(runs.filter((run) => run.id === id).at(-1)?.from).toBeGreaterThan(at);
  expect(runs.length).toBeLessThan(200);
});

test('several previews are converged side by side, up to the concurrency', async () => {
  const hints = queue();
  let open = 0;
  let most = 0;
  worker(
    hints,
    async () => {
      open += 1;
      most = Math.max(most, open);
      await pause(200);
      open -= 1;
      return done;
    },
    { concurrency: 3 },
  );
  for (let at = 0; at < 9; at += 1) await hints.hint(`branch${at}--shop` as PreviewId);
  await idle(hints);
  expect(most).toBe(3);
});

test('a run hears of hints that come while it is under way', async () => {
  const hints = queue();
  let runs = 0;
  let nudges = 0;
  worker(
    hints,
    async (_id, { onNudge }) => {
      runs += 1;
      if (runs > 1) return done;
      await new Promise<void>((resolve) => {
        onNudge(() => {
          nudges += 1;
          resolve();
        });
        void pause(50).then(() => hints.hint(B).then(() => hints.hint(A)));
      });
      return done;
    },
    { concurrency: 1 },
  );
  await hints.hint(A);
  await idle(hints);
  expect(nudges).toBe(1);
  // The hint itself is kept too: A again, and B.
  expect(runs).toBe(3);
});

test('everyone who listens hears every hint', async () => {
  const hints = queue();
  const heard: string[] = [];
  const end = onHinted({ redis: connections, prefix, onHint: (id) => heard.push(id) });
  await expect.poll(() => hints.hint(A).then(() => heard.length)).toBeGreaterThan(0);
  end();
});

test('again: after the time that was asked for, and until it is done', async () => {
  const hints = queue();
  const { converge, runs } = slow(1, (run) => (run < 3 ? { kind: 'again', cause: 'not yet', afterMs: 150 } : done));
  worker(hints, converge);
  await hints.hint(A);
  await expect.poll(() => runs.length, { timeout: 10_000 }).toBe(3);
  await idle(hints);
  expect((runs[1]?.from ?? 0) - (runs[0]?.to ?? 0)).toBeGreaterThan(140);
});

test('again without a time: the pause grows with each try in a row', async () => {
  const hints = queue();
  const { converge, runs } = slow(1, () => ({ kind: 'again', cause: 'the engine is away' }));
  worker(hints, converge);
  await hints.hint(A);
  await expect.poll(() => logged.filter(({ msg }) => msg === 'converge ended').length).toBe(1);
  await hints.hint(A);
  await expect.poll(() => logged.filter(({ msg }) => msg === 'converge ended').length).toBe(2);
  expect(logged.filter(({ msg }) => msg === 'converge ended').map(({ afterMs }) => afterMs)).toEqual([2_000, 4_000]);
  expect(runs.length).toBe(2);
});

test('again outlives the worker that said it', async () => {
  const hints = queue();
  const first = slow(1, () => ({ kind: 'again', cause: 'not yet', afterMs: 300 }));
  const one = worker(hints, first.converge);
  await hints.hint(A);
  await expect.poll(async () => (await hints.counts()).later).toBe(1);
  await one.stop(0);
  const second = slow(1);
  worker(hints, second.converge);
  await expect.poll(() => second.runs.length, { timeout: 10_000 }).toBe(1);
});

test('again comes soon where the clock was set back since', async () => {
  const hints = queue();
  const first = slow(1, () => ({ kind: 'again', cause: 'not yet' }));
  const ahead = vi.spyOn(Date, 'now').mockImplementation(() => performance.timeOrigin + performance.now() + 86_400_000);
  const one = worker(hints, first.converge);
  try {
    await hints.hint(A);
    await expect.poll(async () => (await hints.counts()).later).toBe(1);
    await one.stop(0);
  } finally {
    ahead.mockRestore();
  }
  const second = slow(1);
  worker(hints, second.converge);
  await expect.poll(() => second.runs.length, { timeout: 10_000 }).toBe(1);
});

test('a hint during the pause before another try is not lost, and does not run beside it', async () => {
  const hints = queue();
  const { converge, runs, overlaps } = slow(100, (run) =>
    run < 6 ? { kind: 'again', cause: 'x', afterMs: 20 } : done,
  );
  worker(hints, converge);
  worker(hints, converge);
  for (let at = 0; at < 20; at += 1) {
    await hints.hint(A);
    await pause(15);
  }
  const last = performance.now();
  await hints.hint(A);
  await idle(hints);
  expect(overlaps()).toBe(0);
  expect(runs.at(-1)?.from).toBeGreaterThan(last);
});

test.each([
  ['terminal', new TreehouseError('test-failed', 'red'), 1],
  ['foreseen and transient', new TreehouseError('engine-away', 'no engine', { kind: 'transient' }), 2],
])('an error that is %s', async (_name, error, expected) => {
  const hints = queue();
  let runs = 0;
  worker(hints, async () => {
    runs += 1;
    if (runs === 1) throw error;
    return done;
  });
  await hints.hint(A);
  await expect.poll(() => runs, { timeout: 10_000 }).toBe(expected);
  await idle(hints);
  expect(logged.some(({ msg }) => msg === 'converge crashed')).toBe(false);
});

test('an error that nobody foresaw is logged with its stack and tried again, then given up until the next hint', async () => {
  const hints = queue();
  let runs = 0;
  worker(hints, async () => {
    runs += 1;
    throw new TypeError('x is not a function');
  });
  for (let at = 1; at <= 6; at += 1) {
    await hints.hint(A);
    await expect.poll(() => logged.filter(({ msg }) => msg === 'converge crashed').length).toBe(at);
  }
  await idle(hints);
  expect(runs).toBe(6);
  const crashes = logged.filter(({ msg }) => msg === 'converge crashed');
  expect(crashes.map(({ again }) => again)).toEqual([true, true, true, true, true, false]);
  expect(crashes[0]).toMatchObject({ preview: A, err: { stack: expect.stringContaining('queue.test.ts') } });
});

test('stop: no new jobs, the running one is aborted after the grace, and is run again by the next worker', async () => {
  const hints = queue();
  const began: PreviewId[] = [];
  let reason: unknown;
  const one = worker(
    hints,
    async (id, { signal }) => {
      began.push(id);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      reason = signal.reason;
      throw new Error('killed: SIGTERM');
    },
    { concurrency: 1 },
  );
  await hints.hint(A);
  await expect.poll(() => atWork(one)).toEqual([A]);
  await hints.hint(B);
  const at = performance.now();
  await one.stop(200);
  expect(performance.now() - at).toBeGreaterThan(190);
  expect(reason).toMatchObject({ code: 'stopped' });
  expect(began).toEqual([A]);
  const next = slow(1);
  const two = worker(hints, next.converge);
  await idle(hints);
  expect(await atWork(two)).toEqual([]);
  await expect.poll(() => next.runs.map(({ id }) => id).sort(), { timeout: 10_000 }).toEqual([A, B]);
});

test('stop within the grace lets a run end', async () => {
  const hints = queue();
  const { converge, runs } = slow(300);
  const one = worker(hints, converge);
  await hints.hint(A);
  await expect.poll(() => runs.length).toBe(1);
  await one.stop(5_000);
  expect(runs[0]?.to).toBeGreaterThan(0);
  expect(await hints.counts()).toEqual({ waiting: 0, active: 0, later: 0 });
});

test('a preview that one worker has is another’s neither to converge nor to hold', async () => {
  const hints = queue();
  const { converge, runs } = slow(700);
  const [one, two] = [worker(hints, converge), worker(hints, converge)];
  let release = (): void => {};
  const held = one.hold(
    A,
    () =>
      new Promise((resolve) => {
        release = resolve;
      }),
  );
  await expect.poll(() => atWork(two)).toEqual([A]);
  expect(await two.hold(A, async () => expect.unreachable())).toBe(false);
  // Whichever worker takes it.
  for (let at = 0; at < 6; at += 1) {
    await hints.hint(A);
    await pause(150);
  }
  expect(runs).toEqual([]);
  release();
  expect(await held).toBe(true);
  await expect.poll(() => runs.length, { timeout: 10_000 }).toBeGreaterThan(0);
  const tries = await Promise.all([one, two].map((each) => each.hold(A, async () => expect.unreachable())));
  expect(tries).toEqual([false, false]);
  await idle(hints);
});

test('holds a preview still: no converge of it begins meanwhile, and none is held that runs', async () => {
  const hints = queue();
  const runs: PreviewId[] = [];
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const one = worker(hints, async (id) => {
    runs.push(id);
    if (id === A) await ended;
    return { kind: 'done' };
  });
  let release = (): void => {};
  const held = one.hold(
    A,
    () =>
      new Promise((resolve) => {
        release = resolve;
      }),
  );
  await hints.hint(A);
  await hints.hint(B);
  await expect.poll(() => runs, { timeout: 10_000 }).toEqual([B]);
  expect(await atWork(one)).toEqual([A]);
  release();
  expect(await held).toBe(true);
  await expect.poll(() => runs, { timeout: 10_000 }).toEqual([B, A]);
  const tooLate = vi.fn();
  expect(await one.hold(A, tooLate)).toBe(false);
  expect(tooLate).not.toHaveBeenCalled();
  end();
  await expect.poll(() => hints.counts(), { timeout: 10_000 }).toEqual({ waiting: 0, active: 0, later: 0 });
  expect(runs).toEqual([B, A]);
});
