/** The real receiver behind a real HTTP server, for tests. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { repositoryName, repositorySlug } from '../../src/domain/names.ts';
import type { Repository } from '../../src/domain/ports.ts';
import { type ReceiverDeps, webhookRouter } from '../../src/webhook/receive.ts';
import { keptLog } from './log.ts';
import { SECRET } from './signed.ts';

export interface TestReceiver {
  readonly url: string;
  /** What was logged, oldest first. */
  readonly logged: Record<string, unknown>[];
  close(): Promise<void>;
}

export function repository(name: string, branches: readonly string[] = ['*']): Repository {
  const own = repositoryName(name);
  return { name: own, slug: repositorySlug(own), url: `https://configured.example/${name}.git`, branches };
}

export async function startReceiver(
  deps: Pick<ReceiverDeps, 'store' | 'hints'> & Partial<ReceiverDeps>,
): Promise<TestReceiver> {
  const { log, logged } = keptLog();
  const app = express();
  app.use(
    webhookRouter({ secrets: [SECRET], repositories: () => [], forks: { note: async () => undefined }, log, ...deps }),
  );
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    logged,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
