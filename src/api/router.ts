/** Serves declared routes: who asks, whether they may, whether the request is whole; then the handler. */
import { json, type Request, type Response, Router } from 'express';
import { isAllowed, type Principal, reaches } from '../domain/access.ts';
import { parsePreviewId } from '../domain/names.ts';
import type { Clock, Repository, Store } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { Trail, TrailEntry } from '../domain/trail.ts';
import { problem } from '../web/problem.ts';
import { type ClientLimits, limitOfClient, slowGuesses } from './client-limits.ts';
import { BASE, openApiDocument } from './document.ts';
import { once, type Replays } from './once.ts';
import { type Fault, parse } from './parse.ts';
import type { Answer, Route } from './route.ts';

export interface RouterDeps {
  readonly routes: readonly Route[];
  readonly version: string;
  /** Who a request comes from; undefined: nobody that is known. */
  authenticate(req: Request): Promise<Principal | undefined>;
  readonly store: Pick<Store, 'record'>;
  repositories(): readonly Repository[];
  readonly replays: Replays;
  readonly trail: Pick<Trail, 'note'>;
  readonly clock: Clock;
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
    router[one.method](`${BASE}${one.path.replaceAll(/\{(\w+)\}/g, ':$1')}`, (req, res) => serve(deps, one, req, res));
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

/** One request of a declared route, from the path's words to the answer. */
async function serve(deps: RouterDeps, one: Route, req: Request, res: Response): Promise<void> {
  const principal = res.locals.principal as Principal;
  if (!isAllowed(principal, one.needs)) {
    return problem(res, 403, `This takes a token that may ${one.needs}; ${principal.name} is a ${principal.role}.`);
  }
  const about = await aboutOf(deps, one, req, principal);
  if (about === NOT_REACHED)
    return problem(res, 403, 'This is of the whole host, and the token reaches some repositories.');
  if (about === NOT_FOUND) return notFound(res, one);
  const parsed = parse(one, req);
  if ('faults' in parsed) {
    const isNowhere = parsed.faults.some((fault) => fault.in === 'path');
    return isNowhere ? problem(res, 404, 'There is no such resource.') : badRequest(res, parsed.faults);
  }
  const call = {
    ...parsed.values,
    ...{ principal, about: about as never, signal: whileOpen(res), req, res },
  };
  if (one.method === 'get') return send(res, await one.handle(call));
  const act = async (): Promise<Answer | undefined> => {
    const answer = await one.handle(call);
    if (one.act === undefined) return answer;
    const status = answer?.status ?? res.statusCode;
    await deps.trail.note({
      at: deps.clock.now(),
      who: principal.name,
      token: principal.id,
      act: one.act,
      ...subjectOf(about, req),
      status,
    });
    return answer;
  };
  send(res, await once(deps.replays, one, { req, principal }, act));
}

const NOT_FOUND = Symbol('not found');
const NOT_REACHED = Symbol('not reached');

/** What is out of reach is not told from what is not there. */
async function aboutOf(
  deps: RouterDeps,
  one: Route,
  req: Request,
  principal: Principal,
): Promise<PreviewRecord | Repository | undefined | typeof NOT_FOUND | typeof NOT_REACHED> {
  switch (one.scope) {
    case 'reachable':
      return undefined;
    case 'host':
      return reaches(principal) ? undefined : NOT_REACHED;
    case 'preview': {
      const id = parsePreviewId(String(req.params.id));
      const record = id && (await deps.store.record(id));
      return record && reaches(principal, record.repository) ? record : NOT_FOUND;
    }
    case 'repository': {
      const name = `${req.params.owner}/${req.params.name}`;
      const found = deps.repositories().find((repository) => repository.name.toLowerCase() === name.toLowerCase());
      return found && reaches(principal, found.name) ? found : NOT_FOUND;
    }
    default:
      return one.scope satisfies never;
  }
}

/** What the act was done to. */
function subjectOf(
  about: PreviewRecord | Repository | undefined,
  req: Request,
): Pick<TrailEntry, 'to' | 'repository' | 'preview'> {
  if (!about) return { to: req.path.slice(BASE.length) };
  if ('id' in about) return { to: about.id, repository: about.repository, preview: about.id };
  return { to: about.name, repository: about.name };
}

function send(res: Response, answer: Answer | undefined): void {
  if (!answer) return;
  res.status(answer.status);
  if (answer.status >= 400) res.type('application/problem+json').send(JSON.stringify(answer.body));
  else if (answer.body === undefined) res.end();
  else res.json(answer.body);
}

function badRequest(res: Response, errors: readonly Fault[]): void {
  const first = errors[0];
  const where = first ? `${first.in}${first.path === '' ? '' : ` ${first.path}`}: ${first.message}` : '';
  const more = errors.length > 1 ? `, and ${errors.length - 1} more` : '';
  problem(res, 400, `The request cannot be taken: ${where}${more}.`, { errors });
}

function notFound(res: Response, one: Route): void {
  problem(
    res,
    404,
    one.scope === 'preview' ? 'There is no preview with this id.' : 'There is no repository of this name.',
  );
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

function whileOpen(res: Response): AbortSignal {
  const controller = new AbortController();
  res.once('close', () => controller.abort());
  return controller.signal;
}
