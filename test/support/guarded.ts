/** A real gateway with guarded previews, real servers behind it, and Treehouse's own pages beside it. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isPassword, newPassword } from '../../src/access/passwords.ts';
import type { Sharing } from '../../src/access/sharing.ts';
import type { Access, Guard } from '../../src/domain/guards.ts';
import {
  type BuildId,
  branchName,
  commitId,
  type PreviewId,
  previewId,
  repositoryName,
} from '../../src/domain/names.ts';
import type { Repository } from '../../src/domain/ports.ts';
import { newRecord, type PreviewRecord, type PreviewState } from '../../src/domain/preview.ts';
import { type EmbeddedNginx, type NginxOptions, startNginx } from '../../src/embedded/nginx.ts';
import { doorRouter } from '../../src/web/door.ts';
import { gatewayPageRouter } from '../../src/web/gateway-page.ts';
import { close, createApp, listen } from '../../src/web/server.ts';
import { sharingWith } from './api-memory.ts';
import { startEntrance } from './entrance.ts';
import { keptLog } from './log.ts';
import { freePorts } from './treehouse.ts';

export const DOMAIN = 'preview.localhost';
export const PASSWORD = 'open sesame, said the fox';
/** What a stranger may never read, whatever they send. */
export const FACTS = ['Geheim', 'c0ffee', 'the last line of the log', 'the app says', 'x-app', 'acme/'] as const;

export interface Reached {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Guarded {
  readonly key: string;
  readonly port: number;
  readonly nginx: EmbeddedNginx;
  readonly sharing: Sharing;
  /** What came to the app behind every preview. */
  readonly reached: Reached[];
  readonly woken: PreviewId[];
  readonly app: string;
  /** A preview of which there are things to tell; live ones are routed. */
  preview(repository: string, state: PreviewState, branch?: string): Promise<PreviewId>;
  /** Sends bytes as they are, from an address of this host, and reads until the gateway closes or answers whole. */
  raw(text: string, from?: string): Promise<string>;
  /** One request, as a browser sends it. */
  get(label: string, where?: string, headers?: Readonly<Record<string, string>>): Promise<string>;
  setPassword(password: string): Promise<string>;
  stop(): Promise<void>;
}

const OPEN = ['/hooks/', '/healthz'];

/** @param front what is before the previews: TLS, proxies, an entrance */
export async function startGuarded(
  guesses = { ofAddress: 1_000, ofRepository: 1_000 },
  front: Pick<NginxOptions, 'tls' | 'trustedProxies' | 'hasEntrance'> = {},
): Promise<Guarded> {
  const home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  const key = randomBytes(32).toString('hex');
  const clock = { now: () => Date.now() };
  const repositories = (['password', 'link', 'public'] as const).map((mode): Repository => {
    const slug = { password: 'shop', link: 'blog', public: 'news' }[mode];
    const access = { mode, open: mode === 'public' ? [] : OPEN } satisfies { mode: Access; open: string[] };
    return { name: repositoryName(`acme/${slug}`), slug, url: '', branches: ['*'], access };
  });
  const shop = repositoryName('acme/shop');
  let password = await newPassword({ clock }, shop, PASSWORD);
  const guards = (): Guard[] =>
    repositories.map(({ slug, access }) => ({
      slug,
      access: access ?? { mode: 'public', open: [] },
      ...(slug === 'shop' ? { mark: password.mark } : {}),
    }));

  const records = new Map<PreviewId, PreviewRecord>();
  const woken: PreviewId[] = [];
  const reached: Reached[] = [];
  const app = createServer((request, response) => {
    reached.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    request.resume();
    response.writeHead(200, { etag: '"x-app"', 'x-app': 'yes', 'last-modified': new Date(0).toUTCString() });
    if (request.url === '/stream') response.write('the app says');
    else response.end(`the app says ${'x'.repeat(100)}`);
  });
  app.on('upgrade', (request, socket) => {
    reached.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nthe app says');
    socket.pipe(socket);
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');

  let nginx: EmbeddedNginx | undefined;
  const sharing = sharingWith(clock, () => nginx?.gateway ?? fail());
  const pages: Server = await listen(
    createApp({
      routers: [
        gatewayPageRouter({
          ...{ key, domain: DOMAIN, repositories: () => repositories, wake: async (id) => void woken.push(id) },
          store: {
            record: async (id) => records.get(id),
            tail: async () => ['the last line of the log'],
          },
        }),
        doorRouter({
          ...{ key, domain: DOMAIN, clock, guesses, repositories: () => repositories, redeem: sharing.redeem },
          knock: async (name, tried) =>
            name === shop && (await isPassword(password, tried)) ? password.mark : undefined,
        }),
      ],
      ready: async () => [],
      log: keptLog().log,
    }),
    '127.0.0.1',
    0,
  );
  const [port = 0] = await freePorts(1);
  const addressOf = (server: Server) => `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  nginx = await startNginx({ home, domain: DOMAIN, pages: addressOf(pages), port, key, guards: guards(), ...front });
  const { gateway } = nginx;
  const entrance = front.hasEntrance ? await startEntrance(home, { http: port }) : undefined;

  function raw(text: string, from = '127.0.0.1'): Promise<string> {
    return new Promise((resolve) => {
      const socket = net.connect({ port, host: '127.0.0.1', localAddress: from });
      let said = '';
      socket.setEncoding('latin1').on('data', (chunk) => {
        said += String(chunk);
      });
      // What hangs, such as a tunnel that should not be, is told by what it said so far.
      socket.setTimeout(10_000, () => socket.destroy());
      socket.on('error', () => undefined).on('close', () => resolve(said));
      socket.write(text, 'latin1');
    });
  }

  return {
    ...{ key, port, nginx, sharing, reached, woken, raw },
    app: addressOf(app),
    async preview(name, state, branch = 'Geheim/Zweig') {
      const repository = repositories.find((one) => one.slug === name) ?? fail();
      const id = previewId(repository.slug, branchName(branch));
      const record = newRecord({ id, repository: repository.name, branch: branchName(branch) }, 0);
      const commit = commitId('c0ffee'.repeat(7).slice(0, 40));
      const build = 'b1' as BuildId;
      const attempt = { build, commit, startedAt: 0, stages: {}, outcome: 'failed', message: 'Geheim' } as const;
      records.set(id, { ...record, state, reason: 'Geheim: c0ffee', attempt });
      if (state === 'live' || state === 'asleep') {
        await gateway.setRoutes(id, [{ host: id, preview: id, build, upstream: addressOf(app) }]);
      }
      if (state === 'asleep') await gateway.close(id);
      return id;
    },
    get(label, where = '/', headers = {}) {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      return raw(`GET ${where} HTTP/1.1\r\nHost: ${label}.${DOMAIN}\r\nConnection: close\r\n${lines.join('')}\r\n`);
    },
    async setPassword(text) {
      password = await newPassword({ clock }, shop, text);
      await gateway.setGuards(guards());
      return password.mark;
    },
    async stop() {
      await nginx?.stop();
      await entrance?.stop();
      await close(pages, 0);
      app.closeAllConnections();
      app.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function fail(): never {
  throw new Error('there is no such thing in this test');
}
