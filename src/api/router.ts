/** Serves declared routes: who asks, whether they may, whether the request is whole; then the handler. */
import { createHash } from 'node:crypto';
import { json, type Request, type Response, Router } from 'express';
import { rateLimit } from 'express-rate-limit';
import type { z } from 'zod';
import { isAllowed, type Principal, reaches } from '../domain/access.ts';
import { parsePreviewId } from '../domain/names.ts';
import type { Clock, Repository, Store } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { Trail, TrailEntry } from '../domain/trail.ts';
import { problem } from '../web/problem.ts';
import { BASE, openApiDocument } from './document.ts';
import { type Answer, type Route, refusal } from './route.ts';

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

/** In a minute. */
export interface ClientLimits {
  /** Requests of one token. */
  readonly requests: number;
  /** Wrong tokens from one address. */
  readonly guesses: number;
}

/** Answers by Idempotency-Key, kept for a day. */
export interface Replays {
  /** Claims a key for a request; else what became of the one that has it: its answer, or that it is under way or was another one. */
  claim(key: string, fingerprint: string): Promise<'mine' | 'busy' | 'other' | Answer>;
  keep(key: string, answer: Answer): Promise<void>;
  /** The request came to nothing: it may be tried again. */
  release(key: string): Promise<void>;
}

/** Reads `Authorization: Bearer …`. */
export function bearer(
  whose: (token: string) => Promise<Principal | undefined>,
): (req: Request) => Promise<Principal | undefined> {
  return (req) => whose(/^Bearer (.+)$/.exec(req.get('Authorization') ?? '')?.[1] ?? '');
}

const MINUTE_MS = 60_000;
/** Tokens that are remembered as good. */
const GOOD_MAX = 1_000;
/** Bytes of a request's body. */
const BODY_MAX = '256kb';

export function apiRouter(deps: RouterDeps): Router {
  const router = Router();
  const document = openApiDocument(deps.routes, deps.version);
  router.get(`${BASE}/openapi.json`, (_req, res) => void res.json(document));
  const good = new Set<string>();
  router.use(BASE, guessing(good, deps.limits.guesses));
  router.use(BASE, async (req, res, next) => {
    const principal = await deps.authenticate(req);
    if (!principal) return unknown(res);
    if (good.size >= GOOD_MAX) good.clear();
    good.add(credentialOf(req));
    res.locals.principal = principal;
    next();
  });
  router.use(BASE, ofClient(deps.limits.requests));
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
      act: one.act,
      ...subjectOf(about, req),
      status,
    });
    return answer;
  };
  send(res, await once(deps, one, { req, principal }, act));
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

interface Fault {
  readonly in: 'path' | 'query' | 'body';
  readonly path: string;
  readonly message: string;
}

type Parsed =
  | { readonly values: { readonly params: unknown; readonly query: unknown; readonly body: unknown } }
  | { readonly faults: readonly Fault[] };

/** All faults at once. What a route does not declare is a fault too: a misspelt filter would show everything. */
function parse(one: Route, req: Request): Parsed {
  const faults: Fault[] = [];
  const read = (where: Fault['in'], schema: z.ZodType | undefined, value: unknown): unknown => {
    if (!schema) {
      for (const key of Object.keys((value ?? {}) as object)) {
        if (where === 'query') faults.push({ in: where, path: key, message: 'there is no such parameter' });
      }
      return undefined;
    }
    const result = schema.safeParse(value);
    for (const issue of result.error?.issues ?? []) {
      faults.push({ in: where, path: issue.path.join('.'), message: issue.message });
    }
    return result.data;
  };
  const values = {
    params: read('path', one.params, req.params),
    query: read('query', one.query, req.query),
    body: read('body', one.body, req.body as unknown),
  };
  return faults.length > 0 ? { faults } : { values };
}

const SHOWN_ONCE = refusal(409, 'This was done before, and its answer is shown once.');

/** Runs the act at most once for each Idempotency-Key of a client. */
async function once(
  deps: RouterDeps,
  one: Route,
  { req, principal }: { readonly req: Request; readonly principal: Principal },
  act: () => Promise<Answer | undefined>,
): Promise<Answer | undefined> {
  const given = req.get('Idempotency-Key');
  if (given === undefined) return act();
  if (!/^[\x21-\x7e]{1,128}$/.test(given)) return refusal(400, 'Idempotency-Key is 1 to 128 visible characters.');
  const key = sha256(`${principal.name}\n${given}`);
  const fingerprint = sha256(`${req.method} ${req.originalUrl}\n${JSON.stringify(req.body ?? null)}`);
  const claimed = await deps.replays.claim(key, fingerprint);
  if (claimed === 'busy') return refusal(409, 'A request with this Idempotency-Key is under way.');
  if (claimed === 'other') return refusal(409, 'This Idempotency-Key was used for another request.');
  if (claimed !== 'mine') return claimed;
  try {
    const answer = await act();
    if (answer) await deps.replays.keep(key, one.isSecret ? SHOWN_ONCE : answer);
    return answer;
  } catch (error) {
    await deps.replays.release(key);
    throw error;
  }
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

/** By what a request says who it is from; hashed, since it is kept. */
function credentialOf(req: Request): string {
  return sha256(req.get('Authorization') ?? '');
}

/** Slows who tries tokens: only answers of 401 count, and who was let in before goes on beside one that guesses. */
function guessing(good: ReadonlySet<string>, limit: number): ReturnType<typeof rateLimit> {
  return rateLimit({
    windowMs: MINUTE_MS,
    limit,
    standardHeaders: false,
    legacyHeaders: false,
    skip: (req) => good.has(credentialOf(req)),
    requestWasSuccessful: (_req, res) => res.statusCode !== 401,
    skipSuccessfulRequests: true,
    handler: tooMany,
  });
}

function ofClient(limit: number): ReturnType<typeof rateLimit> {
  return rateLimit({
    windowMs: MINUTE_MS,
    limit,
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    keyGenerator: (_req, res) => (res.locals.principal as Principal).name,
    handler: tooMany,
  });
}

/** express-rate-limit has said Retry-After by then. */
function tooMany(_req: Request, res: Response): void {
  problem(res, 429, 'Too many requests: wait until Retry-After has passed.');
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

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
