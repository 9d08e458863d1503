/** How a run of converge ended, and the one place where that becomes done, again or never. */
import type { Outcome } from '../domain/outcome.ts';
import { messageOf, TreehouseError } from '../errors.ts';

/** Errors that nobody foresaw are tried again, but only so often in a row. */
export const CRASHES_MAX = 5;
const FIRST_PAUSE_MS = 2_000;
/** The longest pause before another try. */
export const LONGEST_PAUSE_MS = 300_000;

/** The outcome of a run that threw. */
export function outcomeOf(error: unknown): Outcome {
  const cause = messageOf(error);
  if (!(error instanceof TreehouseError)) return { kind: 'again', cause };
  // What was stopped or overtaken left work behind: it is looked at again at once.
  if (error.code === 'stopped' || error.code === 'superseded') return { kind: 'again', cause, afterMs: 0 };
  return error.kind === 'transient' ? { kind: 'again', cause } : { kind: 'terminal', cause };
}

/** The pause before try number `tries` in a row: 2 s, 4 s, 8 s … 5 min. */
export function backOff(tries: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, tries - 1), LONGEST_PAUSE_MS);
}
