/** Who builds and who waits on a real Redis: places are given away once, and a killed worker's are free again soon. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { redisPlaces } from '../../src/adapters/redis-places.ts';
import type { Place, PlaceBook } from '../../src/domain/admission.ts';
import { type PreviewId, repositoryName } from '../../src/domain/names.ts';
import { redisConnections } from '../../src/queue/redis.ts';
import { keptLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const SHOP = repositoryName('acme/shop');
const { log } = keptLog();
let redis: TestRedis;
let prefixes = 0;
const opened: PlaceBook[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});
afterAll(() => redis.close());

function book(leaseMs?: number): PlaceBook {
  const connections = redisConnections(redis.url, log);
  const one = redisPlaces({ redis: connections, prefix: `places${prefixes}`, ...(leaseMs ? { leaseMs } : {}) });
  opened.push(one);
  return one;
}

const place = (name: string): Place => ({ id: `${name}--shop` as PreviewId, repository: SHOP, purpose: 'build' });
const take = (one: PlaceBook, name: string, most: number) =>
  one.change((now) => (now.places.length < most ? { ...now, places: [...now.places, place(name)] } : now));
const held = async (one: PlaceBook) => (await one.read()).places.map(({ id }) => id).sort();

test('of forty that two workers let in at once, as many as may be get a place', async () => {
  prefixes += 1;
  const [a, b] = [book(), book()];
  await Promise.all(Array.from({ length: 40 }, (_, at) => take(at % 2 === 0 ? a : b, `n${at}`, 3)));
  expect(await held(a)).toHaveLength(3);
  expect(await held(b)).toEqual(await held(a));
});

test('a worker that beats keeps its places, one that died has lost them', async () => {
  prefixes += 1;
  const [dead, alive] = [book(900), book(900)];
  await take(dead, 'a', 9);
  await take(alive, 'b', 9);
  expect(await held(alive)).toEqual(['a--shop', 'b--shop']);
  await expect.poll(() => held(alive), { timeout: 10_000, interval: 100 }).toEqual(['b--shop']);
});

test('what is remembered outlives a worker, and its own places outlive a wiped Redis', async () => {
  prefixes += 1;
  const first = book();
  const waiting = [{ ...place('w'), since: 5, commit: 'c' }];
  await first.change((now) => ({ ...now, waiting, served: new Map([[SHOP, 7]]) }));
  await take(first, 'a', 9);
  expect(await book().read()).toEqual({ places: [place('a')], waiting, served: new Map([[SHOP, 7]]) });
  await redis.kill();
  await redis.start({ keep: false });
  await expect.poll(() => held(first).catch(() => undefined), { timeout: 10_000 }).toEqual(['a--shop']);
  expect((await first.read()).waiting).toEqual([]);
});
