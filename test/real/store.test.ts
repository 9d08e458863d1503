/** The store on a real Redis: order, bounds, what two processes do at once, and a Redis that goes away. */
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openStore, type RedisStore, type StoreOptions } from '../../src/adapters/redis-store.ts';
import type { BuildEvent } from '../../src/domain/events.ts';
import type { Branch, BuildId, Commit, PreviewId, RepositoryName } from '../../src/domain/names.ts';
import type { PreviewKey } from '../../src/domain/preview.ts';
import { laterFact, type PullRequestFact } from '../../src/domain/pull-requests.ts';
import { redisConnections } from '../../src/queue/redis.ts';
import { keptLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const repository = 'acme/shop' as RepositoryName;
const key: PreviewKey = { id: 'main--shop' as PreviewId, repository, branch: 'main' as Branch };
const preview = key.id;
const commit = 'a'.repeat(40) as Commit;
const B1 = 'b1' as BuildId;
const DAY = 24 * 3_600_000;
const { log, logged } = keptLog();

let redis: TestRedis;
/** Looks past the store. */
let beside: Redis;
let prefixes = 0;
let now = Date.now();
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

function fresh(options: Partial<StoreOptions> = {}): RedisStore {
  prefixes += 1;
  return another(options);
}

/** A second process's store on the same data. */
function another(options: Partial<StoreOptions> = {}): RedisStore {
  const made = openStore({
    redis: redisConnections(redis.url, log),
    clock: { now: () => now },
    log,
    prefix: `test${prefixes}`,
    ...options,
  });
  opened.push(made);
  return made;
}

function line(text: string, build: BuildId = B1): BuildEvent {
  return { type: 'log', at: now, preview, build, stage: 'build', source: 'web', line: text };
}

function started(build: BuildId = B1): BuildEvent {
  return { type: 'build.started', at: now, preview, build, commit, cause: 'main was pushed' };
}

function live(build: BuildId = B1): BuildEvent {
  return { type: 'build.live', at: now, preview, build, commit, urls: ['http://main--shop.preview.localhost'], ms: 7 };
}

function removed(): BuildEvent {
  return { type: 'preview.removed', at: now, preview, cause: 'the branch was deleted', ms: 5 };
}

async function linesOf(store: RedisStore, build: BuildId = B1): Promise<string[]> {
  const events = await store.read(preview, build, { count: 100_000 });
  return events.flatMap(({ event }) => (event.type === 'log' ? [event.line] : []));
}

describe('records', () => {
  test('a preview becomes known once, and its record follows the events', async () => {
    const store = fresh();
    await store.know(key);
    expect(await store.record(preview)).toMatchObject({ ...key, state: 'waiting' });
    await store.append(started());
    await store.append({ type: 'stage.started', at: now, preview, build: B1, stage: 'build' });
    expect(await store.record(preview)).toMatchObject({ state: 'building', attempt: { build: B1, stage: 'build' } });
    await store.append(live());
    await store.know(key);
    expect(await store.record(preview)).toMatchObject({ state: 'live', serving: { build: B1, commit } });
    expect((await store.records()).map(({ id }) => id)).toEqual([preview]);
  });

  test('an id that is another branch’s is refused, until that one is removed', async () => {
    const store = fresh();
    await store.know(key);
    const other = { ...key, branch: 'Main' as Branch };
    await expect(store.know(other)).rejects.toMatchObject({
      code: 'bad-branch',
      message: /"Main".*taken by branch "main"/,
    });
    await store.append(removed());
    await store.know(other);
    expect(await store.record(preview)).toMatchObject({ branch: 'Main', state: 'waiting' });
  });

  test('a removed preview says so for seven days', async () => {
    const store = fresh();
    await store.know(key);
    await store.append(started());
    await store.append(line('hello'));
    await store.append(removed());
    expect(await store.record(preview)).toMatchObject({ state: 'removed', reason: 'the branch was deleted' });
    expect([await store.builds(preview), await linesOf(store)]).toEqual([[], []]);
    now += 8 * DAY;
    expect([await store.record(preview), await store.records()]).toEqual([undefined, []]);
  });

  test('a record that was lost in the middle of a build is made again', async () => {
    const store = fresh();
    await store.know(key);
    await store.append(started());
    await beside.del(`test${prefixes}:records`);
    await store.append(live());
    expect(await store.record(preview)).toMatchObject({ ...key, state: 'live' });
  });

  test('who was removed is forgotten in memory too', async () => {
    const store = fresh();
    await store.know(key);
    await store.append(removed());
    await beside.del(`test${prefixes}:records`);
    await store.append(started());
    expect(await store.record(preview)).toBeUndefined();
  });

  test('what is set aside is known by preview, until someone asks for a build', async () => {
    const store = fresh();
    const aside = { commit: '3'.repeat(40) as Commit, cause: 'nobody used it' };
    expect(await store.aside(preview)).toBeUndefined();
    await store.setAside(key, aside);
    expect(await another().aside(preview)).toMatchObject(aside);
    expect([...(await store.allAside()).keys()]).toEqual([preview]);
    await store.requestRedeploy(preview);
    expect(await store.aside(preview)).toBeUndefined();
  });

  test('when previews were last used is noted as a whole', async () => {
    const store = fresh();
    await store.noteUses(new Map([[preview, 5]]));
    await store.noteUses(new Map([['other--shop' as PreviewId, 7]]));
    expect([...(await another().uses())]).toEqual([['other--shop', 7]]);
    await store.noteUses(new Map());
    expect((await store.uses()).size).toBe(0);
  });

  test('that a preview is to sleep, and how deeply, is known until it is awake', async () => {
    const store = fresh();
    await store.wantRest(preview, true);
    expect(await store.rest(preview)).toEqual({ wanted: true, deep: false, slept: undefined });
    await store.wantDeepRest(preview);
    await store.noteSlept(preview, ['a']);
    expect(await store.rest(preview)).toEqual({ wanted: true, deep: true, slept: ['a'] });
    await store.wantRest(preview, false);
    expect(await store.rest(preview)).toEqual({ wanted: false, deep: false, slept: ['a'] });
    await store.wantDeepRest(preview);
    await store.forgetSlept(preview);
    expect(await store.rest(preview)).toEqual({ wanted: true, deep: true, slept: undefined });
    await store.noteSlept(preview, ['a']);
    await store.forgetRest(preview);
    expect(await store.rest(preview)).toEqual({ wanted: false, deep: false, slept: undefined });
  });

  test('a request for a build is taken once', async () => {
    const store = fresh();
    expect(await store.takeRedeploy(preview)).toBe(false);
    await store.requestRedeploy(preview);
    await store.requestRedeploy(preview);
    expect(
      await Promise.all([store.takeRedeploy(preview), another().takeRedeploy(preview)]).then((all) => all.sort()),
    ).toEqual([false, true]);
  });
});

describe('pull requests', () => {
  const fact = (updatedAt: number, open: boolean): PullRequestFact => ({
    number: 7,
    open,
    merged: !open,
    head: commit,
    updatedAt,
  });

  test('of facts that two processes hear at once in any order, the later one counts', async () => {
    const stores = [fresh(), another(), another()];
    for (let round = 0; round < 20; round += 1) {
      const branch = `b${round}` as Branch;
      const facts = Array.from({ length: 12 }, (_, at) => fact(1_000 + ((at * 5 + round) % 12), at % 2 === 0));
      await Promise.all(facts.map((one, at) => stores[at % 3]?.notePullRequest(repository, branch, one)));
      const last = facts.reduce<PullRequestFact | undefined>(laterFact, undefined);
      expect(await stores[0]?.pullRequests(repository, branch)).toEqual([last]);
    }
  });

  test('several of one branch are kept side by side, and forgotten with it', async () => {
    const store = fresh();
    await store.notePullRequest(repository, key.branch, { ...fact(2, true), number: 10 });
    await store.notePullRequest(repository, key.branch, fact(1, false));
    await store.notePullRequest(repository, 'other' as Branch, fact(1, false));
    expect((await store.pullRequests(repository, key.branch)).map(({ number }) => number)).toEqual([7, 10]);
    await store.forgetPullRequests(repository, key.branch);
    expect(await store.pullRequests(repository, key.branch)).toEqual([]);
    expect(await store.pullRequests(repository, 'other' as Branch)).toHaveLength(1);
  });

  test('older news of one of a branch that is gone do not count, newer ones do', async () => {
    const store = fresh();
    await store.notePullRequest(repository, key.branch, fact(5, true));
    await store.forgetPullRequests(repository, key.branch);
    await store.notePullRequest(repository, key.branch, fact(4, true));
    await store.notePullRequest(repository, key.branch, fact(5, true));
    await store.notePullRequest(repository, key.branch, fact(5, false));
    expect(await store.pullRequests(repository, key.branch)).toEqual([]);
    await store.notePullRequest(repository, key.branch, fact(6, true));
    expect(await store.pullRequests(repository, key.branch)).toEqual([fact(6, true)]);
  });
});

describe('log', () => {
  test('10,000 lines arrive in order, in far fewer round trips', async () => {
    const store = fresh();
    const before = await commandsCalled('exec');
    for (let at = 0; at < 10_000; at += 1) void store.append(line(`line ${at}`));
    // On a busy machine the append waits no longer than it may, and the lines are on their way.
    await store.append(live());
    await vi.waitFor(async () => expect(await linesOf(store)).toHaveLength(10_000), { timeout: 20_000 });
    const lines = await linesOf(store);
    expect(lines).toEqual(Array.from({ length: 10_000 }, (_, at) => `line ${at}`));
    expect((await commandsCalled('exec')) - before).toBeLessThan(50);
  });

  test('only the end of a long log is kept', async () => {
    const store = fresh({ limits: { buildBytes: 100_000 } });
    for (let at = 0; at < 3_000; at += 1) {
      void store.append(line(`line ${at} ${'x'.repeat(100)}`));
      if (at % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await store.append(live());
    const lines = await linesOf(store);
    expect(lines.at(-1)).toMatch(/^line 2999 /);
    expect(lines.length).toBeGreaterThan(200);
    expect(lines.length).toBeLessThan(700);
    expect(lines.map((text) => Number(text.split(' ')[1]))).toEqual(lines.map((_, at) => 3_000 - lines.length + at));
    const size = await redisConnections(redis.url, log)
      .patient()
      .memory('USAGE', `test${prefixes}:build:${preview}:b1`);
    expect(Number(size)).toBeLessThan(200_000);
  });

  test('a long line is cut, at no half of a character, and says how much more there was', async () => {
    const store = fresh();
    await store.append(line('é'.repeat(16 * 1024)));
    await store.append(line(`x${'é'.repeat(10_000)}`));
    await store.append(live());
    const [first = '', second = ''] = await linesOf(store);
    expect(first).toBe(`${'é'.repeat(8 * 1024)}… (16384 more bytes)`);
    expect(second).toBe(`x${'é'.repeat(8 * 1024 - 1)}… (3617 more bytes)`);
  });

  test('the tail is the last lines, oldest first, whatever events lie between', async () => {
    const store = fresh();
    for (let at = 0; at < 1_200; at += 1) {
      void store.append(line(`line ${at}`));
      if (at % 2 === 0) void store.append({ type: 'stage.started', at: now, preview, build: B1, stage: 'build' });
    }
    await store.append(live());
    expect(await store.tail(preview, B1, 3)).toEqual(['line 1197', 'line 1198', 'line 1199']);
    expect(await store.tail(preview, B1, 1_000)).toHaveLength(1_000);
    expect(await store.tail(preview, 'none' as BuildId, 3)).toEqual([]);
  });

  test('reading goes on after a cursor', async () => {
    const store = fresh();
    for (let at = 0; at < 5; at += 1) void store.append(line(`line ${at}`));
    await store.append(live());
    const first = await store.read(preview, B1, { count: 2 });
    const rest = await store.read(preview, B1, { after: first.at(-1)?.cursor ?? '', count: 10 });
    expect([first.length, rest.length]).toEqual([2, 4]);
  });

  test('the logs of the last 20 builds are kept', async () => {
    const store = fresh();
    await store.know(key);
    for (let at = 10; at < 35; at += 1) {
      await store.append(started(`b${at}` as BuildId));
      await store.append(line('x', `b${at}` as BuildId));
    }
    await store.append(live('b34' as BuildId));
    const builds = await store.builds(preview);
    expect([builds.length, builds[0], builds.at(-1)]).toEqual([20, 'b34', 'b15']);
    expect([(await linesOf(store, 'b15' as BuildId)).length, (await linesOf(store, 'b14' as BuildId)).length]).toEqual([
      1, 0,
    ]);
  });
});

describe('following', () => {
  test('the common stream has every event but log lines, from the moment of asking', async () => {
    const store = fresh();
    await store.append(started('b0' as BuildId));
    const ending = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const { event } of store.follow({ signal: ending.signal })) {
        seen.push(event.type);
        if (event.type === 'build.live') ending.abort();
      }
    })();
    await expect
      .poll(async () => {
        await store.append({ type: 'change', at: now, preview, build: B1, path: 'x', message: 'x' });
        return seen.length;
      })
      .toBeGreaterThan(0);
    void another().append(line('not here'));
    await another().append(started());
    await another().append(live());
    await following;
    expect(seen.filter((type) => type !== 'change')).toEqual(['build.started', 'build.live']);
  });

  test('a build is followed from its first line to its end, while it is written', async () => {
    const store = fresh();
    void store.append(started());
    void store.append(line('line 0'));
    const seen: string[] = [];
    const following = (async () => {
      for await (const { event } of store.followBuild(preview, B1, { signal: new AbortController().signal })) {
        seen.push(event.type === 'log' ? event.line : event.type);
      }
    })();
    await expect.poll(() => seen.length).toBe(2);
    for (let at = 1; at < 2_000; at += 1) void store.append(line(`line ${at}`));
    await store.append(live());
    await following;
    expect(seen).toEqual(['build.started', ...Array.from({ length: 2_000 }, (_, at) => `line ${at}`), 'build.live']);
  });

  test('an abort ends it, also while nothing comes', async () => {
    const store = fresh();
    const ending = new AbortController();
    const next = store.follow({ signal: ending.signal }).next();
    setTimeout(() => ending.abort(), 100);
    expect(await next).toEqual({ done: true, value: undefined });
  });
});

