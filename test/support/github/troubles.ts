/** What goes wrong at GitHub, and when: rules that a test sets. */
import type { Recorded } from './github.ts';

/** Of one request; `isDone` where it is carried out before the answer is lost. */
export type Trouble =
  | {
      readonly status: number;
      readonly message: string;
      readonly headers?: Readonly<Record<string, string>>;
      /** Instead of GitHub's usual form of an error. */
      readonly body?: unknown;
      readonly isDone?: true;
    }
  | { readonly slowMs: number }
  | { readonly isDropped: true; readonly isDone?: true };

/** Undefined: nothing is wrong with this one. */
export type Rule = (request: Recorded) => Trouble | undefined;

/** A 403 as GitHub has it of its secondary limits. */
export function secondary(retryAfter?: number): Trouble {
  return {
    status: 403,
    message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
    headers: retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) },
  };
}

export function tooMany(retryAfter: number): Trouble {
  return { status: 429, message: 'Too many requests', headers: { 'retry-after': String(retryAfter) } };
}

/** The hour's requests are spent, until so many seconds from now. */
export function spent(seconds: number): Trouble {
  const reset = Math.floor(Date.now() / 1_000) + seconds;
  return {
    status: 403,
    message: 'API rate limit exceeded for installation ID 1.',
    headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(reset) },
  };
}

/** As above, of queries: GitHub answers them with a 200. */
export function queriesSpent(seconds: number): Trouble {
  const message = 'API rate limit exceeded for installation ID 1.';
  return { ...spent(seconds), status: 200, message, body: { errors: [{ type: 'RATE_LIMITED', message }] } };
}

export function away(status: 500 | 502 | 503 | 504 = 502): Trouble {
  return { status, message: 'Server Error' };
}

/** It was done, and the answer did not come. */
export const LOST: Trouble = { status: 502, message: 'Server Error', isDone: true };
export const DROPPED: Trouble = { isDropped: true };
export const WITHDRAWN: Trouble = { status: 401, message: 'Bad credentials' };

export function slow(slowMs: number): Trouble {
  return { slowMs };
}

/** The first so many of those that it is about. */
export function times(count: number, trouble: Trouble, about: (request: Recorded) => boolean = () => true): Rule {
  let left = count;
  return (request) => {
    if (left === 0 || !about(request)) return undefined;
    left -= 1;
    return trouble;
  };
}

/** A part of all, between 0 and 1, one of the troubles each; the same for the same seed. */
export function share(part: number, seed: number, troubles: readonly Trouble[]): Rule {
  const random = mulberry32(seed);
  return () => (random() < part ? troubles[Math.floor(random() * troubles.length)] : undefined);
}

/** github.com/cprosche/mulberry32, public domain. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
