/** Sends a page, or to a program the problem that it tells of. */
import type { Request, Response } from 'express';
import type { Page } from './page.ts';
import { problem } from './problem.ts';

export function sendPage(req: Request, res: Response, page: Page): void {
  res.set('Cache-Control', 'no-store');
  if (page.retryAfter !== undefined) res.set('Retry-After', String(page.retryAfter));
  if (req.accepts(['html', 'json']) === 'json') problem(res, page.status, page.detail);
  else res.status(page.status).type('html').send(page.body);
}