describe('a Redis that goes away', () => {
  test('stops answering: appending holds no build up, and every line is there once afterwards', async () => {
    const store = fresh();
    await store.know(key);
    await store.append(started());
    redis.pause();
    const began = performance.now();
    for (let at = 0; at < 500; at += 1) await store.append(line(`line ${at}`));
    // The lines are on their way by now, and nobody can tell whether they arrived.
    await new Promise((resolve) => setTimeout(resolve, 50));
    await store.append({ type: 'stage.started', at: now, preview, build: B1, stage: 'test' });
    expect(performance.now() - began).toBeLessThan(4_000);
    await expect(store.record(preview)).rejects.toMatchObject({ code: 'queue-away', kind: 'transient' });
    redis.resume();
    await expect.poll(async () => (await linesOf(store).catch(() => [])).length, { timeout: 15_000 }).toBe(500);
    expect(await linesOf(store)).toEqual(Array.from({ length: 500 }, (_, at) => `line ${at}`));
    await expect.poll(async () => (await store.record(preview))?.attempt?.stage, { timeout: 10_000 }).toBe('test');
  });

  test('is killed and comes back: nothing is lost that there was room for, and the gap is marked', async () => {
    const store = fresh({ limits: { bufferBytes: 20_000 } });
    await store.know(key);
    await store.append(started());
    await redis.kill();
    for (let at = 0; at < 1_000; at += 1) await store.append(line(`line ${at}`));
    void store.append(live());
    await redis.start();
    await expect
      .poll(async () => (await store.record(preview).catch(() => undefined))?.state, { timeout: 15_000 })
      .toBe('live');
    const lines = await linesOf(store);
    expect(lines.at(-1)).toBe('line 999');
    const marks = lines.filter((text) => text.includes('lines are missing here'));
    const missing = marks.map((text) => Number(/\d+/.exec(text)?.[0])).reduce((sum, count) => sum + count, 0);
    expect(lines.length - marks.length + missing).toBe(1_000);
    expect(logged.some(({ level }) => Number(level) >= 50)).toBe(false);
  });

  test('closing does not wait for it', async () => {
    const store = fresh();
    await store.append(started());
    redis.pause();
    void store.append(live());
    const began = performance.now();
    await store.close();
    redis.resume();
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(await store.append(line('too late'))).toBeUndefined();
  });
});

async function commandsCalled(name: string): Promise<number> {
  const stats = await beside.info('commandstats');
  return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}
