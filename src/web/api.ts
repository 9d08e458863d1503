/** `/api/v1`: what runs, what was built, and a few acts; for the command line and whoever holds the admin's token. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Request, type RequestHandler, Router } from 'express';
import type { BuildEvent } from '../domain/events.ts';
import { type BuildId, type PreviewId, parsePreviewId } from '../domain/names.ts';
import type { Hints, Pins, Store } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { Sweep } from '../domain/sweep.ts';
import { problem } from './problem.ts';

export interface ApiDeps {
  readonly store: Pick<Store, 'record' | 'records' | 'requestRedeploy' | 'requestReset' | 'wantRest'> & BuildReader;
  readonly hints: Hints;
  readonly pins: Pins;
  /** Resolves once it is sure to be woken. */
  wake(id: PreviewId): Promise<void>;
  readonly sweep: Sweep;
  readonly adminToken: string;
}

interface BuildReader {
  builds(preview: PreviewId): Promise<readonly BuildId[]>;
  read(
    preview: PreviewId,
    build: BuildId,
    page: { readonly after?: string; readonly count: number },
  ): Promise<readonly { readonly cursor: string; readonly event: BuildEvent }[]>;
}

/** A preview as the API shows it. */
export interface PreviewView {
  readonly id: PreviewId;
  readonly repository: string;
  readonly branch: string;
  readonly state: PreviewRecord['state'];
  readonly reason: string;
  readonly changedAt: string;
  readonly url: string | null;
  readonly urls: readonly string[];
  readonly commit: string | null;
  readonly since: string | null;
  /** Its place among those that wait to be built or woken, from 1; `reason` says for what. */
  readonly position: number | null;
  /** Seconds until its turn, where that can be told. */
  readonly about: number | null;
  /** Neither idleness nor time nor a limit ends it. */
  readonly pinned: boolean;
  /** When it goes because nobody uses it, from some time before. */
  readonly expiresAt: string | null;
  readonly build: BuildView | null;
}

export interface BuildView {
  readonly id: BuildId;
  readonly commit: string;
  readonly startedAt: string;
  readonly stage: string | null;
  readonly stages: Readonly<Record<string, number | null>>;
  readonly outcome: string | null;
  readonly message: string | null;
}

/** What can be asked for one preview. */
export type PreviewAct = 'redeploy' | 'reset' | 'sleep' | 'wake' | 'pin' | 'unpin';

const PAGE = 1_000;

export function apiRouter(deps: ApiDeps): Router {
  const router = Router();
  router.use('/api/v1', requireToken(deps.adminToken));
  router.get('/api/v1/previews', async (req, res) => {
    const [records, pins] = await Promise.all([deps.store.records(), deps.pins.all()]);
    const all = records.filter((one) => req.query.all === 'true' || one.state !== 'removed');
    res.json({ previews: all.sort((a, b) => (a.id < b.id ? -1 : 1)).map((one) => view(one, pins)) });
  });
  router.get('/api/v1/previews/:id', async (req, res) => {
    const record = await find(deps, req);
    if (!record) return notFound(res);
    const [pins, builds] = await Promise.all([deps.pins.all(), deps.store.builds(record.id)]);
    res.json({ ...view(record, pins), builds });
  });
  router.get('/api/v1/previews/:id/builds/:build/events', async (req, res) => {
    const record = await find(deps, req);
    const build = String(req.params.build);
    if (!record || !/^[a-z0-9]{1,20}$/.test(build)) return notFound(res);
    const after =
      typeof req.query.after === 'string' && /^\d+-\d+$/.test(req.query.after) ? req.query.after : undefined;
    const events = await deps.store.read(record.id, build as BuildId, {
      count: PAGE,
      ...(after === undefined ? {} : { after }),
    });
    res.json({
      events: events.map((one) => ({ cursor: one.cursor, ...one.event })),
      next: events.at(-1)?.cursor ?? after ?? null,
    });
  });
  const acts: Readonly<Record<PreviewAct, (id: PreviewId) => Promise<unknown>>> = {
    redeploy: (id) => deps.store.requestRedeploy(id).then(() => deps.hints.hint(id)),
    reset: (id) => deps.store.requestReset(id).then(() => deps.hints.hint(id)),
    sleep: (id) => deps.store.wantRest(id, true).then(() => deps.hints.hint(id)),
    wake: (id) => deps.wake(id),
    pin: (id) => deps.pins.pin(id),
    unpin: (id) => deps.pins.unpin(id),
  };
  for (const [name, act] of Object.entries(acts)) {
    router.post(`/api/v1/previews/:id/${name}`, async (req, res) => {
      const record = await find(deps, req);
      if (!record) return notFound(res);
      await act(record.id);
      res.status(202).json({ hinted: record.id });
    });
  }
  // What a sweep would do, and doing it.
  router.get('/api/v1/sweep', async (_req, res) => void res.json(await deps.sweep({ dryRun: true })));
  router.post('/api/v1/sweep', async (_req, res) => void res.json(await deps.sweep({ dryRun: false })));
  router.use('/api/v1', (_req, res) => problem(res, 404, 'There is no such resource.'));
  return router;
}

async function find(deps: ApiDeps, req: Request): Promise<PreviewRecord | undefined> {
  const id = parsePreviewId(String(req.params.id));
  return id ? deps.store.record(id) : undefined;
}

function notFound(res: Parameters<RequestHandler>[1]): void {
  problem(res, 404, 'There is no preview with this id.');
}

/** Compares hashes, so that neither length nor content shows in the time it takes. */
function requireToken(token: string): RequestHandler {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return (req, res, next) => {
    const given = /^Bearer (.+)$/.exec(req.get('Authorization') ?? '')?.[1] ?? '';
    if (given !== '' && timingSafeEqual(digest(given), expected)) return next();
    res.set('WWW-Authenticate', 'Bearer realm="treehouse"');
    problem(res, 401, 'The API needs the admin token: Authorization: Bearer …');
  };
}

function view(record: PreviewRecord, pins: ReadonlySet<PreviewId>): PreviewView {
  const { serving, attempt, wait } = record;
  return {
    id: record.id,
    repository: record.repository,
    branch: record.branch,
    state: record.state,
    reason: record.reason,
    changedAt: time(record.changedAt),
    url: record.urls[0] ?? null,
    urls: record.urls,
    commit: serving?.commit ?? null,
    since: serving ? time(serving.since) : null,
    position: wait?.position ?? null,
    about: wait?.aboutMs === undefined ? null : Math.round(wait.aboutMs / 1_000),
    pinned: pins.has(record.id),
    expiresAt: record.expiresAt === undefined ? null : time(record.expiresAt),
    build: attempt
      ? {
          id: attempt.build,
          commit: attempt.commit,
          startedAt: time(attempt.startedAt),
          stage: attempt.stage ?? null,
          stages: Object.fromEntries(Object.entries(attempt.stages).map(([name, one]) => [name, one?.ms ?? null])),
          outcome: attempt.outcome ?? null,
          message: attempt.message ?? null,
        }
      : null,
  };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
