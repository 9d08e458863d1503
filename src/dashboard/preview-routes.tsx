/** The pages of one preview, and what is asked for it there. */
import { type Request, type Response, Router } from 'express';
import { ACTS, type PreviewAct } from '../api/acts.ts';
import type { BuildReader } from '../api/builds.ts';
import { wholeBuild } from '../api/builds.ts';
import { CURSOR, cursorOf, sendStream } from '../api/stream.ts';
import { parsePreviewId } from '../domain/names.ts';
import { plain } from '../domain/plain.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { Asker } from './ask.ts';
import { ContainersPage } from './containers-page.tsx';
import type { Open, Show } from './dashboard.ts';
import { refusing } from './fault-page.tsx';
import type { Hub } from './hub.ts';
import { h, toText } from './markup.ts';
import { previewFrames } from './preview-live.ts';
import { PreviewPage } from './preview-page.tsx';
import { buildIn, findIn, logOf, type PreviewDeps, viewOf } from './preview-view.ts';
import { formTokenOf, isOwnForm, sessionOf } from './session.ts';
import { Said } from './shell.tsx';
import { ACTS as WORDS } from './words.ts';

export interface PreviewRouteDeps extends PreviewDeps {
  readonly store: PreviewDeps['store'] & Pick<BuildReader, 'followBuild'>;
  readonly hub: Hub;
  readonly asks: Asker;
  readonly show: Show;
  readonly open: Open;
}

export function previewRoutes(deps: PreviewRouteDeps): Router {
  const { asks, show, store, hub, open } = deps;
  const router = Router();

  const refuse = refusing(show);

  /** Answers for the API where the reader may not see it. */
  async function recordOf(req: Request, res: Response): Promise<PreviewRecord | undefined> {
    const { principal } = sessionOf(res);
    const told = await asks.ask('getPreview', { principal, req, res, params: { id: String(req.params.id) } });
    const record = told.ok ? await store.record(told.body.id) : undefined;
    if (record) return record;
    refuse(req, res, told.ok ? { status: 404, detail: 'There is no preview with this id.' } : told);
    return undefined;
  }

  const look = (res: Response, record: PreviewRecord, chosen: ReturnType<typeof buildIn>) =>
    viewOf(deps, record, { chosen, form: formTokenOf(res), principal: sessionOf(res).principal });

  router.get('/previews/:id', async (req, res) => {
    void deps.facts.look();
    const record = await recordOf(req, res);
    if (!record) return;
    const chosen = buildIn(req.query.build);
    const view = await look(res, record, chosen);
    const find = findIn(req.query.find);
    const log = view.build === undefined ? undefined : await logOf(store, record.id, { build: view.build, find });
    const said = ACTS.find((one) => one === req.query.did);
    show(
      ...([req, res] as const),
      { title: record.branch, current: '/', said: said && WORDS[said].said },
      <PreviewPage view={view} log={log} chosen={chosen !== undefined} />,
    );
  });

  router.get('/previews/:id/live', async (req, res) => {
    const record = await recordOf(req, res);
    if (!record) return;
    const { build, showing, seen, after, find } = req.query;
    const chosen = buildIn(build);
    const cursor = cursorOf(req, typeof after === 'string' && CURSOR.test(after) ? after : undefined);
    const signal = open(res);
    const frames = previewFrames(
      {
        ...{ hub, store },
        look: async () => {
          const now = await store.record(record.id);
          return now && look(res, now, chosen);
        },
      },
      {
        ...{ preview: record.id, build: chosen ?? buildIn(showing), find: findIn(find), after: cursor, signal },
        seen: typeof seen === 'string' ? seen : undefined,
      },
    );
    await sendStream(res, frames, signal);
  });

  router.get('/previews/:id/containers', async (req, res) => {
    const { principal } = sessionOf(res);
    const id = String(req.params.id);
    const told = await asks.ask('listContainers', { principal, req, res, params: { id } });
    if (!told.ok) return refuse(req, res, told);
    const { containers } = told.body;
    show(req, res, { title: `Containers of ${id}`, current: '/' }, <ContainersPage id={id} containers={containers} />);
  });

  router.get('/previews/:id/builds/:build/log', async (req, res) => {
    const record = await recordOf(req, res);
    const build = buildIn(req.params.build);
    if (!record) return;
    if (!build) return refuse(req, res, { status: 404, detail: 'There is no build with this id.' });
    const signal = open(res);
    res.type('text/plain; charset=utf-8');
    for await (const { event } of wholeBuild(store, record.id, build)) {
      if (signal.aborted) return;
      if (event.type !== 'log') continue;
      if (!res.write(`${event.stage} ${event.source} | ${plain(event.line)}\n`)) await drained(res, signal);
    }
    res.end();
  });

  for (const act of ACTS) router.post(`/previews/:id/${act}`, (req, res) => ask(act, req, res));

  async function ask(act: PreviewAct, req: Request, res: Response): Promise<void> {
    if (!isOwnForm(req, res)) {
      const detail = 'The form is not of this session: open the page again and ask once more.';
      return refuse(req, res, { status: 403, detail });
    }
    const id = String(req.params.id);
    const { principal } = sessionOf(res);
    const told = await asks.act(`${act}Preview`, { principal, req, res, params: { id } });
    const known = parsePreviewId(id);
    if (told.ok && known) hub.touch(known);
    if (req.get('HX-Request') !== undefined) {
      const text = told.ok ? WORDS[act].said : told.detail;
      res.type('html').send(toText(<Said text={text} isBad={!told.ok} alone />));
    } else if (told.ok) res.redirect(303, `/previews/${known}?did=${act}`);
    else refuse(req, res, told);
  }

  return router;
}

async function drained(res: Response, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    res.once('drain', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
