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

/** Begins something of several parts, and undoes what there is of it where it cannot be begun. */
export async function orUndone<T>(log: Logger, begin: (undo: Undo) => Promise<T>): Promise<T> {
  const undo: Undo = [];
  try {
    return await begin(undo);
  } catch (error) {
    await undoAll(undo, log);
    throw error;
  }
}
