/** What only waits makes room for whatever is asked meanwhile. */
import type { ConvergeContext } from '../domain/outcome.ts';

/** Aborted with the next hint of the preview, which has a converge of its own, or when Treehouse stops. */
export function hurried(context: ConvergeContext): AbortSignal {
  const hinted = new AbortController();
  context.onNudge(() => hinted.abort());
  return AbortSignal.any([context.signal, hinted.signal]);
}
