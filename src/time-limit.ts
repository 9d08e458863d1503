/** A time limit beside a signal. */

export interface TimeLimit {
  /** Aborted when `outer` is, or when the time is over. */
  readonly signal: AbortSignal;
  /** Whether the time was over. */
  reached(): boolean;
  /** To be called when the work has ended. */
  clear(): void;
}

/**
 * @param reason what the signal is aborted with when `ms` are over
 *
 * Not AbortSignal.timeout: in a combined signal Node 20 may collect it before its time (nodejs/node#57736).
 */
export function timeLimit(outer: AbortSignal, ms: number, reason?: unknown): TimeLimit {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(reason), ms);
  return {
    signal: AbortSignal.any([outer, over.signal]),
    reached: () => over.signal.aborted,
    clear: () => clearTimeout(timer),
  };
}
