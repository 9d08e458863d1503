/** How much a client may ask. */
import { createHash } from 'node:crypto';
import type { Request, Response } from 'express';
import { type RateLimitRequestHandler, rateLimit } from 'express-rate-limit';
import type { Principal } from '../domain/access.ts';
import { problem } from '../web/problem.ts';

/** In a minute. */
export interface ClientLimits {
  /** Requests of one token. */
  readonly requests: number;
  /** Wrong tokens from one address. */
  readonly guesses: number;
}

const MINUTE_MS = 60_000;
/** Tokens that are remembered as good. */
const GOOD_MAX = 1_000;

/** Slows who tries tokens: only answers of 401 count, and who was let in before goes on beside one that guesses. */
export function slowGuesses(
  limit: number,
  said: (req: Request) => string = (req) => req.get('Authorization') ?? '',
): { readonly limit: RateLimitRequestHandler; letIn(req: Request): void } {
  const good = new Set<string>();
  return {
    limit: rateLimit({
      ...{ windowMs: MINUTE_MS, limit, standardHeaders: false, legacyHeaders: false, handler: tooMany },
      skip: (req) => good.has(hashOf(said(req))),
      requestWasSuccessful: (_req, res) => res.statusCode !== 401,
      skipSuccessfulRequests: true,
    }),
    letIn(req) {
      if (good.size >= GOOD_MAX) good.clear();
      good.add(hashOf(said(req)));
    },
  };
}

/** By the token, once it is known whose it is. */
export function limitOfClient(limit: number): RateLimitRequestHandler {
  return rateLimit({
    ...{ windowMs: MINUTE_MS, limit, standardHeaders: 'draft-7', legacyHeaders: false, handler: tooMany },
    keyGenerator: (_req, res) => (res.locals.principal as Principal).id,
  });
}

/** Of what a request says who it is from, since it is kept. */
function hashOf(said: string): string {
  return createHash('sha256').update(said).digest('hex');
}

/** express-rate-limit has said Retry-After by then. */
function tooMany(_req: Request, res: Response): void {
  problem(res, 429, 'Too many requests: wait until Retry-After has passed.');
}
