/** One request of a declared route, whoever brings it: whether they may, whether it is whole, the handler, the trail. */
import type { Request, Response } from 'express';
import { isAllowed, type Principal, reaches } from '../domain/access.ts';
import { parsePreviewId } from '../domain/names.ts';
import type { Clock, Repository, Store } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { Trail, TrailEntry } from '../domain/trail.ts';
import { webSocketOf } from '../web/upgrades.ts';
import { once, type Replays } from './once.ts';
import { type Fault, parse, type Said } from './parse.ts';
import { type Answer, type Route, refusal } from './route.ts';

export interface ServeDeps {
  readonly store: Pick<Store, 'record'>;
  repositories(): readonly Repository[];
  readonly replays: Replays;
  readonly trail: Pick<Trail, 'note'>;
  readonly clock: Clock;
}

/** Who asks, and what. */
export interface Asking extends Said {
  readonly principal: Principal;
  /** Who asks by now: a token can end before the answer does. */
  again?(): Promise<Principal | undefined>;
  readonly req: Request;
  readonly res: Response;
}

/** @returns undefined where the handler wrote the answer itself. */
export async function answerTo(deps: ServeDeps, one: Route, asking: Asking): Promise<Answer | undefined> {
  const { principal, req, res } = asking;
  if (!isAllowed(principal, one.needs)) {
    return refusal(403, `This takes a token that may ${one.needs}; ${principal.name} is a ${principal.role}.`);
  }
  const about = await aboutOf(deps, one, asking);
  if (about === NOT_REACHED) return refusal(403, 'This is of the whole host, and the token reaches some repositories.');
  if (about === NOT_FOUND) return notFound(one);
  const parsed = parse(one, asking);
  if ('faults' in parsed) {
    const isNowhere = parsed.faults.some((fault) => fault.in === 'path');
    return isNowhere ? refusal(404, 'There is no such resource.') : badRequest(parsed.faults);
  }
  const accept = webSocketOf(req);
  if (one.isWebSocket && !accept) {
    res.set('Upgrade', 'websocket');
    return refusal(426, 'This goes over a WebSocket; treehouse exec speaks it.');
  }
  // Browsers send what they keep of us with a WebSocket of any page.
  if (one.isWebSocket && isForeign(req)) return refusal(403, 'A page of another site may not do this.');
  const call = {
    ...parsed.values,
    ...{ principal, about: about as never, signal: whileOpen(res), req, res },
    accept: accept ?? (() => Promise.reject(new Error('nobody asked for a WebSocket'))),
    isStillAllowed: async () => {
      const now = asking.again ? await asking.again() : principal;
      if (now === undefined || !isAllowed(now, one.needs)) return false;
      return (await aboutOf(deps, one, { ...asking, principal: now })) !== NOT_FOUND;
    },
  };
  if (one.method === 'get') return one.handle(call);
  const act = async (): Promise<Answer | undefined> => {
    const answer = await one.handle(call);
    if (one.act === undefined) return answer;
    const status = answer?.status ?? res.statusCode;
    await deps.trail.note({
      at: deps.clock.now(),
      who: principal.name,
      token: principal.id,
      act: one.act,
      ...subjectOf(about, one, asking),
      status,
    });
    return answer;
  };
  return once(deps.replays, one, { req, principal }, act);
}

const NOT_FOUND = Symbol('not found');
const NOT_REACHED = Symbol('not reached');

/** What is out of reach is not told from what is not there. */
async function aboutOf(
  deps: ServeDeps,
  one: Route,
  { params, principal }: Asking,
): Promise<PreviewRecord | Repository | undefined | typeof NOT_FOUND | typeof NOT_REACHED> {
  switch (one.scope) {
    case 'reachable':
      return undefined;
    case 'host':
      return reaches(principal) ? undefined : NOT_REACHED;
    case 'preview': {
      const id = parsePreviewId(String(params.id));
      const record = id && (await deps.store.record(id));
      return record && reaches(principal, record.repository) ? record : NOT_FOUND;
    }
    case 'repository': {
      const name = `${params.owner}/${params.name}`;
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
  one: Route,
  { params }: Said,
): Pick<TrailEntry, 'to' | 'repository' | 'preview'> {
  if (!about) return { to: one.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => String(params[name])) };
  if ('id' in about) return { to: about.id, repository: about.repository, preview: about.id };
  return { to: about.name, repository: about.name };
}

function badRequest(errors: readonly Fault[]): Answer {
  const first = errors[0];
  const where = first ? `${first.in}${first.path === '' ? '' : ` ${first.path}`}: ${first.message}` : '';
  const more = errors.length > 1 ? `, and ${errors.length - 1} more` : '';
  return refusal(400, `The request cannot be taken: ${where}${more}.`, { errors });
}

function notFound(one: Route): Answer {
  return refusal(
    404,
    one.scope === 'preview' ? 'There is no preview with this id.' : 'There is no repository of this name.',
  );
}

/** Whether a browser says that a page from elsewhere asks. */
function isForeign(req: Request): boolean {
  const origin = req.get('Origin');
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === req.get('Host'));
}

/** Aborted once the client has gone. */
export function whileOpen(res: Response): AbortSignal {
  const controller = new AbortController();
  res.once('close', () => controller.abort());
  return controller.signal;
}
