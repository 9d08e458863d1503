/**
 * A month in minutes: the clock is faked, the engine is real. Branches come and go, and what Treehouse takes of the world ends where it
 * began. Twelve of them in `npm test`; `TREEHOUSE_MONTH=300` for as many as a month may have: docs/sweep.md.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRegistry } from '../../src/embedded/registry.ts';
import {
  type Bounds,
  compare,
  comparisonTable,
  type Footprint,
  footprintOf,
  registryFootprint,
} from '../support/footprint.ts';
import { type Month, startMonth } from '../support/month.ts';

const BRANCHES = Number(process.env.TREEHOUSE_MONTH ?? 12);
/** At once: as a team pushes on a morning. */
const BATCH = BRANCHES > 100 ? 10 : 6;
const DAY_MS = 86_400_000;
const MONTH_MS = 30 * DAY_MS;
/** Removed previews have a page for seven days; what is hinted late begins them again. */
const FORGOTTEN_AFTER_DAYS = 20;

/** All else is equal, to the last one. */
const BOUNDS: Bounds = {
  // Of the one that lives on.
  'Redis: records': () => 1,
  // What no tag needs is collected once a day, from 2^20 bytes on (GARBAGE_MIN).
  'registry: kB of other blobs': () => 1_049,
  // git's own collection begins at 2,000 (git-mirror.ts).
  'mirror: other objects': () => 2_500,
  // Twenty of each preview are remembered, and one preview is left.
  'Redis: logs of builds': () => 20,
  // They have fixed names, so they cannot grow with the branches.
  'Redis: lists of the whole': () => 30,
  // BullMQ keeps the last 100 that ended well and the last 100 that did not.
  'Redis: keys of ended jobs': () => 200,
  'Redis: keys that expire': () => 10,
  // The stream of events keeps 10,000.
  'Redis: kB': (before) => before + 12_000,
  'home: kB of registry': (before) => before + 1_500,
  // Redis writes its file anew from 64 MB on.
  'home: kB of redis': (before) => before + 128_000,
  'home: kB of mirrors': (before) => before + 10_000,
  'home: kB of all else': (before) => before + 100,
  // Connections that are kept for the next request.
  'handles of Treehouse': (before) => before + 10,
  'handles of nginx': (before) => before + 6,
  'handles of Redis': (before) => before + 2,
  'handles of the registry': (before) => before + 6,
  'memory of Treehouse, MB': (before) => before * 1.5 + 40,
};

let month: Month;
beforeAll(async () => {
  month = await startMonth();
});
afterAll(() => month?.clear());

async function forget(): Promise<void> {
  for (let day = 0; (await month.known()).length > 1 && day < FORGOTTEN_AFTER_DAYS; day++) await month.pass(DAY_MS);
}

/** Connections that were kept for a next request end after some seconds. */
const LOOK_EVERY_MS = 3_000;
const LOOKS = 20;

/** Looked at until it is still; with `before` until it is as it was, or stays different. */
async function measure(before: Footprint | undefined): Promise<Footprint> {
  let last = await footprintOf(month.measured);
  for (let look = 0; look < LOOKS; look++) {
    await delay(LOOK_EVERY_MS);
    await forget();
    const now = await footprintOf(month.measured);
    const isStill = [...now].every(([what, count]) => !what.startsWith('handles') || last.get(what) === count);
    last = now;
    if (before ? compare(before, now, BOUNDS).every((one) => one.isWell) : isStill) break;
  }
  return last;
}

it(`ends where it began after ${BRANCHES} branches came and went`, { timeout: 3_600_000 }, async () => {
  const names = Array.from({ length: BRANCHES }, (_, at) => `topic-${at + 1}`);
  const batches = Array.from({ length: Math.ceil(BRANCHES / BATCH) }, (_, at) =>
    names.slice(at * BATCH, (at + 1) * BATCH),
  );
  const part = MONTH_MS / batches.length;
  /** Stays on into the next batch. */
  let late: string[] = [];

  async function live(batch: readonly string[]): Promise<void> {
    await month.push(batch);
    await month.push([...batch.filter((_, at) => at % 3 === 0), 'steady']);
    await month.pass(part / 2);
    await month.state([...batch, 'steady'], 'asleep');
    await month.visit([...batch.filter((_, at) => at % 2 === 0), 'steady']);
    const stays = batch.slice(-1);
    await month.remove([...batch.slice(0, -1), ...late]);
    late = [...stays];
    await month.pass(part / 2);
  }

  async function settle(): Promise<void> {
    if (late.length > 0) await month.remove(late);
    late = [];
    await forget();
    await month.state(['steady'], 'asleep');
    await month.settle();
  }

  await month.push(['steady']);
  const [first = [], ...rest] = batches;
  await live(first);
  await settle();
  const before = await measure(undefined);
  const began = performance.now();
  for (const batch of rest) await live(batch);
  const seconds = Math.round((performance.now() - began) / 1_000);
  await settle();
  const lines = compare(before, await measure(before), BOUNDS);
  console.log(`${BRANCHES - first.length} branches more, in ${seconds} s:\n${comparisonTable(lines)}`);
  expect(lines.filter((one) => !one.isWell)).toEqual([]);

  await month.end();
  const { home } = month.measured;
  const registry = await startRegistry({ home, searchPath: process.env.PATH ?? '' });
  await registry.collectGarbage(new AbortController().signal);
  await registry.stop();
  expect(await registryFootprint(home)).toMatchObject({
    'registry: tags': before.get('registry: tags'),
    'registry: blobs that a tag needs': before.get('registry: blobs that a tag needs'),
    'registry: kB of other blobs': 0,
  });
});
