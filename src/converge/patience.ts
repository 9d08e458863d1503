/** How long a stage may take and how long it may be silent, since what hangs would keep its place from others. */
import type { OnLine } from '../domain/ports.ts';
import { type FaultCode, TreehouseError } from '../errors.ts';
import { timeLimit } from '../time-limit.ts';

/** Milliseconds; undefined: as long as it takes. */
export interface Patience {
  /** Of a build or a test that prints nothing. */
  readonly silence: number | undefined;
  /** Of all images of a push. */
  readonly build: number | undefined;
  readonly test: number | undefined;
  /** Of one image. */
  readonly pull: number | undefined;
}

interface Bounds {
  /** What is done, the first words of the error: "building the images". */
  readonly act: string;
  readonly code: FaultCode;
  readonly limit: number | undefined;
  /** The variable that sets `limit`. */
  readonly setting: string;
  readonly silence: number | undefined;
}

/** A longer one would be over at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** @throws {TreehouseError} `code` where the work was ended because a limit was reached; which, and how to change it, is in its message. */
export async function patiently<T>(
  bounds: Bounds,
  onLine: OnLine,
  outer: AbortSignal,
  work: (onLine: OnLine, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const whole = timeLimit(outer, bounds.limit ?? LONGEST_TIMER, tooLong(bounds));
  const silent = new AbortController();
  const timer =
    bounds.silence === undefined ? undefined : setTimeout(() => silent.abort(tooSilent(bounds)), bounds.silence);
  const ended = AbortSignal.any([whole.signal, silent.signal]);
  let isOver = false;
  const hear: OnLine = (line, source) => {
    // A late line would start it again.
    if (!isOver) timer?.refresh();
    onLine(line, source);
  };
  try {
    const result = await work(hear, ended);
    ended.throwIfAborted();
    return result;
  } catch (error) {
    // However the work puts it, this is why it ended.
    throw ended.aborted ? ended.reason : error;
  } finally {
    isOver = true;
    whole.clear();
    clearTimeout(timer);
  }
}

function tooLong({ act, code, limit = 0, setting }: Bounds): TreehouseError {
  return new TreehouseError(
    code,
    `${act} took longer than ${inWords(limit)} and was ended; ${setting} sets how long it may take`,
  );
}

function tooSilent({ act, code, silence = 0 }: Bounds): TreehouseError {
  return new TreehouseError(
    code,
    `${act} printed nothing for ${inWords(silence)} and was ended: let it print a line now and then, or set TREEHOUSE_BUILD_SILENCE`,
  );
}

function inWords(ms: number): string {
  const [count, unit] = ms < 60_000 || ms % 60_000 !== 0 ? [ms / 1_000, 'second'] : [ms / 60_000, 'minute'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
