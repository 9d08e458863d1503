/** Parts of a page that are drawn anew where they changed, and sent to whoever has the page open. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { StreamEvent } from '../api/stream.ts';
import type { PreviewId } from '../domain/names.ts';
import { TreehouseError } from '../errors.ts';
import type { Hub } from './hub.ts';
import { toText } from './markup.ts';

/** An element of the page by its id. */
export interface Region {
  readonly id: string;
  /** Another whenever it would be drawn otherwise. */
  readonly key: string;
  /** The element with that id; `hx-swap-oob` on it where it is sent alone. */
  draw(alone: boolean): JSX.Element;
  /** The region that holds it: where that is sent, it need not be. */
  readonly within?: string;
}

/** What a page was drawn from; it is given back when the page begins to listen. */
export function keyOf(regions: readonly Region[]): string {
  return hash(regions.map((one) => `${one.id} ${one.key}`).join('\n'));
}

/** @param seen see `keyOf`; where it is another one now, everything is sent at once */
export async function* changes(
  hub: Hub,
  signal: AbortSignal,
  seen: string | undefined,
  look: (changed: ReadonlySet<PreviewId>) => Promise<readonly Region[]>,
): AsyncGenerator<StreamEvent> {
  const listening = hub.listen(signal);
  const first = await patiently(look, new Set(), signal);
  let known = keysOf(first);
  if (keyOf(first) !== seen) yield sent(first.filter((one) => one.within === undefined));
  for await (const changed of listening) {
    const now = await patiently(look, changed, signal);
    const moved = now.filter((one) => known.get(one.id) !== hash(one.key));
    const whole = new Set(moved.map((one) => one.id));
    known = keysOf(now);
    const wanted = moved.filter((one) => one.within === undefined || !whole.has(one.within));
    if (wanted.length > 0) yield sent(wanted);
  }
}

const AGAIN_MS = 1_000;

/** While Redis is away or too busy a page stays as it is; it is no reason to end what else it is sent. */
async function patiently<T>(
  look: (changed: ReadonlySet<PreviewId>) => Promise<T>,
  changed: ReadonlySet<PreviewId>,
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    try {
      return await look(changed);
    } catch (error) {
      if (signal.aborted || !(error instanceof TreehouseError) || error.kind !== 'transient') throw error;
      await delay(AGAIN_MS, undefined, { signal });
    }
  }
}

function sent(regions: readonly Region[]): StreamEvent {
  return { type: 'regions', text: regions.map((one) => toText(one.draw(true))).join('') };
}

function keysOf(regions: readonly Region[]): ReadonlyMap<string, string> {
  return new Map(regions.map((one) => [one.id, hash(one.key)]));
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
