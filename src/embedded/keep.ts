/** A child that is started again, as it was, whenever it ends without being asked to. */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { type Child, type ChildExit, type ChildOptions, startChild } from './child.ts';

/** Hears of the ends of a part of Treehouse that is kept running. */
export interface OnOutage {
  /** It ended unasked, or could not be started again; said once for each outage. */
  away?(why: string): void;
  /** It is ready again. */
  back?(): void;
}

export interface KeptOptions extends ChildOptions {
  /** What a killed one leaves in the way of the next. */
  clear?(): Promise<void>;
  readonly onOutage?: OnOutage | undefined;
}

export interface Kept {
  /** Of the one that runs, or ran last. */
  readonly pid: number;
  /** Resolves when it is gone for good; running it again waits for the same end. */
  stop(): Promise<void>;
}

/** Between an end and the next start: short, since previews cannot be reached meanwhile; then longer, since it may never start. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;

/** @throws {TreehouseError} `process-failed` where the first start fails; later ones are tried until `stop`. */
export async function keepChild(options: KeptOptions): Promise<Kept> {
  const { signal: _signal, ...later } = options;
  const over = new AbortController();
  let child = await startChild(options);
  const kept = keep();

  async function keep(): Promise<void> {
    while (!over.signal.aborted) {
      const exit = await child.exited;
      if (exit.asked) return;
      options.onOutage?.away?.(endOf(exit, child));
      await startAgain();
    }
  }

  async function startAgain(): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      await delay(pause, undefined, { signal: over.signal }).catch(() => undefined);
      if (over.signal.aborted) return;
      try {
        await options.clear?.();
        child = await startChild({ ...later, signal: over.signal });
        options.onOutage?.back?.();
        return;
      } catch (error) {
        if (!over.signal.aborted && pause === FIRST_PAUSE_MS) options.onOutage?.away?.(messageOf(error));
      }
    }
  }

  return {
    get pid() {
      return child.pid;
    },
    async stop() {
      over.abort();
      await child.stop();
      await kept;
      // One that became ready in the same moment.
      await child.stop();
    },
  };
}

function endOf({ code, signal }: ChildExit, child: Child): string {
  return [code === null ? `it was ended by ${signal}` : `it ended with code ${code}`, ...child.tail().slice(-3)].join(
    '; ',
  );
}
