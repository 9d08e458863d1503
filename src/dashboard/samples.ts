/** How busy the host was in the last hour: kept in memory, a sample each few seconds, and no more than an hour of them. */

/** Ratios are from 0 to 1. */
export interface Sample {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly cpu: number;
  readonly memory: number;
  /** Builds and wakes under way, and those that wait. */
  readonly building: number;
  readonly waiting: number;
  readonly disks: readonly { readonly name: string; readonly used: number }[];
}

export interface Samples {
  /** The oldest first. */
  all(): readonly Sample[];
  stop(): void;
}

export const EVERY_MS = 10_000;
export const HOUR_MS = 3_600_000;
const COUNT = HOUR_MS / EVERY_MS;

export function startSampling(take: () => Promise<Sample>, everyMs: number = EVERY_MS): Samples {
  const kept: Sample[] = [];
  let taking = false;
  async function sample(): Promise<void> {
    if (taking) return;
    taking = true;
    try {
      kept.push(await take());
      if (kept.length > COUNT) kept.shift();
    } catch {
      // A part is away: the plot has a gap.
    } finally {
      taking = false;
    }
  }
  const timer = setInterval(() => void sample(), everyMs);
  timer.unref();
  void sample();
  return { all: () => kept, stop: () => clearInterval(timer) };
}
