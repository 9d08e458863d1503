/** A timer that looks the more often the shorter the times are that it looks for. */
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

export interface LookOptions {
  /** @returns the shortest time that anything has, in milliseconds; undefined where nothing has one. */
  look(): Promise<number | undefined>;
  /** The shortest time before anything was looked at. */
  readonly first: number | undefined;
  /** What the pause is of the shortest time. */
  readonly share: number;
  /** Milliseconds, at least and at most. */
  readonly pause: readonly [least: number, most: number];
  /** Said in the log with a look that failed. */
  readonly failing: string;
  readonly log: Logger;
}

/** Looks until `stop`; a look that fails is no reason not to look again. */
export function lookAgainAndAgain(options: LookOptions): { stop(): Promise<void> } {
  const [least, most] = options.pause;
  let over = false;
  let timer: NodeJS.Timeout | undefined;
  let looking = Promise.resolve();

  function lookIn(shortest = Number.POSITIVE_INFINITY): void {
    const pause = Math.min(most, Math.max(least, shortest * options.share));
    timer = setTimeout(() => {
      looking = options
        .look()
        .catch((error: unknown) => {
          options.log.warn({ reason: messageOf(error) }, options.failing);
          return undefined;
        })
        .then((next) => {
          if (!over) lookIn(next);
        });
    }, pause);
    timer.unref();
  }

  lookIn(options.first);
  return {
    async stop() {
      over = true;
      clearTimeout(timer);
      await looking;
    },
  };
}

/** The least of those that there are. */
export function shortestOf(times: Iterable<number | undefined>): number | undefined {
  const all = [...times].filter((one) => one !== undefined);
  return all.length === 0 ? undefined : Math.min(...all);
}
