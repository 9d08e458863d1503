/** Tells pages that something of a preview changed: what happened is read anew, so that who reads slowly costs no memory. */
import { setTimeout as delay } from 'node:timers/promises';
import type { PreviewId } from '../domain/names.ts';

export interface Hub {
  /** Something of it changed. */
  touch(id: PreviewId): void;
  /** What changed since this call or since it was last asked, each time something did; ends when the signal aborts. */
  listen(signal: AbortSignal): AsyncGenerator<ReadonlySet<PreviewId>>;
  /** Pages that listen. */
  listeners(): number;
}

/** Changes that come close together are told together. */
const TOGETHER_MS = 250;

export function createHub(togetherMs: number = TOGETHER_MS): Hub {
  const listening = new Set<(id: PreviewId) => void>();

  function listen(signal: AbortSignal): AsyncGenerator<ReadonlySet<PreviewId>> {
    let changed = new Set<PreviewId>();
    let wake: () => void = () => undefined;
    const hear = (id: PreviewId) => {
      changed.add(id);
      wake();
    };
    listening.add(hear);
    const stop = () => {
      listening.delete(hear);
      wake();
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    return (async function* () {
      while (!signal.aborted) {
        if (changed.size === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        await delay(togetherMs, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
        const told = changed;
        changed = new Set();
        yield told;
      }
    })();
  }

  return {
    touch(id) {
      for (const one of listening) one(id);
    },
    listen,
    listeners: () => listening.size,
  };
}
