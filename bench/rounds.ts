/** All measurements of one stack: every way by turns, so that what else the machine does hits all alike. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type Docker from 'dockerode';
import { createCleanup } from './cleanup.ts';
import type { Contender, Way } from './contender.ts';
import { openFloor } from './floor.ts';
import { measurePush, measureRemoval, type Sample } from './measure.ts';
import { openScript } from './script.ts';
import type { BenchStack, Change } from './stacks.ts';
import { openTreehouse } from './treehouse.ts';

export interface WayResult {
  readonly way: Way;
  readonly first: Sample;
  readonly redeploys: Readonly<Partial<Record<Change, readonly Sample[]>>>;
  readonly removalMs: number;
  readonly memoryBytes?: number;
}

export interface StackResult {
  readonly stack: BenchStack['name'];
  readonly services: string;
  readonly changes: readonly Change[];
  readonly ways: readonly WayResult[];
}

export interface RoundsOptions {
  readonly docker: Docker;
  /** The project's folder. */
  readonly root: string;
  /** A scratch folder. */
  readonly folder: string;
  /** A few letters that make the names of this run its own. */
  readonly tag: string;
  /** Undefined: it is not on this machine. */
  readonly script: string | undefined;
  readonly redeploys: number;
  readonly signal: AbortSignal;
  say(text: string): void;
}

/** How many redeploys of a change: the usual one counts, the other shows the trend. */
export function roundsOf(change: Change, redeploys: number): number {
  return change === 'web' ? redeploys : Math.ceil(redeploys / 2);
}

export async function measureStack(stack: BenchStack, options: RoundsOptions): Promise<StackResult> {
  const cleanup = createCleanup(options.say);
  try {
    return await measure(stack, options, await openAll(stack, options, cleanup));
  } finally {
    options.say(`${stack.name}: cleaning up`);
    await cleanup.run();
  }
}

async function openAll(
  stack: BenchStack,
  { docker, root, folder, tag, script, signal }: RoundsOptions,
  cleanup: ReturnType<typeof createCleanup>,
): Promise<readonly Contender[]> {
  const naming = { branch: `${stack.name}-${tag}`, folder: path.join(folder, stack.name) };
  await mkdir(naming.folder);
  const opened: Contender[] = [];
  signal.throwIfAborted();
  opened.push(await openTreehouse(docker, root, naming, cleanup));
  signal.throwIfAborted();
  if (script !== undefined) opened.push(await openScript(docker, script, naming, cleanup));
  signal.throwIfAborted();
  opened.push(await openFloor(docker, naming, cleanup));
  return opened;
}

async function measure(
  stack: BenchStack,
  { redeploys, signal, tag, say }: RoundsOptions,
  contenders: readonly Contender[],
): Promise<StackResult> {
  const first = new Map<Way, Sample>();
  for (const one of contenders) {
    const text = `${one.way} ${tag} first`;
    const sample = await measurePush(one, stack.files(text), text, { signal, probe: false });
    first.set(one.way, sample);
    say(`${stack.name}: first deployment, ${one.way}: ${Math.round(sample.servedMs)} ms`);
  }

  const samples = new Map<Way, Map<Change, Sample[]>>(contenders.map((one) => [one.way, new Map()]));
  for (const change of stack.changes) {
    const rounds = roundsOf(change, redeploys);
    for (let round = 0; round < rounds; round += 1) {
      const said: string[] = [];
      for (const one of turned(contenders, round)) {
        // Unlike any other way's, or the engine's build cache would hand one's work to the next.
        const text = `${one.way} ${tag} ${change} ${round}`;
        const sample = await measurePush(one, stack.change(change, text), text, { signal, probe: true });
        const of = samples.get(one.way);
        of?.set(change, [...(of.get(change) ?? []), sample]);
        said.push(`${one.way} ${Math.round(sample.servedMs)} ms`);
      }
      say(`${stack.name}: change of ${change}, ${round + 1} of ${rounds}: ${said.join(', ')}`);
    }
  }

  const ways: WayResult[] = [];
  for (const one of contenders) {
    const memoryBytes = await one.memory?.();
    const removalMs = await measureRemoval(one, signal);
    const firstSample = first.get(one.way);
    if (!firstSample) continue;
    ways.push({
      way: one.way,
      first: firstSample,
      redeploys: Object.fromEntries(samples.get(one.way) ?? []),
      removalMs,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
    });
  }
  return { stack: stack.name, services: stack.services, changes: stack.changes, ways };
}

/** Each round begins with another one. */
function turned<T>(items: readonly T[], by: number): readonly T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
