/** Waiting for a turn: first come, first served, and who leaves takes no turn. octokit's own queue forgets nobody who left. */
import { abortReason } from '../errors.ts';

export interface Turns {
  /** Does the work in its turn. @throws what `signal` was aborted with, where that was first */
  take<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

/** @param atOnce of those whose turn it is */
export function createTurns(atOnce: number): Turns {
  const waiting = new Set<() => void>();
  let busy = 0;

  function wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const called = () => {
        waiting.delete(called);
        signal.removeEventListener('abort', left);
        resolve();
      };
      const left = () => {
        waiting.delete(called);
        reject(abortReason(signal));
      };
      waiting.add(called);
      signal.addEventListener('abort', left, { once: true });
    });
  }

  return {
    async take(signal, work) {
      if (signal.aborted) throw abortReason(signal);
      // Who is called takes the turn of who called.
      if (busy < atOnce) busy += 1;
      else await wait(signal);
      try {
        return await work();
      } finally {
        const [next] = waiting;
        if (next) next();
        else busy -= 1;
      }
    },
  };
}
