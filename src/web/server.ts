/** The one HTTP server: webhooks, API, health, and the pages that the gateway asks for. */
import { createServer, type Server } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { messageOf, TreehouseError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { problem } from './problem.ts';

export interface ServerDeps {
  /** Who may say where a client is: its address counts when wrong tokens are. */
  readonly trustedProxies?: readonly string[] | 'gateway';
  /** In order; the webhook's router first, since it reads raw bodies. */
  readonly routers: readonly express.Router[];
  /** Names what is away; empty when all is well. */
  readonly ready: () => Promise<readonly string[]>;
  readonly log: Logger;
}

export function createApp(deps: ServerDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  const { trustedProxies: trusted = [] } = deps;
  // The gateway says one address, and is all that reaches its socket.
  app.set('trust proxy', trusted === 'gateway' || (trusted.length > 0 && trusted));
  app.use((_req, res, next) => {
    res.set('X-Content-Type-Options', 'nosniff');
    next();
  });
  for (const router of deps.routers) app.use(router);
  app.get('/healthz', (_req, res) => void res.json({ status: 'ok' }));
  app.get('/readyz', async (_req, res) => {
    const away = await deps.ready();
    if (away.length === 0) res.json({ status: 'ok' });
    else problem(res, 503, `not ready: ${away.join(', ')}`);
  });
  app.use((_req, res) => problem(res, 404, 'There is nothing here.'));
  app.use((error: unknown, _req: Request, res: Response, next: NextFunction) => {
    if (res.headersSent) return next(error);
    // A request that Express itself could not read, such as a broken escape in its path.
    const status = (error as { status?: unknown } | undefined)?.status;
    if (typeof status === 'number' && status >= 400 && status < 500) return problem(res, status, messageOf(error));
    const known = error instanceof TreehouseError;
    if (!known) deps.log.error({ err: error }, 'a request failed unexpectedly');
    problem(
      res,
      known && error.kind === 'transient' ? 503 : 500,
      known ? messageOf(error) : 'Something went wrong; the log says what.',
    );
  });
  return app;
}

/** @throws {TreehouseError} `bad-config` where the port is taken. */
export function listen(app: Express, host: string, port: number, variable = 'TREEHOUSE_PORT'): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(app);
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const message = taken
        ? `port ${port} of ${host} is taken: stop what uses it, or set ${variable}`
        : `cannot listen on ${host}:${port}: ${error.message}`;
      reject(new TreehouseError('bad-config', message, { cause: error }));
    });
    server.listen(port, host, () => resolve(server));
  });
}

/** Refuses new connections and ends idle ones; open requests get `graceMs`. */
export async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
