/** Time limits: beside a signal, and for work that heeds none. */

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

/** What `work` comes to, unless `ms` are over first: then it is no longer waited for. @throws what `late` gives. */
export async function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  return Promise.race([work, over]).finally(() => clearTimeout(timer));
}

/** Resolves once `work` has ended, however it did, or `ms` are over. */
export async function settledWithin(ms: number, work: Promise<unknown>): Promise<void> {
  await within(ms, work, () => new Error('late')).catch(() => undefined);
}
