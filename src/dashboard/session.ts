/** Who looks at the dashboard: the cookie, and what keeps other sites' pages, a preview's among them, from using it. */
import type { Request, RequestHandler, Response } from 'express';
import { formToken, isFormToken, type SignIns } from '../access/sessions.ts';
import type { Principal } from '../domain/access.ts';
import { isLoopback } from '../domain/loopback.ts';

export interface Session {
  readonly id: string;
  readonly principal: Principal;
}

/** By TLS the cookie's name says that no other host set it: previews may be hosts below the same domain. */
const COOKIE = { tls: '__Host-treehouse', plain: 'treehouse' } as const;

/** Whether the browser's side is TLS; a proxy in front says so. Who lies about it harms nobody but himself. */
export function isTls(req: Request): boolean {
  return req.secure || req.get('X-Forwarded-Proto')?.split(',')[0]?.trim() === 'https';
}

/** Whether a session may be carried over this connection. */
export function isPrivate(req: Request): boolean {
  return isTls(req) || isLoopback(req.hostname ?? '');
}

export function setCookie(req: Request, res: Response, id: string): void {
  const tls = isTls(req);
  res.cookie(tls ? COOKIE.tls : COOKIE.plain, id, { httpOnly: true, sameSite: 'lax', secure: tls, path: '/' });
}

export function clearCookie(req: Request, res: Response): void {
  const tls = isTls(req);
  res.clearCookie(tls ? COOKIE.tls : COOKIE.plain, { httpOnly: true, sameSite: 'lax', secure: tls, path: '/' });
}

/** The id that the cookie holds; a plain one counts for nothing behind TLS. */
export function sessionId(req: Request): string | undefined {
  const name = isTls(req) ? COOKIE.tls : COOKIE.plain;
  for (const part of (req.get('Cookie') ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}

/** Of a request that passed `signedIn`. */
export function sessionOf(res: Response): Session {
  return res.locals.session as Session;
}

/** What a form carries, so that no other page can send one. */
export function formTokenOf(res: Response): string {
  return formToken(sessionOf(res).id);
}

/** Lets only who is signed in pass; `otherwise` answers the rest. */
export function signedIn(signIns: SignIns, otherwise: RequestHandler): RequestHandler {
  return async (req, res, next) => {
    const id = isPrivate(req) ? sessionId(req) : undefined;
    const principal = id === undefined ? undefined : await signIns.know(id);
    if (id === undefined || !principal) return otherwise(req, res, next);
    res.locals.session = { id, principal } satisfies Session;
    next();
  };
}

/** Whether a request was sent by a page of the dashboard itself, as far as the browser tells. */
export function isOwnPage(req: Request): boolean {
  const site = req.get('Sec-Fetch-Site');
  if (site !== undefined) return site === 'same-origin' || (site === 'none' && req.method === 'GET');
  const origin = req.get('Origin');
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === req.get('Host');
}

/** Whether a form is one that this session was given. */
export function isOwnForm(req: Request, res: Response): boolean {
  const given = req.get('X-Treehouse-Form') ?? (req.body as { form?: unknown } | undefined)?.form;
  return isOwnPage(req) && typeof given === 'string' && isFormToken(sessionOf(res).id, given);
}
