/** What goes wrong at the engine, as errors of Treehouse. */
import { abortReason, type FaultCode, type FaultKind, messageOf, TreehouseError } from '../errors.ts';

/** Every failure of the engine is one error that says what for; an abort is what it was aborted with. */
export async function orAway<T>(act: string, promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await promise;
  } catch (cause) {
    throw signal?.aborted ? abortReason(signal) : away(act, cause);
  }
}

/** Undefined where it is not there. */
export async function orGone<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (cause) {
    if (statusOf(cause) === 404) return undefined;
    throw away('reading what runs', cause);
  }
}

/** Lets pass the statuses that say "it is so already". */
export async function tolerate(promise: Promise<unknown>, statuses: readonly number[]): Promise<void> {
  try {
    await promise;
  } catch (cause) {
    if (!statuses.includes(statusOf(cause) ?? 0)) throw away('changing what runs', cause);
  }
}

/** Transient: the engine may answer the next time. */
export function away(act: string, cause: unknown): TreehouseError {
  return new TreehouseError('engine-away', `${act} failed: ${engineText(cause)}`, { kind: 'transient', cause });
}

/**
 * The failure of an act: `code` where the engine says what is wrong; what it had no room for, or could not answer, may go well
 * the next time.
 * @param cause an error of dockerode, or what the engine said in a stream
 */
export function failed(act: string, cause: unknown, code: FaultCode, kind: FaultKind = 'terminal'): TreehouseError {
  const full = noRoom(act, cause);
  if (full) return full;
  const isAnswer = typeof cause === 'string' || ![undefined, 503].includes(statusOf(cause));
  return isAnswer ? new TreehouseError(code, `${act} failed: ${engineText(cause)}`, { kind, cause }) : away(act, cause);
}

/** Undefined where that is not the reason. Transient: another try may work, whatever it is that is tried. */
export function noRoom(act: string, cause: unknown): TreehouseError | undefined {
  if (!saysDiskFull(engineText(cause))) return undefined;
  const text = `${act} failed: the disk is full; free some space, and it is tried again`;
  return new TreehouseError('disk-full', text, { kind: 'transient', cause });
}

/** Engines have no code for it; it is the system's own text (strerror of ENOSPC, EDQUOT), which Go does not translate. */
export function saysDiskFull(text: string): boolean {
  return /no space left on device|disk quota exceeded/i.test(text);
}

/** The HTTP status, where there was an answer. */
export function statusOf(cause: unknown): number | undefined {
  const status = (cause as { statusCode?: unknown })?.statusCode;
  return typeof status === 'number' ? status : undefined;
}

/** dockerode words it `(HTTP code 500) server error - TEXT `. */
export function engineText(cause: unknown): string {
  return messageOf(cause)
    .replace(/^\(HTTP code \d+\) [^-]*- /, '')
    .trim();
}
