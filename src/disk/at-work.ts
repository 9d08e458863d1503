/** Since when converges run: what was used since then may be needed by them. */
import type { Clock } from '../domain/ports.ts';

export interface AtWork {
  during<T>(work: () => Promise<T>): Promise<T>;
  /** When the oldest that runs began, milliseconds since the epoch; undefined where none does. */
  oldest(): number | undefined;
}

export function countWork(clock: Clock): AtWork {
  const began = new Set<{ readonly at: number }>();
  return {
    async during(work) {
      const mine = { at: clock.now() };
      began.add(mine);
      try {
        return await work();
      } finally {
        began.delete(mine);
      }
    },
    oldest: () => (began.size === 0 ? undefined : Math.min(...[...began].map((one) => one.at))),
  };
}
