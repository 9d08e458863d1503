/** The dashboard: pages for whoever signed in with a token, drawn from the API's own routes. */

import type { Queue } from 'bullmq';
import compression from 'compression';
import { type NextFunction, type Request, type RequestHandler, type Response, Router, urlencoded } from 'express';
import helmet from 'helmet';
import type { SignIns } from '../access/sessions.ts';
import type { Route } from '../api/route.ts';
import type { ServeDeps } from '../api/serve.ts';
import { isAllowed, reaches } from '../domain/access.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { asker } from './ask.ts';
import { openAssets } from './assets.ts';
import { refusing } from './fault-page.tsx';
import { type PageRouteDeps, pageRoutes } from './page-routes.tsx';
import { type PreviewRouteDeps, previewRoutes } from './preview-routes.tsx';
import { RAW_QUEUE, rawQueueRouter } from './raw-queue.ts';
import { formTokenOf, isOwnPage, type Session, sessionOf, signedIn } from './session.ts';
import { type Frame, page } from './shell.tsx';
import { signInRouter, signOut } from './sign-in.tsx';

type Given = 'asks' | 'show' | 'open';
type DashboardDeps = Omit<PageRouteDeps, Given> & Omit<PreviewRouteDeps, Given> & Own;

interface Own {
  readonly serve: ServeDeps;
  readonly routes: readonly Route[];
  readonly signIns: SignIns;
  /** Folder of style and script. */
  readonly assets: string;
  /** Of previews; the dashboard is no host below it but `adminHost`. */
  readonly domain: string;
  readonly adminHost: string | undefined;
  /** Wrong tokens from one address in a minute. */
  readonly guesses: number;
  queue(): Promise<Queue>;
}

/** Sends a page to whoever asks. */
export type Show = (
  req: Request,
  res: Response,
  frame: Omit<Frame, 'reader'> & { readonly status?: number },
  content: JSX.Element,
) => void;

/** Begins a stream that ends with the reader, or with their session. */
export type Open = (res: Response) => AbortSignal;

const BODY_MAX = '16kb';
/** A session that ended, or whose token did, is noticed by open pages this soon. */
const STILL_MS = 10_000;

export function dashboardRouter(deps: DashboardDeps): Router {
  const { signIns, serve } = deps;
  const assets = openAssets(deps.assets);
  const asks = asker(serve, deps.routes);
  const show: Show = (_req, res, { status = 200, ...frame }, content) => {
    const session = res.locals.session as Session | undefined;
    const reader = session && { principal: session.principal, form: formTokenOf(res) };
    res
      .status(status)
      .type('html')
      .send(page(assets, { ...frame, reader }, content));
  };
  const open: Open = (res) => {
    const over = new AbortController();
    const { id } = sessionOf(res);
    const look = async () => {
      const principal = await signIns.know(id, { isUsed: false }).catch(() => sessionOf(res).principal);
      if (!principal) over.abort();
    };
    const timer = setInterval(() => void look(), STILL_MS);
    over.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
    res.once('close', () => over.abort());
    return over.signal;
  };
  const refuse = refusing(show);

  const router = Router();
  router.use(['/assets', ...PATHS], compression({ filter: isPacked, level: 3 }));
  router.use(assets.router);
  router.use(PATHS, headers(), noStore, (req, res, next) => {
    const host = (req.hostname ?? '').toLowerCase();
    if (host.endsWith(`.${deps.domain}`) && host !== deps.adminHost) {
      const wayOut = `set TREEHOUSE_ADMIN_HOST=${host}, so that no branch gets the name`;
      return refuse(req, res, {
        status: 421,
        detail: `${host} could be a preview's: ${wayOut}, or come by another name.`,
      });
    }
    const isPage = req.get('Sec-Fetch-Mode') === 'navigate' || req.method !== 'GET';
    if (!isPage && !isOwnPage(req)) return refuse(req, res, { status: 403, detail: 'Another site asked for this.' });
    next();
  });
  router.use(['/sign-in', '/sign-out', '/previews'], urlencoded({ extended: false, limit: BODY_MAX }));
  const { trail, clock } = serve;
  router.use(signInRouter({ signIns, assets, trail, clock, guesses: deps.guesses }));
  router.use(PATHS, signedIn(signIns, toSignIn));
  router.post('/sign-out', signOut({ signIns, trail, clock }));
  const common = { ...deps, asks, show, open };
  router.use(previewRoutes(common));
  router.use(RAW_QUEUE, forWholeAdmins(refuse), rawQueueRouter(deps.queue));
  router.use(pageRoutes(common));
  router.use(PATHS.slice(1), (req, res) => refuse(req, res, { status: 404, detail: 'There is no such page.' }));
  router.use(PATHS, (error: unknown, req: Request, res: Response, next: NextFunction) => {
    // What nobody foresaw is the server's to log and to answer.
    if (res.headersSent || !(error instanceof TreehouseError) || error.kind !== 'transient') return next(error);
    refuse(req, res, { status: 503, detail: messageOf(error) });
  });
  return router;
}

/** All that is the dashboard's; the rest of the server has answers of its own. */
const PATHS = [/^\/$/, '/sign-in', '/sign-out', '/live', '/previews', '/queue', '/host', '/trail', '/repositories'];

function headers(): RequestHandler {
  return helmet({
    // Without it forms are sent with `Origin: null`, and where they come from cannot be told.
    referrerPolicy: { policy: 'same-origin' },
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        ...{ defaultSrc: ["'none'"], scriptSrc: ["'self'"], styleSrc: ["'self'"], imgSrc: ["'self'"] },
        ...{ connectSrc: ["'self'"], formAction: ["'self'"], baseUri: ["'none'"], frameAncestors: ["'none'"] },
      },
    },
  });
}

/** A stream that is packed would be held back. */
function isPacked(req: Request, res: Response): boolean {
  return !String(res.getHeader('Content-Type')).startsWith('text/event-stream') && compression.filter(req, res);
}

const noStore: RequestHandler = (_req, res, next) => {
  res.set('Cache-Control', 'no-store');
  next();
};

/** Pages send the reader to sign in; what a page asks for beside is told so, and the page does. */
const toSignIn: RequestHandler = (req, res) => {
  if (req.get('HX-Request') !== undefined) return void res.set('HX-Redirect', '/sign-in').status(401).end();
  if (req.method !== 'GET' || req.accepts(['html', 'text/event-stream']) === 'text/event-stream') {
    return void res.status(401).end();
  }
  const next = req.originalUrl === '/' ? '' : `?next=${encodeURIComponent(req.originalUrl)}`;
  res.redirect(303, `/sign-in${next}`);
};

function forWholeAdmins(refuse: ReturnType<typeof refusing>): RequestHandler {
  return (req, res, next) => {
    const { principal } = sessionOf(res);
    if (isAllowed(principal, 'administer') && reaches(principal)) return next();
    refuse(req, res, { status: 403, detail: 'The raw queue is for admins who reach all repositories.' });
  };
}
