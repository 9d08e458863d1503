/** The state in Redis is brought to this version before anything reads it, from what earlier versions really wrote. */
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { redisSaid } from '../../src/adapters/redis-said.ts';
import { openStore } from '../../src/adapters/redis-store.ts';
import type { PreviewId } from '../../src/domain/names.ts';
import { redisConnections } from '../../src/queue/redis.ts';
import { MIGRATIONS, type Migration } from '../../src/state/migrations.ts';
import { openState, type State, type StateOptions } from '../../src/state/open.ts';
import { keptLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { restoreState, wholeState } from '../support/state.ts';

const ID = 'main--orchard' as PreviewId;
/** The key, once it is of this version. */
const STAMP = { version: String(MIGRATIONS.length), by: '0.1.0' };
const RECORDED = ['0-e17406a', '0-77d678c', '0-6fa6ac9'];

const { log, logged } = keptLog();
let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url, { replyMapping: 'legacy' });
  redis.on('error', () => undefined); // It is killed in a test.
});
beforeEach(() => redis.flushall());
afterAll(async () => {
  redis.disconnect();
  await server.close();
});

function open(more: Partial<StateOptions> = {}): Promise<State> {
  return openState({
    ...{ redis: redisConnections(server.url, log), log, program: '0.1.0', signal: new AbortController().signal },
    ...more,
  });
}
const opened = async (more?: Partial<StateOptions>) => (await open(more)).close();
const version = () => redis.hgetall('treehouse:version');
/** All but what a migration itself keeps: whose lease it was goes by itself. */
const stateAfter = async () =>
  (await wholeState(redis)).filter(({ key }) => key !== 'treehouse:version' && key !== 'treehouse:migrating');

describe('a state without a version', () => {
  it.each(RECORDED)('of %s is migrated, and a second start changes nothing', async (name) => {
    await restoreState(redis, name);
    await opened();
    expect(await version()).toEqual(STAMP);
    const once = await wholeState(redis);
    await opened();
    expect(await wholeState(redis)).toEqual(once);
    expect(once.map(({ key }) => key)).not.toContain('treehouse:migrating');
  });

  it.each(['0-e17406a', '0-6fa6ac9'])('of %s is read by the store as it was written', async (name) => {
    await restoreState(redis, name);
    const written = Object.entries(await redis.hgetall('treehouse:records')).filter(([id]) => !id.startsWith(':'));
    await opened();
    const store = openStore({ redis: redisConnections(server.url, log), clock: { now: () => 0 }, log });
    try {
      const records = await store.records();
      expect(records.map((one) => one.id)).toEqual(written.map(([id]) => id).sort());
      for (const [id, text] of written) expect(await store.record(id as PreviewId)).toEqual(JSON.parse(text));
      const [build] = await store.builds(ID);
      expect(build && (await store.last(ID, build, 3))).toMatchObject([{}, {}, { event: { type: 'build.live' } }]);
      expect(await store.rest('nap--orchard' as PreviewId)).toMatchObject({
        wanted: true,
        slept: [expect.any(String)],
      });
      expect(await store.takeRedeploy(ID)).toBe(true);
    } finally {
      await store.close();
    }
  });

  it('has every record numbered, those with a number as they were', async () => {
    await restoreState(redis, '0-6fa6ac9');
    const before = await redis.zrange('treehouse:changes', '0', '-1', 'WITHSCORES');
    const records = await redis.hgetall('treehouse:records');
    await opened();
    expect(await redis.zrange('treehouse:changes', '0', '-1', 'WITHSCORES')).toEqual(before);
    expect(await redis.hgetall('treehouse:records')).toEqual(records);

    await redis.flushall();
    await restoreState(redis, '0-e17406a');
    expect(await redis.exists('treehouse:changes')).toBe(0);
    await opened();
    const all = await redis.hgetall('treehouse:records');
    const ids = Object.keys(all).filter((id) => !id.startsWith(':'));
    expect((await redis.zrange('treehouse:changes', '0', '-1')).sort()).toEqual(ids.sort());
    expect(Number(all[':count'])).toBe(ids.length);
    expect(all[':epoch']).toBeTruthy();
  });

  it('keeps that a comment was asked for, and what is known of others', async () => {
    await restoreState(redis, '0-77d678c');
    const before = await redis.hgetall('treehouse:said:feature-a--shop');
    await opened();
    const said = redisSaid({ redis: redisConnections(server.url, log) });
    const { comments, commits, deployments } = await said.read('feature-a--shop' as PreviewId);
    said.close();
    expect(comments.get(8)).toEqual({ askedAt: 1_700_000_060_000 });
    expect(comments.get(7)).toEqual(JSON.parse(before['comment:7'] ?? ''));
    expect([commits.size, deployments?.length]).toEqual([1, 1]);
  });

  it('is the same in the end wherever a migration is cut off', async () => {
    const restore = async () => {
      await redis.flushall();
      for (const name of ['0-e17406a', '0-77d678c']) await restoreState(redis, name, /:(records|said|builds)/);
    };
    await restore();
    const whole = counted(Number.POSITIVE_INFINITY);
    await opened({ redis: whole });
    const expected = steady(await stateAfter());
    expect(whole.sent()).toBeGreaterThan(8);
    for (let cut = 1; cut < whole.sent(); cut += 1) {
      await restore();
      await expect(opened({ redis: counted(cut), times: { lease: 60 } }), `cut after ${cut}`).rejects.toThrow();
      await opened();
      expect(steady(await stateAfter()), `cut after ${cut}`).toEqual(expected);
      expect(await version()).toEqual(STAMP);
    }
  });
});

