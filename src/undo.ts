/** What ends what was begun, the last thing first. */
import { messageOf } from './errors.ts';
import type { Logger } from './log.ts';

export type Undo = (() => Promise<unknown>)[];

/** Does every step, whatever becomes of the others, and forgets them. */
export async function undoAll(undo: Undo, log: Logger): Promise<void> {
  for (let step = undo.pop(); step; step = undo.pop()) {
    await step().catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'a part did not stop as it should'));
  }
}
