/** Reads the common stream of events for as long as Treehouse runs, through outages of Redis. */
import { setTimeout as delay } from 'node:timers/promises';
import type { BuildEvent, StoredEvent } from '../domain/events.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

const AGAIN_MS = 2_000;

/** @returns what ends it */
export function followAll(
  follow: (options: { readonly signal: AbortSignal; readonly after?: string }) => AsyncIterable<StoredEvent>,
  take: (event: BuildEvent) => void,
  log: Logger,
  againMs = AGAIN_MS,
): () => Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  const running = (async () => {
    let after: string | undefined;
    while (!signal.aborted) {
      try {
        for await (const one of follow({ signal, ...(after === undefined ? {} : { after }) })) {
          after = one.cursor;
          take(one.event);
        }
      } catch (error) {
        log.debug({ reason: messageOf(error) }, 'events are not counted for now');
      }
      await delay(againMs, undefined, { signal }).catch(() => undefined);
    }
  })();
  return async () => {
    over.abort();
    await running;
  };
}
