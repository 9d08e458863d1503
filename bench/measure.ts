/** One push, measured: until the new content is served, what failed meanwhile, and until all is quiet again. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Files } from '../test/support/repo.ts';
import type { Contender, Parts } from './contender.ts';
import { startProbing, untilServed, type Visits } from './visitor.ts';

export interface Sample {
  /** Milliseconds from the announcement to the first answer with the new content. */
  readonly servedMs: number;
  /** And until nothing of the redeploy was under way any more. */
  readonly settledMs: number;
  readonly visits: Visits;
  readonly parts?: Parts;
}

const LIMIT_MS = 180_000;
/** After each, so that what a way does later (Treehouse looks at a preview a second after its containers changed) is not in another's time. */
const QUIET_MS = 1_500;

export async function measurePush(
  contender: Contender,
  files: Files,
  text: string,
  options: { readonly signal: AbortSignal; readonly probe: boolean },
): Promise<Sample> {
  const failed = new AbortController();
  const limit = limited(options.signal, failed);
  const { signal } = failed;
  const commit = await contender.push(files);
  const probing = options.probe ? startProbing(contender.target) : undefined;
  let visits: Visits = { total: 0, failed: 0, reasons: {} };
  let sample: Omit<Sample, 'visits'>;
  try {
    const began = performance.now();
    const announced = contender.announce(commit, signal);
    announced.catch((error: unknown) => failed.abort(error));
    const served = await untilServed(contender.target, text, signal);
    await announced;
    const parts = await contender.settled(commit, signal);
    sample = { servedMs: served - began, settledMs: performance.now() - began, ...(parts ? { parts } : {}) };
  } finally {
    limit.off();
    if (probing) visits = await probing.stop();
  }
  await delay(QUIET_MS, undefined, { signal: options.signal });
  return { ...sample, visits };
}

/** Milliseconds until nothing of the branch runs any more. */
export async function measureRemoval(contender: Contender, signal: AbortSignal): Promise<number> {
  const over = new AbortController();
  const limit = limited(signal, over);
  const began = performance.now();
  try {
    await contender.remove(over.signal);
  } finally {
    limit.off();
  }
  return performance.now() - began;
}

/** By a timer of its own: Node 20 forgets a `timeout` that is held by an `any` alone (nodejs/node#57736). */
function limited(outer: AbortSignal, inner: AbortController): { off(): void } {
  const stop = () => inner.abort(outer.reason);
  if (outer.aborted) stop();
  outer.addEventListener('abort', stop);
  const timer = setTimeout(() => inner.abort(new Error(`not done after ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  return {
    off() {
      clearTimeout(timer);
      outer.removeEventListener('abort', stop);
    },
  };
}
