/** Tells when the gateway's container was started: one that was made anew is in no preview's network any more. */
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { openEvents } from './engine-events.ts';

/** How long after a break the events are asked for again. */
const REOPEN_MS = 500;

/** @param container its name @returns what ends it */
export function watchStarts(docker: Docker, container: string, onStarted: () => void): () => void {
  let stream: Readable | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let isFirst = true;

  async function open(): Promise<void> {
    const filters = { type: ['container'], event: ['start'], container: [container] };
    await openEvents(docker, filters, {
      opened(one) {
        stream = one;
        if (isOver) one.destroy();
        // It may have been while nobody watched.
        if (!isFirst) onStarted();
        isFirst = false;
      },
      event: onStarted,
      closed: reopen,
    }).catch(reopen);
  }

  function reopen(): void {
    if (isOver) return;
    timer = setTimeout(() => void open(), REOPEN_MS);
    timer.unref();
  }

  void open();
  return () => {
    isOver = true;
    clearTimeout(timer);
    stream?.destroy();
  };
}
