/** GitHub's manifest flow: a page on this machine sends a browser to GitHub, which sends it back with a code. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import express, { type NextFunction, type Request, type Response } from 'express';
import { age } from '../domain/duration.ts';
import { abortReason, messageOf, TreehouseError } from '../errors.ts';
import type { HomeApp } from '../github/app-file.ts';
import { appManifest, installUrl, type ManifestOptions, registrationUrl } from '../github/manifest.ts';
import { sendPage } from '../web/send-page.ts';
import { close, listen } from '../web/server.ts';
import { askPage, madePage, refusedPage } from './app-pages.ts';

export interface AppMakerOptions {
  readonly app: Omit<ManifestOptions, 'redirectUrl'>;
  /** Of the pages that people see, `https://github.com`. */
  readonly web: string;
  /** Whose App it is; undefined: of whoever is signed in. */
  readonly org: string | undefined;
  /** Milliseconds for all of it. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  /** Told where the page is. */
  onOpen(url: string): void;
  /** Has what a code is good for, kept when it resolves. */
  take(code: string): Promise<HomeApp>;
}

const HOST = '127.0.0.1';
/** For the browser to have its last page. */
const LAST_PAGE_MS = 2_000;

/** @throws `stopped` where nobody made it in time; what `take` throws; what `signal` was aborted with. */
export async function makeApp(options: AppMakerOptions): Promise<HomeApp> {
  const { web, org, waitMs, signal } = options;
  if (signal.aborted) throw abortReason(signal);
  const state = randomBytes(32).toString('base64url');
  let finish: (app: HomeApp) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const finished = new Promise<HomeApp>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  let taken: Promise<HomeApp> | undefined;
  /** What it may work after. */
  let failed: TreehouseError | undefined;
  let hosts: readonly string[] = [];
  let origin = '';

  const app = express();
  app.disable('x-powered-by');
  app.use((req: Request, res: Response, next: NextFunction) => {
    const send = `form-action ${web}; style-src 'unsafe-inline'`;
    res.set('Content-Security-Policy', `default-src 'none'; ${send}; base-uri 'none'; frame-ancestors 'none'`);
    res.set('Referrer-Policy', 'no-referrer');
    res.set('X-Content-Type-Options', 'nosniff');
    // A name that leads here by somebody else's DNS would let their pages read the state.
    if (hosts.includes(req.headers.host ?? '')) return next();
    sendPage(req, res, refusedPage(403, `Open ${origin}/ by this address.`));
  });
  app.get('/', (req, res) => {
    const manifest = appManifest({ ...options.app, redirectUrl: `${origin}/made` });
    sendPage(req, res, askPage(registrationUrl(web, org, state), manifest));
  });
  app.get('/made', async (req, res) => {
    const { code, state: said } = req.query;
    if (typeof said !== 'string' || !isSame(said, state)) {
      return sendPage(req, res, refusedPage(403, `This did not begin here: begin at ${origin}/`));
    }
    if (typeof code !== 'string' || code === '') return sendPage(req, res, refusedPage(400, 'GitHub sent no code.'));
    // Also of a page that is loaded twice: a code is good once.
    taken ??= options.take(code);
    // No connection is to be waited for after its page.
    res.set('Connection', 'close');
    try {
      const made = await taken;
      sendPage(req, res, madePage(made.slug, installUrl(made)));
      finish(made);
    } catch (error) {
      sendPage(req, res, refusedPage(502, messageOf(error)));
      if (!(error instanceof TreehouseError) || error.kind === 'terminal') return fail(error);
      taken = undefined;
      failed = error;
    }
  });
  app.use((req, res) => sendPage(req, res, refusedPage(404, 'There is nothing here.')));

  const server = await listen(app, HOST, 0);
  const { port } = server.address() as AddressInfo;
  origin = `http://${HOST}:${port}`;
  hosts = [`${HOST}:${port}`, `localhost:${port}`];
  // What has a code is brought to its end: the App is there by then, and its key is to be had once.
  const end = (error: unknown) => (taken ? taken.then(finish, fail) : fail(failed ?? error));
  const late = setTimeout(() => {
    end(new TreehouseError('stopped', `nobody made the App within ${age(waitMs)}; run this again for another try`));
  }, waitMs);
  const onAbort = () => end(abortReason(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    options.onOpen(`${origin}/`);
    return await finished;
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', onAbort);
    await close(server, signal.aborted ? 0 : LAST_PAGE_MS);
  }
}

function isSame(said: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(said), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
