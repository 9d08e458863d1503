/** Where a gateway without a key sends what it does not know: pages by Host alone, and nothing else of Treehouse. */
import { get, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { branchName, previewId, repositoryName } from '../../src/domain/names.ts';
import { newRecord, type PreviewRecord, type PreviewState } from '../../src/domain/preview.ts';
import { hostPageRouter } from '../../src/web/gateway-page.ts';
import { close, createApp, listen } from '../../src/web/server.ts';
import { keptLog } from '../support/log.ts';

const branch = branchName('main');
const key = { id: previewId('shop', branch), repository: repositoryName('acme/shop'), branch };
const HOST = `${key.id}.preview.localhost`;

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** fetch would not send a Host of its own. */
function visit(port: number, path: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = get({ host: '127.0.0.1', port, path, headers, agent: false }, async (answer) => {
      answer.setEncoding('utf8');
      const body = (await answer.toArray()).join('');
      resolve({ status: answer.statusCode, headers: answer.headers, body });
    });
    asked.once('error', reject);
  });
}

/** Asks a listener that knows one preview, in this state. */
async function ask(
  state: PreviewState,
  request: { readonly host: string; readonly path?: string; readonly headers?: Record<string, string> },
  access: 'public' | 'password' = 'public',
): Promise<Answer & { readonly woken: readonly string[] }> {
  const record: PreviewRecord = { ...newRecord(key, 1), state, reason: 'it was pushed' };
  const woken: string[] = [];
  const router = hostPageRouter({
    store: { record: async (id) => (id === key.id ? record : undefined), tail: async () => [] },
    wake: async (id) => void woken.push(id),
    domain: 'preview.localhost',
    repositories: () => [{ name: key.repository, access: { mode: access, open: [] } }],
  });
  const app = createApp({ routers: [router], ready: async () => [], log: keptLog().log });
  const server = await listen(app, '127.0.0.1', 0);
  try {
    const { port } = server.address() as AddressInfo;
    const { host, path = '/', headers = {} } = request;
    return { ...(await visit(port, path, { host, accept: 'text/html', ...headers })), woken };
  } finally {
    await close(server, 0);
  }
}

it('answers for every host and path, and with pages only', async () => {
  const unknown = await ask('live', { host: 'other.preview.localhost' });
  expect(unknown).toMatchObject({ status: 404, headers: { 'x-robots-tag': 'noindex', 'cache-control': 'no-store' } });
  expect(unknown.body).toContain('No preview lives here');
  expect(await ask('live', { host: 'bank.example' })).toMatchObject({ status: 404 });
  for (const path of ['/api/v1/previews', '/healthz', '/metrics', '/gateway/page', '/webhooks/github']) {
    expect((await ask('building', { host: HOST, path })).body).toContain('The house is being built');
  }
});

it('wakes one that sleeps, by its host in any case and with a port', async () => {
  const asleep = await ask('asleep', { host: `${HOST.toUpperCase()}:8080` });
  expect(asleep).toMatchObject({ status: 503, woken: [key.id], headers: { 'retry-after': '2' } });
  expect(asleep.body).toContain('The house wakes up');
});

it('believes nothing that only the own gateway may say', async () => {
  const forged = { 'X-Treehouse-Host': HOST, 'X-Treehouse-Standing': 'guest', 'X-Treehouse-Problem': 'unreachable' };
  expect(await ask('asleep', { host: 'other.preview.localhost', headers: forged })).toMatchObject({
    status: 404,
    woken: [],
  });
  // Were one ever not public, nothing of it would be told.
  expect(await ask('asleep', { host: HOST, headers: forged }, 'password')).toMatchObject({ status: 404, woken: [] });
});
