/** Those that change one mirror go one after the other. */
import path from 'node:path';
import { abortReason, TreehouseError } from '../errors.ts';
import { locked } from '../file-lock.ts';

/** How long one command waits for those before it: a fetch and what comes with it. */
const LONGEST_MS = 660_000;

/**
 * One after another for one key, in the order of asking; a wait ends with `signal`, or after LONGEST_MS.
 * @param locks folder of the locks by which other processes wait as well; undefined: there are none
 */
export function createTurns(
  locks?: string,
): <T>(key: string, signal: AbortSignal, act: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<void>>();
  return async (key, signal, act) => {
    const before = last.get(key) ?? Promise.resolve();
    let done = () => {};
    const mine = new Promise<void>((resolve) => {
      done = resolve;
    });
    const all = before.then(() => mine);
    last.set(key, all);
    try {
      await settledOrAborted(before, signal);
      if (locks === undefined) return await act();
      const longest = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]);
      return await locked(path.join(locks, encodeURIComponent(key)), longest, act);
    } finally {
      done();
      if (last.get(key) === all) last.delete(key);
    }
  };
}

function settledOrAborted(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = new TreehouseError('git-failed', `git was busy for more than ${LONGEST_MS / 1000} s`, {
      kind: 'transient',
    });
    const timer = setTimeout(() => reject(late), LONGEST_MS);
    const onAbort = () => reject(abortReason(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void wait.then(resolve).finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    });
  });
}
