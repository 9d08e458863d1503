/** octokit with what keeps GitHub's limits: spaced requests, bounded waits, few further attempts. */
import { createAppAuth } from '@octokit/auth-app';
import { Octokit } from '@octokit/core';
import { retry } from '@octokit/plugin-retry';
import { throttling } from '@octokit/plugin-throttling';
import Bottleneck from 'bottleneck';
import type { Logger } from '../log.ts';
import { createLimits, type Limits } from './limits.ts';
import type { Pace } from './settings.ts';
import { createTransport } from './transport.ts';

/** What has passed one limit may wait for the next: so many are under way at once (GitHub allows 100). */
const AT_ONCE = 10;
/** Waits for a limit's end by itself, for one request. */
const LIMIT_WAITS = 2;
/** Bad requests and missing permissions stay what they are; a 429 is waited for by the throttling. */
const NEVER_AGAIN = [400, 401, 403, 404, 409, 410, 422, 429, 451];

const Kit = Octokit.plugin(throttling, retry);

export interface KitOptions {
  readonly apiUrl: string;
  readonly pace: Pace;
  readonly now: () => number;
  readonly log: Logger;
  /** Takes secrets out of a text. */
  readonly hide: (text: string) => string;
}

/** Makes octokits that share one queue: GitHub counts them together. */
export interface Kits {
  /** Says who it is by itself where it is given an App, else by each request's own header. */
  make(app?: { readonly appId: string; readonly privateKey: string }): Kit;
}

export interface Kit {
  readonly octokit: Octokit;
  /** Of one installation or token. */
  readonly limits: Limits;
}

export function createKits({ apiUrl, pace, now, log, hide }: KitOptions): Kits {
  const group = (minTime: number, maxConcurrent: number) => new Bottleneck.Group({ minTime, maxConcurrent });
  const queues = {
    global: group(pace.anyMs, AT_ONCE),
    auth: group(0, 1),
    search: group(pace.writeMs, 1),
    write: group(pace.writeMs, 1),
    notifications: group(pace.notifyMs, 1),
  };
  const isShort = (seconds: number, waits: number) => seconds * pace.secondMs <= pace.patienceMs && waits < LIMIT_WAITS;
  const limited = (seconds: number, _options: unknown, _octokit: unknown, waits: number) => isShort(seconds, waits);
  const told = (message: string) => log.warn({ reason: hide(message) }, 'what asks GitHub has something to say');

  return {
    make(app) {
      const limits = createLimits({ now, secondMs: pace.secondMs, commentsPerHour: pace.commentsPerHour });
      const { attemptMs, secondMs } = pace;
      const octokit = new Kit({
        baseUrl: apiUrl,
        userAgent: 'treehouse',
        ...(app ? { authStrategy: createAppAuth, auth: app } : {}),
        log: { debug: nothing, info: nothing, warn: told, error: told },
        request: { fetch: createTransport({ limits, attemptMs, secondMs, now }) },
        throttle: {
          ...queues,
          retryAfterBaseValue: pace.secondMs,
          onRateLimit: limited,
          onSecondaryRateLimit: limited,
        },
        retry: { retries: pace.retries, retryAfterBaseValue: pace.secondMs, doNotRetry: NEVER_AGAIN },
      });
      return { octokit, limits };
    },
  };
}

function nothing(): void {}
