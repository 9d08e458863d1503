/** What GitHub allows, kept: what it said of its limits is remembered, and nothing is sent that it would refuse. */

/** Primary limits are counted apart for the REST and the GraphQL API, secondary ones for all. */
type Kind = 'core' | 'graphql';

/** What is read of an answer. */
export interface Heard {
  readonly kind: Kind;
  readonly status: number;
  readonly headers: Headers;
  /** Its body, where it is an error. */
  readonly text: string;
}

export interface Limits {
  /** When the next one may be sent, milliseconds since the epoch; undefined: now. */
  until(kind: Kind, isComment: boolean): number | undefined;
  heard(answer: Heard): void;
}

export interface LimitOptions {
  readonly now: () => number;
  /** How long a second of GitHub's is. */
  readonly secondMs: number;
  readonly commentsPerHour: number;
}

/** Without a word of when, wait at least a minute, and longer each time. */
const UNTOLD_SECONDS = 60;
const UNTOLD_MOST_SECONDS = 900;
const HOUR_SECONDS = 3_600;

/** Of one installation or token. Source: docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api */
export function createLimits({ now, secondMs, commentsPerHour }: LimitOptions): Limits {
  const primary = new Map<Kind, number>();
  let secondary = 0;
  let strikes = 0;
  let comments: number[] = [];

  /** In the time of this host, whatever its clock says beside GitHub's. */
  function resetOf(headers: Headers): number {
    const date = Date.parse(headers.get('date') ?? '');
    const reset = Number(headers.get('x-ratelimit-reset')) * 1_000;
    const seconds = Math.max(0, (reset - (Number.isNaN(date) ? now() : date)) / 1_000) + 1;
    return now() + seconds * secondMs;
  }

  return {
    until(kind, isComment) {
      comments = comments.filter((at) => at > now() - HOUR_SECONDS * secondMs);
      const [oldest] = comments;
      const full = isComment && oldest !== undefined && comments.length >= commentsPerHour;
      const until = Math.max(primary.get(kind) ?? 0, secondary, full ? oldest + HOUR_SECONDS * secondMs : 0);
      if (until > now()) return until;
      if (isComment) comments.push(now());
      return undefined;
    },
    heard({ kind, status, headers, text }) {
      const isSpent = headers.get('x-ratelimit-remaining') === '0' && headers.has('x-ratelimit-reset');
      if (isSpent) primary.set(kind, resetOf(headers));
      if (status < 400) strikes = 0;
      if (!isLimited(status, headers, text)) return;
      const told = Number(headers.get('retry-after') ?? Number.NaN);
      if (Number.isNaN(told) && isSpent) return;
      const untold = Math.min(UNTOLD_SECONDS * 2 ** strikes, UNTOLD_MOST_SECONDS);
      if (Number.isNaN(told)) strikes += 1;
      secondary = Math.max(secondary, now() + (Number.isNaN(told) ? untold : told) * secondMs);
    },
  };
}

/** Whether an answer says: too much. A 403 alone is a missing permission. */
export function isLimited(status: number, headers: Headers, text: string): boolean {
  if (status === 429) return true;
  if (status !== 403) return false;
  return headers.has('retry-after') || headers.get('x-ratelimit-remaining') === '0' || /rate limit/i.test(text);
}
