/** One attempt over HTTP: within a time and a size, and never where GitHub has said that it would refuse it. */

import { bodyOf } from '../bounded-body.ts';
import { timeLimit } from '../time-limit.ts';
import { isLimited, type Limits } from './limits.ts';

/** The largest answer is a comparison of 300 files with their patches. */
const ANSWER_MAX = 32 * 1024 * 1024;
/** docs.github.com/en/rest/about-the-rest-api/api-versions */
const VERSION = '2022-11-28';

export interface TransportOptions {
  readonly limits: Limits;
  readonly attemptMs: number;
  readonly secondMs: number;
  readonly now: () => number;
}

/** A `fetch` for octokit, whose whole answer is there when it is given. */
export function createTransport({ limits, attemptMs, secondMs, now }: TransportOptions): typeof fetch {
  function limited(status: number, message: string, until: number): Response {
    const retryAfter = `${Math.max(1, Math.ceil((until - now()) / secondMs))}`;
    const headers = { 'retry-after': retryAfter, [UNTIL]: `${until}` };
    return Response.json({ message: `${message}${WORDS}` }, { status, headers });
  }

  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const method = init.method ?? 'GET';
    const kind = url.pathname.endsWith('/graphql') ? 'graphql' : 'core';
    const isComment = method !== 'GET' && /\/issues\/(?:\d+\/comments|comments\/\d+)$/.test(url.pathname);
    const until = limits.until(kind, isComment);
    if (until !== undefined) return limited(429, 'its rate limit is reached, and this was not sent', until);

    const limit = timeLimit(init.signal ?? new AbortController().signal, attemptMs);
    try {
      const response = await fetch(url, { ...init, headers: headersOf(init), signal: limit.signal });
      const bytes = await bodyOf(response, ANSWER_MAX);
      const text = response.status >= 400 ? bytes.toString('utf8') : '';
      const { status, headers } = response;
      limits.heard({ kind, status, headers, text });
      const ends = isLimited(status, headers, text) ? limits.until(kind, false) : undefined;
      if (ends !== undefined) return limited(status, wordsOf(text), ends);
      const isEmpty = [204, 205, 304].includes(response.status);
      return new Response(isEmpty ? null : new Uint8Array(bytes), {
        status: response.status,
        headers: response.headers,
      });
    } catch (error) {
      // By this name octokit knows that nothing is to be tried again.
      if (init.signal?.aborted) throw new DOMException('nobody waits for it any more', 'AbortError');
      if (limit.reached()) throw new Error(`no answer within ${attemptMs / 1_000} s`);
      throw error;
    } finally {
      limit.clear();
    }
  };
}

function headersOf(init: RequestInit): Headers {
  const headers = new Headers(init.headers);
  headers.set('x-github-api-version', VERSION);
  return headers;
}

/** GitHub has several ways to say: too much. What waits or gives up on it (octokit's throttling) knows one by these words. */
const WORDS = ' (secondary rate limit)';
/** When it may be tried again, by the clock of this host; of a limited answer. */
const UNTIL = 'x-treehouse-until';

/** What a limited answer said, and when it may be tried again; undefined for any other. */
export function limitOf(
  headers: Headers,
  message: string,
): { readonly said: string; readonly until: number } | undefined {
  const until = headers.get(UNTIL);
  return until === null ? undefined : { said: message.replace(WORDS, ''), until: Number(until) };
}

function wordsOf(text: string): string {
  try {
    return String((JSON.parse(text) as { message?: unknown }).message);
  } catch {
    return 'too many requests';
  }
}
