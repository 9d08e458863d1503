/** Follows what every preview's containers print, from where it was left, and hands it on. */
import { setTimeout as delay } from 'node:timers/promises';
import type { PreviewId } from '../domain/names.ts';
import type { PrintedLine, Printing } from '../domain/shipping.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

export interface FollowOptions {
  /** All containers of previews. */
  printing(): Promise<readonly Printing[]>;
  /** Each line after the time, until the container stops or the signal is aborted. */
  follow(
    container: string,
    after: string | undefined,
    onLine: (line: PrintedLine) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Calls back when containers of a preview start or end. */
  watch(changed: (preview: PreviewId) => void): () => void;
  /** Containers that are there at the first look are followed from here on. */
  readonly since: string;
  readonly onLine: (of: Printing, line: PrintedLine) => void;
  readonly log: Logger;
}

/** Milliseconds between two looks though nothing is told, and before a log that broke off is read again. */
const LOOK_MS = 30_000;
const AGAIN_MS = 1_000;

/** Follows until it is stopped. */
export function followPrinting(options: FollowOptions): { stop(): Promise<void> } {
  const over = new AbortController();
  /** Container → when its last line was printed; undefined before its first. */
  const last = new Map<string, string | undefined>();
  const followed = new Map<string, Promise<void>>();
  /** Stopped ones that were read to their end. */
  const finished = new Set<string>();
  const stirred = new Set<PreviewId>();
  let isFirst = true;
  let look = Promise.resolve();
  let due = false;

  async function lookOnce(): Promise<void> {
    due = false;
    const changed = new Set(stirred);
    stirred.clear();
    const all = await options.printing();
    const there = new Set(all.map((one) => one.container));
    for (const gone of [...last.keys()].filter((one) => !there.has(one))) {
      last.delete(gone);
      finished.delete(gone);
    }
    for (const one of all) {
      if (!last.has(one.container)) last.set(one.container, isFirst ? options.since : undefined);
      if (one.running || changed.has(one.id)) finished.delete(one.container);
      if (followed.has(one.container) || finished.has(one.container)) continue;
      const reading = followOne(one).finally(() => followed.delete(one.container));
      followed.set(one.container, reading);
      // One that has stopped, perhaps before anybody looked, is read once more and no longer waited for.
      if (one.running) continue;
      finished.add(one.container);
      await reading;
    }
    isFirst = false;
  }

  async function followOne(of: Printing): Promise<void> {
    const { container } = of;
    try {
      await options.follow(
        container,
        last.get(container),
        (line) => {
          last.set(container, line.at);
          options.onLine(of, line);
        },
        over.signal,
      );
    } catch (error) {
      if (over.signal.aborted) return;
      options.log.debug({ container, reason: messageOf(error) }, 'a log broke off');
      await delay(AGAIN_MS, undefined, { signal: over.signal }).catch(() => undefined);
      // Its end may have come before the event that tells of its new start was looked at.
      again();
    }
  }

  function again(): void {
    if (due || over.signal.aborted) return;
    due = true;
    look = look.then(() =>
      lookOnce().catch((error: unknown) => {
        if (!over.signal.aborted) options.log.warn({ reason: messageOf(error) }, 'what prints is not known for now');
      }),
    );
  }

  const unwatch = options.watch((preview) => {
    stirred.add(preview);
    again();
  });
  const timer = setInterval(again, LOOK_MS);
  timer.unref();
  again();
  return {
    async stop() {
      over.abort();
      unwatch();
      clearInterval(timer);
      await look;
      await Promise.all(followed.values());
    },
  };
}
