/** The pages beside those of one preview: all previews, queue, host, repositories, trail. */
import { type Request, Router } from 'express';
import { sendStream } from '../api/stream.ts';
import { isAllowed, reaches } from '../domain/access.ts';
import type { PreviewId } from '../domain/names.ts';
import type { Clock } from '../domain/ports.ts';
import type { Asker } from './ask.ts';
import type { Open, Show } from './dashboard.ts';
import { refusing } from './fault-page.tsx';
import { HostPage } from './host-page.tsx';
import type { Hub } from './hub.ts';
import { h } from './markup.ts';
import { overviewOf, type PreviewsDeps, wordsOf } from './previews.ts';
import { PreviewsPage, previewsRegions } from './previews-page.tsx';
import { QueuePage, queueRegions } from './queue-page.tsx';
import { changes } from './regions.ts';
import { RepositoriesPage } from './repositories-page.tsx';
import type { Samples } from './samples.ts';
import { sessionOf } from './session.ts';
import { TrailPage } from './trail-page.tsx';

export interface PageRouteDeps extends PreviewsDeps {
  readonly hub: Hub;
  readonly samples: Pick<Samples, 'all'>;
  readonly clock: Clock;
  readonly asks: Asker;
  readonly show: Show;
  readonly open: Open;
}

/** Entries of the trail on a page. */
const TRAIL_PAGE = 100;

export function pageRoutes(deps: PageRouteDeps): Router {
  const { asks, show, hub, clock, open } = deps;
  const router = Router();

  const refuse = refusing(show);

  const seenIn = (req: Request) => (typeof req.query.seen === 'string' ? req.query.seen : undefined);

  router.get('/', async (req, res) => {
    void deps.facts.look();
    const overview = await overviewOf(deps, wordsOf(req.query), sessionOf(res).principal);
    if (typeof overview === 'string') return refuse(req, res, { status: 400, detail: overview });
    show(req, res, { title: 'Previews', current: '/' }, <PreviewsPage overview={overview} now={clock.now()} />);
  });

  router.get('/live', async (req, res) => {
    const signal = open(res);
    const words = wordsOf(req.query);
    const frames = changes(hub, signal, seenIn(req), async (changed: ReadonlySet<PreviewId>) => {
      void deps.facts.look();
      const overview = await overviewOf(deps, words, sessionOf(res).principal);
      return typeof overview === 'string' ? [] : previewsRegions(overview, clock.now(), changed);
    });
    await sendStream(res, frames, signal);
  });

  router.get('/queue', async (req, res) => {
    const { principal } = sessionOf(res);
    const told = await asks.ask('getQueue', { principal, req, res });
    if (!told.ok) return refuse(req, res, told);
    const isRaw = isAllowed(principal, 'administer') && reaches(principal);
    const content = <QueuePage queue={told.body} now={clock.now()} isRaw={isRaw} />;
    show(req, res, { title: 'Queue', current: '/queue' }, content);
  });

  router.get('/queue/live', async (req, res) => {
    const { principal } = sessionOf(res);
    const signal = open(res);
    const frames = changes(hub, signal, seenIn(req), async () => {
      const told = await asks.ask('getQueue', { principal, req, res });
      return told.ok ? queueRegions(told.body, clock.now()) : [];
    });
    await sendStream(res, frames, signal);
  });

  router.get('/host', async (req, res) => {
    const { principal } = sessionOf(res);
    // Others see what a host has, through the API; what it was used for is everybody's.
    const told = await asks.ask('getHost', { principal, req, res });
    if (!told.ok) return refuse(req, res, told);
    const content = <HostPage host={told.body} samples={deps.samples.all()} now={clock.now()} />;
    show(req, res, { title: 'Host', current: '/host' }, content);
  });

  router.get('/trail', async (req, res) => {
    const { principal } = sessionOf(res);
    const before = typeof req.query.before === 'string' ? { before: req.query.before } : {};
    const query = { ...before, limit: String(TRAIL_PAGE) };
    const told = await asks.ask('readTrail', { principal, req, res, query });
    if (!told.ok) return refuse(req, res, told);
    const content = <TrailPage entries={told.body.entries} count={TRAIL_PAGE} />;
    show(req, res, { title: 'Audit trail', current: '/trail' }, content);
  });

  router.get('/repositories', async (req, res) => {
    const { principal } = sessionOf(res);
    const told = await asks.ask('listRepositories', { principal, req, res });
    if (!told.ok) return refuse(req, res, told);
    const counts = new Map<string, number>();
    for (const { repository, state } of await deps.store.records()) {
      if (state !== 'removed') counts.set(repository, (counts.get(repository) ?? 0) + 1);
    }
    const content = <RepositoriesPage repositories={told.body.repositories} counts={counts} />;
    show(req, res, { title: 'Repositories', current: '/repositories' }, content);
  });

  return router;
}
