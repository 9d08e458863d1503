/**
 * Every error that Treehouse itself raises. `message` is written for the person who will read it: it names the act, the
 * thing, the reason and, where there is one, the way out. Code branches on `code` and `kind`, never on text.
 */

/** `terminal`: the same commit would fail again. `transient`: trying again later may work. */
export type FaultKind = 'terminal' | 'transient';

export type FaultCode =
  | 'bad-config'
  | 'bad-branch'
  | 'unknown-repository'
  | 'git-failed'
  | 'compose-unreadable'
  | 'nothing-to-run'
  | 'refused-by-policy'
  | 'build-failed'
  | 'image-missing'
  | 'test-failed'
  | 'push-failed'
  | 'start-failed'
  | 'not-healthy'
  | 'seed-failed'
  | 'networks-exhausted'
  | 'route-failed'
  | 'disk-full'
  | 'engine-away'
  | 'queue-away'
  | 'forge-failed'
  | 'secret-missing'
  | 'secret-failed'
  | 'process-failed'
  | 'superseded'
  | 'cancelled'
  | 'stopped';

/** A failure with a code to branch on and a message to show. */
export class TreehouseError extends Error {
  readonly code: FaultCode;
  readonly kind: FaultKind;

  constructor(code: FaultCode, message: string, options: { kind?: FaultKind; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TreehouseError';
    this.code = code;
    this.kind = options.kind ?? 'terminal';
  }
}

/** The text of anything thrown, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What `signal` was aborted with, as an error; `stopped` where no reason was given. */
export function abortReason(signal: AbortSignal): TreehouseError {
  return signal.reason instanceof TreehouseError
    ? signal.reason
    : new TreehouseError('stopped', 'Treehouse is stopping', { kind: 'transient', cause: signal.reason });
}