/** Connections of a process that is killed once it has sent so many commands. */
function counted(most: number): { patient(): Redis; sent(): number } {
  let sent = 0;
  return {
    sent: () => sent,
    patient() {
      const connection = redisConnections(server.url, log).patient();
      const send = connection.sendCommand.bind(connection);
      connection.sendCommand = (command, ...more) => {
        // Connecting is none of it.
        if (!['info', 'client', 'ping'].includes(command.name)) sent += 1;
        if (sent <= most) return send(command, ...more);
        connection.disconnect();
        return Promise.reject(new Error('killed'));
      };
      return connection;
    },
  };
}

/** The epoch is a new one each time. */
function steady(state: Awaited<ReturnType<typeof stateAfter>>): string {
  return JSON.stringify(state).replaceAll(/migrated-\d+/g, 'migrated');
}

describe('several processes that start at once', () => {
  it('migrate once, the others wait until it is done', async () => {
    await redis.set('treehouse:something', 'old');
    const runs: string[] = [];
    let isDone = false;
    const slow = (what: string): Migration => ({
      what,
      async run() {
        runs.push(what);
        await delay(150);
        isDone = what === 'second';
        return 1;
      },
    });
    const migrations = [slow('first'), slow('second')];
    const all = Array.from({ length: 8 }, async () => {
      await opened({ migrations });
      return isDone;
    });
    expect(await Promise.all(all)).toEqual(Array(8).fill(true));
    expect(runs).toEqual(['first', 'second']);
    expect(await version()).toEqual({ ...STAMP, version: '2' });
  });

  it('go on where one was killed, once its lease is over', async () => {
    await redis.set('treehouse:something', 'old');
    await redis.set('treehouse:migrating', 'one that is dead', 'PX', 400);
    const began = performance.now();
    await opened();
    expect(performance.now() - began).toBeGreaterThan(300);
    expect(await version()).toEqual(STAMP);
  });

  it('one that stood still for longer than its lease stamps nothing', async () => {
    await redis.set('treehouse:something', 'old');
    const quick: Migration = { what: 'quick', run: async () => 0 };
    const still: Migration = {
      what: 'one that stands still',
      async run() {
        // Its lease went meanwhile, and another one did all of it.
        await redis.del('treehouse:migrating');
        await opened({ migrations: [quick, quick], program: 'the other' });
        return 1;
      },
    };
    await opened({ migrations: [still, quick] });
    expect(await version()).toEqual({ version: '2', by: 'the other' });
  });
});

it('stamps an empty Redis and writes nothing else, whatever others keep there', async () => {
  await redis.set('treehouses', 'of somebody else');
  await opened();
  expect(await version()).toEqual(STAMP);
  expect((await redis.keys('*')).sort()).toEqual(['treehouse:version', 'treehouses']);
});

it('refuses a state of a newer version, and touches nothing', async () => {
  await restoreState(redis, '0-6fa6ac9');
  await redis.hset('treehouse:version', 'version', '99', 'by', '9.0.0');
  const before = await wholeState(redis);
  await expect(open()).rejects.toMatchObject({ code: 'bad-config', message: expect.stringContaining('version 99') });
  expect(await wholeState(redis)).toEqual(before);
});

it('stamps anew what is wiped while it runs, so that the next version knows what it finds', async () => {
  const state = await open({ times: { stamp: 50 } });
  try {
    await redis.flushall();
    await expect.poll(version, { timeout: 10_000 }).toEqual(STAMP);
    // Of a newer one that came meanwhile it leaves the word alone.
    await redis.hset('treehouse:version', 'version', '99', 'by', '9.0.0');
    await delay(200);
    expect(await version()).toEqual({ version: '99', by: '9.0.0' });
  } finally {
    state.close();
  }
});

it('waits for a Redis that is not there yet, and says so where it does not come', async () => {
  await server.kill();
  await expect(open({ times: { patience: 300 } })).rejects.toMatchObject({ code: 'queue-away' });
  const coming = open();
  await delay(300);
  await server.start({ keep: false });
  (await coming).close();
  expect(await version()).toEqual(STAMP);
});

it('ends its waiting when Treehouse is stopped', async () => {
  await redis.set('treehouse:migrating', 'another one', 'PX', 60_000);
  const stopping = new AbortController();
  const waiting = open({ signal: stopping.signal });
  setTimeout(() => stopping.abort(), 200);
  await expect(waiting).rejects.toMatchObject({ code: 'stopped' });
});

it('migrates ten thousand records in seconds, and says what it did', async () => {
  const pipeline = redis.pipeline();
  for (let at = 0; at < 10_000; at += 1) {
    pipeline.hset('treehouse:records', `n${at}--orchard`, JSON.stringify({ id: `n${at}--orchard` }));
    if (at % 10 === 0) pipeline.hset(`treehouse:said:n${at}--orchard`, 'comment:1', '{"addingSince":5}');
  }
  await pipeline.exec();
  const began = performance.now();
  await opened();
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(await redis.zcard('treehouse:changes')).toBe(10_000);
  expect(logged).toContainEqual(expect.objectContaining({ from: 0, to: 1, changed: 11_000 }));
});
