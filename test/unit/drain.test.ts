/** What was replaced serves what is open to it, for its time and no longer, and nobody waits for it who has work to do. */
import { expect, it } from 'vitest';
import type { ObservedContainer } from '../../src/domain/observed.ts';
import { drained, drains, stopDrained } from '../../src/teardown/drain.ts';

const container = (id: string) =>
  ({ id, networks: new Map([['n', '10.0.0.2']]), exposed: { host: 'main', port: 80 } }) as unknown as ObservedContainer;
const never = new AbortController().signal;

it('is over once nothing is open', async () => {
  const counts = [2, 1, 0];
  const asked: string[] = [];
  const gateway = { inFlight: async (upstream: string) => asked.push(upstream) && (counts.shift() ?? 0) };
  expect(await drained({ gateway, drains: drains(60_000) }, container('a'), never)).toBe(true);
  expect(asked).toEqual(['10.0.0.2:80', '10.0.0.2:80', '10.0.0.2:80']);
});

it('goes on where somebody is in a hurry, and its time is not given twice', async () => {
  const busy = { gateway: { inFlight: async () => 1 }, drains: drains(60_000) };
  expect(await drained(busy, container('a'), AbortSignal.abort())).toBe(false);
  expect(busy.drains.isDraining('a')).toBe(true);
  const none = { ...busy, drains: drains(0) };
  expect(await drained(none, container('a'), never)).toBe(true);
  expect(none.drains.isDraining('a')).toBe(true);
});

it('ends by a word to those whose time is over, and to no others', async () => {
  const stopped: string[] = [];
  const engine = { stop: async (id: string) => void stopped.push(id) };
  const [long, short] = [drains(60_000), drains(0)];
  for (const one of [long, short]) one.hasTime('a');
  expect(await stopDrained({ engine, drains: long }, [container('a'), container('b')], 10)).toHaveLength(1);
  expect(stopped).toEqual([]);
  expect(await stopDrained({ engine, drains: short }, [container('a'), container('b')], 10)).toEqual([]);
  expect(stopped).toEqual(['a']);
  expect(short.isDraining('a')).toBe(false);
});
