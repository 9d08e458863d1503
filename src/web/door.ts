/** `/gateway/door`: who may not see a preview is sent here, and whatever is asked below `/.treehouse/` of a preview's host. */
import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { type Grant, PASS_COOKIE, signedPass } from '../access/pass.ts';
import { repositoryOf } from '../domain/guards.ts';
import type { LinkRecord } from '../domain/links.ts';
import { type PreviewId, parsePreviewId, type RepositoryName } from '../domain/names.ts';
import type { Clock, Repository } from '../domain/ports.ts';
import { doorPage, type Met } from './door-pages.ts';
import { fromGateway } from './from-gateway.ts';
import { previewsOf } from './gateway-page.ts';
import { hostLabel } from './host-label.ts';
import { sendPage } from './send-page.ts';

export interface DoorDeps {
  /** Signs passes, and shows that it is the gateway that asks. */
  readonly key: string;
  readonly domain: string;
  readonly clock: Clock;
  repositories(): readonly Pick<Repository, 'name' | 'slug' | 'access'>[];
  /** The link that a secret stands for, where it opens one of these previews now. */
  redeem(secret: string, previews: readonly PreviewId[]): Promise<LinkRecord | undefined>;
  /** The mark of the repository's password, where this is it. */
  knock(repository: RepositoryName, password: string): Promise<string | undefined>;
  readonly guesses: Guesses;
}

/** Wrong passwords in a minute. */
export interface Guesses {
  readonly ofAddress: number;
  /** Of all addresses together, for one repository. */
  readonly ofRepository: number;
}

/** What the gateway says of a request. */
interface Visit {
  readonly label: string | undefined;
  /** As the client wrote it. */
  readonly uri: string;
  readonly preview: PreviewId | undefined;
  readonly repository: ReturnType<DoorDeps['repositories']>[number] | undefined;
}

const PASSWORD_PATH = '/.treehouse/password';
const LINK_PATH = /^\/\.treehouse\/link\/([\w-]{1,100})\/?$/;
/** Of a password: whoever lost it is asked again some day. */
const PASS_MS = 7 * 86_400_000;
const MINUTE_MS = 60_000;
const FORM_MAX = '4kb';

export function doorRouter(deps: DoorDeps): Router {
  const router = Router();
  router.use('/gateway/door', fromGateway(deps.key), (_req, res, next) => {
    res.set(HEADERS);
    next();
  });
  router.post('/gateway/door', express.urlencoded({ extended: false, limit: FORM_MAX }), ...slowed(deps), (req, res) =>
    takePassword(deps, req, res),
  );
  router.all('/gateway/door', async (req, res) => {
    const visit = visitOf(deps, req);
    const secret = LINK_PATH.exec(pathOf(visit.uri))?.[1];
    if (secret !== undefined) return takeLink(deps, visit, secret, req, res);
    refuse(visit, 'nothing', req, res);
  });
  return router;
}

/** The page is of nobody else's making, shown nowhere else, and its address, which may be a link, is told to nobody. */
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'Referrer-Policy': 'no-referrer',
};

/** Wrong passwords alone count: who knows it is not kept out by who does not, unless they come from one place. */
function slowed(deps: DoorDeps): readonly RequestHandler[] {
  const common = {
    ...{ windowMs: MINUTE_MS, standardHeaders: false, legacyHeaders: false, skipSuccessfulRequests: true },
    requestWasSuccessful: (_req: Request, res: Response) => res.statusCode !== 403,
    handler: (req: Request, res: Response) => refuse(visitOf(deps, req), 'too many', req, res),
  };
  const of = (req: Request) => visitOf(deps, req).repository?.name ?? '';
  return [
    rateLimit({
      ...{ ...common, limit: deps.guesses.ofAddress },
      keyGenerator: (req) => `${of(req)} ${ipKeyGenerator(req.get('X-Real-IP') ?? '')}`,
    }),
    rateLimit({ ...common, limit: deps.guesses.ofRepository, keyGenerator: of }),
  ];
}

async function takePassword(deps: DoorDeps, req: Request, res: Response): Promise<void> {
  const visit = visitOf(deps, req);
  const { repository, label } = visit;
  const said = (req.body ?? {}) as { readonly password?: unknown; readonly to?: unknown };
  const to = ownPath(typeof said.to === 'string' ? said.to : '/');
  const isAsked = repository?.access?.mode === 'password' && pathOf(visit.uri) === PASSWORD_PATH;
  if (!isAsked || label === undefined) return refuse(visit, 'nothing', req, res);
  const password = typeof said.password === 'string' ? said.password : '';
  const mark = await deps.knock(repository.name, password);
  if (mark === undefined) return refuse({ ...visit, uri: to }, 'wrong password', req, res);
  letIn(deps, { label, grant: { password: mark }, endsAt: deps.clock.now() + PASS_MS, to }, req, res);
}

async function takeLink(deps: DoorDeps, visit: Visit, secret: string, req: Request, res: Response): Promise<void> {
  const { repository, label, preview } = visit;
  if (label === undefined || !repository) return refuse(visit, 'dead link', req, res);
  if (isPublic(repository)) return res.redirect(303, '/');
  const link = await deps.redeem(secret, preview ? [preview] : previewsOf(label));
  if (!link) return refuse(visit, 'dead link', req, res);
  letIn(deps, { label, grant: { link: link.id }, endsAt: link.expiresAt, to: '/' }, req, res);
}

function letIn(
  deps: DoorDeps,
  pass: { readonly label: string; readonly grant: Grant; readonly endsAt: number; readonly to: string },
  req: Request,
  res: Response,
): void {
  const seconds = Math.floor((pass.endsAt - deps.clock.now()) / 1000);
  const secure = req.get('X-Treehouse-Secure') === '1' ? '; Secure' : '';
  res.set(
    'Set-Cookie',
    `${PASS_COOKIE}=${signedPass(deps.key, pass)}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure}`,
  );
  res.set('Cache-Control', 'no-store').redirect(303, pass.to);
}

function refuse({ repository, uri }: Visit, met: Met, req: Request, res: Response): void {
  sendPage(req, res, doorPage(repository?.access?.mode ?? 'link', met, ownPath(uri)));
}

function visitOf(deps: DoorDeps, req: Request): Visit {
  const label = hostLabel(req.get('X-Treehouse-Host') ?? '', deps.domain);
  // A host of a service beside may not say whose it is: its route does.
  const preview = parsePreviewId(req.get('X-Treehouse-Preview') ?? '');
  const name = preview ?? label;
  return {
    ...{ label, preview, uri: req.get('X-Treehouse-Uri') ?? '/' },
    repository: name === undefined ? undefined : repositoryOf(deps.repositories(), name),
  };
}

function isPublic(repository: Pick<Repository, 'access'>): boolean {
  return (repository.access?.mode ?? 'public') === 'public';
}

function pathOf(uri: string): string {
  return uri.split('?', 1)[0] ?? '';
}

/** A path of the same host: `//elsewhere` and `/\\elsewhere` lead away, and what is below `/.treehouse/` is no place to be. */
function ownPath(text: string): string {
  const base = 'http://host.invalid';
  if (!text.startsWith('/') || !URL.canParse(text, base)) return '/';
  const url = new URL(text, base);
  if (url.origin !== base || url.pathname.startsWith('/.treehouse/') || url.pathname.startsWith('//')) return '/';
  return `${url.pathname}${url.search}`;
}
