/** What it costs builds that GitHub is told of them while GitHub is in trouble: how long who writes events waits. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Commit } from '../../src/domain/names.ts';
import type { Pace } from '../../src/github/settings.ts';
import { slow } from '../support/github/troubles.ts';
import type { Told } from '../support/preview-life.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { begins, build, commit, fails, type ReportWorld, reportWorld, says, serves } from '../support/report-world.ts';

const BUILDS = 200;
const SIDE_BY_SIDE = 10;
const LINES = 20;
/** Twenty times as fast as GitHub lets us speak, and ten times as impatient: what is measured is more than there will be. */
const PACE: Partial<Pace> = { writeMs: 50, notifyMs: 150, anyMs: 5, secondMs: 50, patienceMs: 250, actMs: 60_000 };

const PATIENCE = { firstMs: 100, mostMs: 30_000, calmMs: 1_000, settlesMs: 1_500 };
/**
 * A GitHub in a process of its own, so that it takes no time of the one that is measured: every other answer is 429 or 502,
 * the rest are as short as they may be. It counts both.
 */
const TROUBLED = `
  const server = require('node:http').createServer((req, res) => {
    let text = '';
    req.on('data', (data) => { text += data; });
    req.on('end', () => {
      const end = (status, body, headers) =>
        res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
      if (req.url === '/count') return end(200, { count, refused });
      count += 1;
      if (count % 2 === 0) {
        refused += 1;
        return refused % 2 === 0 ? end(502, { message: 'x' }) : end(429, { message: 'x' }, { 'retry-after': '1' });
      }
      if (req.url.endsWith('/user')) return end(200, { login: 'treehouse' });
      if (req.method === 'GET') return end(200, []);
      const { ref = '', body = '' } = text === '' ? {} : JSON.parse(text);
      end(201, { id: count, sha: ref, body });
    });
  });
  let count = 0, refused = 0;
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

let redis: TestRedis;
let world: ReportWorld;
let troubled: ChildProcess;
let apiUrl: string;
beforeAll(async () => {
  redis = await startRedis();
  troubled = spawn(process.execPath, ['-e', TROUBLED], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = troubled.stdout ? await once(troubled.stdout, 'data') : [];
  apiUrl = `http://127.0.0.1:${String(port).trim()}`;
});
afterEach(() => world.close());
afterAll(async () => {
  troubled?.kill();
  await redis.close();
});

/** What a build tells, from its beginning to its end. */
function eventsOf(number: number): readonly Told[] {
  const of = build(number);
  const at = commitOf(number);
  return [
    begins(of, at),
    { type: 'stage.started', build: of, stage: 'build' },
    ...Array.from({ length: LINES }, (_, line) => says(of, `line ${line}`)),
    { type: 'stage.finished', build: of, stage: 'build', ms: 5 },
    number % 4 === 0 ? fails(of) : serves(of, at),
  ];
}

function commitOf(number: number): Commit {
  return commit('0').replace(/^0000/, number.toString(16).padStart(4, '0')) as Commit;
}

/** @returns for how many milliseconds it waited to have told its events */
async function tellBuild(number: number): Promise<number> {
  const key = world.key(`feature-${number}`);
  await world.pull(key, number, true);
  const began = performance.now();
  await world.tell(key, ...eventsOf(number));
  return performance.now() - began;
}

function tellBuilds(from: number): Promise<readonly number[]> {
  return Promise.all(Array.from({ length: SIDE_BY_SIDE }, (_, at) => tellBuild(from + at)));
}

/** A reporter that begins looks at all previews, which is no part of a build's time: until few questions reach Redis. */
async function untilCalm(): Promise<void> {
  const asked = async () => Number(/total_commands_processed:(\d+)/.exec(await world.beside.info('stats'))?.[1]);
  for (let before = 0, now = await asked(); now - before > 25; ) {
    await delay(50);
    [before, now] = [now, await asked()];
  }
}

async function counted(): Promise<{ readonly count: number; readonly refused: number }> {
  return (await (await fetch(`${apiUrl}/count`)).json()) as { count: number; refused: number };
}

function quantile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}

it('who writes events waits for none of it: all of 200 builds is told before GitHub answered once', async () => {
  world = await reportWorld(redis, (github) => github.asUser());
  world.github.play(() => slow(600_000));
  for (let from = 1; from <= BUILDS; from += SIDE_BY_SIDE) await tellBuilds(from);
  // There is nothing to wait for.
  for (const event of eventsOf(1)) {
    expect(world.reporter().take({ ...event, at: 1, preview: world.key('feature-1').id } as never)).toBeUndefined();
  }
  expect(world.github.requests.length).toBeGreaterThan(0);
  expect(world.github.requests.filter((one) => one.ended !== undefined)).toEqual([]);
});

it('prints for how long it waits with a reporter and without, while GitHub refuses half of all', async () => {
  world = await reportWorld(redis, () => ({ apiUrl, credentials: { token: 'a-token' } }), PACE, { patience: PATIENCE });
  const waits: Record<'with' | 'without', number[]> = { with: [], without: [] };
  // The first ones of both count for neither.
  await tellBuilds(1);
  await expect.poll(async () => (await counted()).refused, { timeout: 60_000 }).toBeGreaterThan(2);
  const before = await counted();
  let next = 1 + SIDE_BY_SIDE;
  for (let round = 0; waits.with.length < BUILDS; round += 1) {
    for (const how of round % 2 === 0 ? (['with', 'without'] as const) : (['without', 'with'] as const)) {
      // What was not said before goes on being said beside those that are measured.
      if (how === 'with') {
        await world.restart();
        await untilCalm();
      } else await world.reporter().stop(0);
      waits[how].push(...(await tellBuilds(next)));
      next += SIDE_BY_SIDE;
    }
  }
  const after = await counted();
  const text = (all: readonly number[]) => `${quantile(all, 0.5).toFixed(2)} (95%: ${quantile(all, 0.95).toFixed(2)})`;
  const ratio = quantile(waits.with, 0.5) / quantile(waits.without, 0.5);
  const more = quantile(waits.with, 0.5) - quantile(waits.without, 0.5);
  console.log(
    `a build waits for its ${eventsOf(1).length} events, median ms of ${BUILDS}: without a reporter ${text(waits.without)}, ` +
      `with one ${text(waits.with)}, ${more.toFixed(2)} more, ratio ${ratio.toFixed(2)}; GitHub refused ${after.refused - before.refused} of ${after.count - before.count} requests`,
  );
  expect([waits.with.length, waits.without.length]).toEqual([BUILDS, BUILDS]);
});
