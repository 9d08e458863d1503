/** Serves declared routes over HTTP: who asks, and how much; `serve.ts` does the rest. */
import { json, type Request, type Response, Router } from 'express';
import type { Principal } from '../domain/access.ts';
import { problem } from '../web/problem.ts';
import { type ClientLimits, limitOfClient, slowGuesses } from './client-limits.ts';
import { BASE, openApiDocument } from './document.ts';
import type { Answer, Route } from './route.ts';
import { answerTo, type ServeDeps } from './serve.ts';

export interface RouterDeps extends ServeDeps {
  readonly routes: readonly Route[];
  readonly version: string;
  /** Who a request comes from; undefined: nobody that is known. */
  authenticate(req: Request): Promise<Principal | undefined>;
  readonly limits: ClientLimits;
}

/** Reads `Authorization: Bearer …`. */
export function bearer(
  whose: (token: string) => Promise<Principal | undefined>,
): (req: Request) => Promise<Principal | undefined> {
  return (req) => whose(/^Bearer (.+)$/.exec(req.get('Authorization') ?? '')?.[1] ?? '');
}

/** Bytes of a request's body. */
const BODY_MAX = '256kb';

export function apiRouter(deps: RouterDeps): Router {
  const router = Router();
  const document = openApiDocument(deps.routes, deps.version);
  router.get(`${BASE}/openapi.json`, (_req, res) => void res.json(document));
  const guesses = slowGuesses(deps.limits.guesses);
  router.use(BASE, guesses.limit);
  router.use(BASE, async (req, res, next) => {
    const principal = await deps.authenticate(req);
    if (!principal) return unknown(res);
    guesses.letIn(req);
    res.locals.principal = principal;
    next();
  });
  router.use(BASE, limitOfClient(deps.limits.requests));
  router.use(BASE, json({ limit: BODY_MAX }));
  for (const one of deps.routes) {
    router[one.method](`${BASE}${one.path.replaceAll(/\{(\w+)\}/g, ':$1')}`, async (req, res) => {
      const { params, query, body } = req;
      const principal = res.locals.principal as Principal;
      const again = () => deps.authenticate(req);
      send(res, await answerTo(deps, one, { principal, again, params, query, body, req, res }));
    });
  }
  for (const [path, methods] of methodsByPath(deps.routes)) {
    router.all(`${BASE}${path.replaceAll(/\{(\w+)\}/g, ':$1')}`, (_req, res) => {
      res.set('Allow', methods.join(', ').toUpperCase());
      problem(res, 405, `Here there is only ${methods.join(', ').toUpperCase()}.`);
    });
  }
  router.use(BASE, (_req, res) => problem(res, 404, 'There is no such resource.'));
  return router;
}

function send(res: Response, answer: Answer | undefined): void {
  if (!answer) return;
  res.status(answer.status);
  if (answer.status >= 400) res.type('application/problem+json').send(JSON.stringify(answer.body));
  else if (answer.body === undefined) res.end();
  else res.json(answer.body);
}

function unknown(res: Response): void {
  res.set('WWW-Authenticate', 'Bearer realm="treehouse"');
  problem(res, 401, 'The API needs a token: Authorization: Bearer …');
}

function methodsByPath(routes: readonly Route[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { path, method } of routes) found.set(path, [...(found.get(path) ?? []), method]);
  return found;
}
