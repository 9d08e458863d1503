/** Errors over HTTP: problem documents, RFC 9457. */
import { STATUS_CODES } from 'node:http';
import type { Response } from 'express';

/** Ends `res` with a problem document; `more` are its extension members (section 3.2). */
export function problem(
  res: Response,
  status: number,
  detail: string,
  more: Readonly<Record<string, unknown>> = {},
): void {
  res
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, ...more }));
}
