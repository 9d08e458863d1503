/** What goes wrong at the engine, as errors of Treehouse. */
import { abortReason, type FaultCode, messageOf, TreehouseError } from '../errors.ts';

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

/** `code`, for good, where the engine answered; what it could not answer, or has no room for now, may go well the next time. */
export function refused(code: FaultCode, act: string, cause: unknown): TreehouseError {
  const text = engineText(cause);
  if (saysDiskFull(text)) {
    return new TreehouseError('disk-full', `${act}: the engine's disk is full; free some space`, {
      kind: 'transient',
      cause,
    });
  }
  const answered = statusOf(cause) !== undefined && statusOf(cause) !== 503;
  return answered
    ? new TreehouseError(code, `${act}: ${text}`, { cause })
    : new TreehouseError('engine-away', `${act}: ${text}`, { kind: 'transient', cause });
}

/** In the words of the kernel, which all tools pass on. */
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
