/** Measures at each number of previews what a person or the timer would do. */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NginxGateway } from '../src/adapters/nginx-gateway.ts';
import { type BuildId, branchName, type PreviewId, previewId } from '../src/domain/names.ts';
import { createCleanup } from './cleanup.ts';
import { type Bare, makeBare } from './scale-bare.ts';
import type { ScaleOptions } from './scale-options.ts';
import { openScaleWorld, type ScaleParts, type ScaleWorld } from './scale-world.ts';
import { median } from './statistics.ts';
import { untilServed } from './visitor.ts';

/** At one number of previews; times in milliseconds, each the median of several. */
export interface ScaleResult {
  readonly previews: number;
  readonly asleep: number;
  /** Ten of them. */
  readonly page: number;
  /** All of them. */
  readonly list: number;
  readonly sweep: number;
  /** Processor time of Treehouse and its programs for one sweep. */
  readonly sweepCpu: number;
  readonly route: number;
  readonly wakes: readonly number[];
  /** The same container, started by the engine alone. */
  readonly bare: readonly number[];
  /** Bringing up one preview more and putting another to sleep, each of those since the step before. */
  readonly up: number;
  /** Resident memory of Treehouse, in bytes. */
  readonly memory: number;
}

/** A tenth stays awake, as at 450 of 500. */
const AWAKE = 0.1;
/** Brought up before those before them are put to sleep. */
const STRIDE = 50;
const TIMES = 7;
const IDLE_MS = 3_000;

export async function measureScale(options: ScaleOptions, parts: ScaleParts): Promise<readonly ScaleResult[]> {
  const { docker, signal, say, tag } = parts;
  const cleanup = createCleanup(say);
  const results: ScaleResult[] = [];
  try {
    const world = await openScaleWorld(parts, cleanup);
    let bare: Bare | undefined;
    for (const step of options.steps) {
      const before = world.ids.length;
      const began = performance.now();
      for (let count = before; count < step; ) {
        count = Math.min(step, count + STRIDE);
        await world.grow(count, signal);
        await world.settle(Math.ceil(count * AWAKE), signal);
      }
      const up = (performance.now() - began) / (step - before);
      const [first] = world.ids;
      if (!first) throw new Error('there is no preview to measure');
      bare ??= await makeBare(docker, first, `scale-bare-${tag}`, cleanup);
      const { wakes, bare: starts } = await measureWakes(world, bare, first, options.wakes, signal);
      const result: ScaleResult = {
        previews: step,
        asleep: step - Math.ceil(step * AWAKE),
        page: await timed(TIMES * 3, () => world.page()),
        list: await timed(TIMES, () => world.client.previews()),
        ...(await measureSweep(world)),
        route: await measureRoute(world, tag),
        wakes,
        bare: starts,
        up,
        memory: await world.memory(),
      };
      results.push(result);
      say(JSON.stringify(result));
    }
    return results;
  } finally {
    await cleanup.run();
  }
}

async function measureWakes(
  world: ScaleWorld,
  bare: Bare,
  id: PreviewId,
  count: number,
  signal: AbortSignal,
): Promise<{ readonly wakes: number[]; readonly bare: number[] }> {
  const all = { wakes: [] as number[], bare: [] as number[] };
  // By turns, so that whatever else the machine does hits both alike.
  for (let round = 0; round < count; round += 1) {
    signal.throwIfAborted();
    all.bare.push(await bare.start(signal));
    await world.sleep(id, signal);
    const began = performance.now();
    all.wakes.push((await untilServed(() => world.target(id), 'scale', signal)) - began);
  }
  await world.sleep(id, signal);
  return all;
}

async function measureSweep(world: ScaleWorld): Promise<{ readonly sweep: number; readonly sweepCpu: number }> {
  await world.client.sweep({ dryRun: true });
  const idle = await cpuOf(world, () => delay(IDLE_MS));
  let sweep = 0;
  const busy = await cpuOf(world, async () => {
    sweep = await timed(TIMES, () => world.client.sweep({ dryRun: true }));
  });
  // Timers and polling go on meanwhile, the longer the busier the machine is.
  return { sweep, sweepCpu: Math.max(0, busy.cpu - (idle.cpu / idle.ms) * busy.ms) / TIMES };
}

/** Milliseconds of processor time while `act` ran, and how long it ran. */
async function cpuOf(
  world: ScaleWorld,
  act: () => Promise<unknown>,
): Promise<{ readonly cpu: number; readonly ms: number }> {
  const [before, began] = [await world.cpu(), performance.now()];
  await act();
  return { cpu: (await world.cpu()) - before, ms: performance.now() - began };
}

/** Of a preview that is none, by the gateway's own socket. */
async function measureRoute(world: ScaleWorld, tag: string): Promise<number> {
  const gateway = new NginxGateway({
    controlSocket: path.join(world.home, 'nginx', 'control.sock'),
    routesFile: path.join(world.home, 'nginx', 'routes.txt'),
    guardsFile: path.join(world.home, 'nginx', 'guards.txt'),
  });
  const id = previewId(`probe-${tag}`, branchName('n'));
  let turn = 0;
  const change = () => {
    turn += 1;
    return gateway.setRoutes(id, [
      { host: id, preview: id, build: 'b' as BuildId, upstream: `127.0.0.1:${1 + (turn % 2)}` },
    ]);
  };
  try {
    await change();
    return await timed(TIMES * 3, change);
  } finally {
    await gateway.setRoutes(id, []);
  }
}

/** The median of `count` times. */
async function timed(count: number, act: () => Promise<unknown>): Promise<number> {
  const all: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const began = performance.now();
    await act();
    all.push(performance.now() - began);
  }
  return median(all);
}
