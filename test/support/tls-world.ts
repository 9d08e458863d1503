/** A real gateway with TLS, an application behind it that tells what it got, and clients that trust its authority alone. */
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import http, { createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { WebSocketServer } from 'ws';
import type { BuildId, PreviewId } from '../../src/domain/names.ts';
import { type EmbeddedNginx, type NginxOptions, startNginx } from '../../src/embedded/nginx.ts';
import { type Authority, type Issued, openAuthority } from './certificates.ts';
import { startEntrance } from './entrance.ts';
import { freePorts } from './treehouse.ts';

export const DOMAIN = 'preview.localhost';
export const SHOP = `main--shop.${DOMAIN}`;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Ask {
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  /** By the port without TLS. */
  readonly plain?: boolean;
  readonly port?: number;
  /** The address that the connection comes from. */
  readonly from?: string;
  readonly agent?: http.Agent;
}

export interface TlsWorld {
  readonly authority: Authority;
  readonly first: Issued;
  readonly options: NginxOptions;
  readonly nginx: EmbeddedNginx;
  readonly port: number;
  readonly tlsPort: number;
  readonly files: { readonly cert: string; readonly key: string };
  /** What the keeper of the certificate said. */
  readonly said: string[];
  /** As a tool that renews does it: one file after the other, each at once. */
  install(pair: Pick<Issued, 'cert' | 'key'>): Promise<void>;
  /** `text` is what the application got, as JSON, or a page. */
  ask(ask?: Ask): Promise<Answer>;
  connect(options?: tls.ConnectionOptions): Promise<tls.TLSSocket>;
  /** Of the certificate in a new handshake. */
  serial(): Promise<string>;
  /** Requests for `/hang-up` that came to the application. */
  hangUps(): number;
  http2(): http2.ClientHttp2Session;
  stop(): Promise<void>;
}

export async function startTlsWorld(more: Partial<NginxOptions> = {}): Promise<TlsWorld> {
  const home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  const files = { cert: path.join(home, 'cert.pem'), key: path.join(home, 'key.pem') };
  const authority = await openAuthority();
  const first = await authority.issue([`*.${DOMAIN}`]);
  const said: string[] = [];

  let hangUps = 0;
  const app = createServer(async (request, response) => {
    if (request.url === '/hang-up') {
      hangUps++;
      return void request.socket.destroy();
    }
    if (request.url === '/page') return void response.setHeader('Content-Type', 'text/html').end('<h1>a preview</h1>');
    const chunks = await request.toArray().catch(() => []);
    const seen = { method: request.method, url: request.url, headers: request.headers, body: chunks.join('') };
    if (request.url === '/own-hsts') response.setHeader('Strict-Transport-Security', 'max-age=5; includeSubDomains');
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify(seen));
  });
  const sockets = new WebSocketServer({ server: app });
  sockets.on('connection', (socket, request) => {
    socket.send(JSON.stringify(request.headers));
    socket.on('message', (data) => socket.send(String(data)));
  });
  const pages = createServer((request, response) => {
    response.writeHead(404).end(JSON.stringify({ page: true, url: request.url, headers: request.headers }));
  });
  for (const server of [app, pages]) await once(server.listen(0, '127.0.0.1'), 'listening');
  const addressOf = (server: http.Server) => `127.0.0.1:${(server.address() as net.AddressInfo).port}`;

  async function install({ cert, key }: Pick<Issued, 'cert' | 'key'>): Promise<void> {
    for (const [file, text] of [
      [files.cert, cert],
      [files.key, key],
    ] as const) {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
    }
  }
  await install(first);
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const options: NginxOptions = {
    ...{ home, domain: DOMAIN, pages: addressOf(pages), port, tls: { ...files, port: tlsPort }, lookEvery: 20 },
    onCertificate: {
      taken: ({ serial }) => said.push(`taken ${serial}`),
      refused: (reason) => said.push(reason.replaceAll(home, '')),
    },
    ...more,
  };
  const nginx = await startNginx(options);
  const entrance = more.hasEntrance ? await startEntrance(home, { http: port, https: tlsPort }) : undefined;
  const preview = 'main--shop' as PreviewId;
  await nginx.gateway.setRoutes(preview, [
    { host: preview, preview, build: 'b1' as BuildId, upstream: addressOf(app) },
  ]);

  const trust = { ca: authority.cert, servername: SHOP };
  const connect = (more: tls.ConnectionOptions = {}) =>
    new Promise<tls.TLSSocket>((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port: tlsPort, ...trust, ...more });
      socket.once('error', reject).once('secureConnect', () => resolve(socket));
    });

  return {
    ...{ authority, first, options, nginx, port, tlsPort, files, said, install, connect },
    ask: (ask = {}) => send({ ...ask, port: ask.port ?? (ask.plain ? port : tlsPort) }, trust),
    hangUps: () => hangUps,
    async serial() {
      const socket = await connect();
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    },
    http2() {
      // Names below localhost do not resolve everywhere.
      const lookup: net.LookupFunction = (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]);
      return http2.connect(`https://${SHOP}:${tlsPort}`, { ca: authority.cert, lookup });
    },
    async stop() {
      await nginx.stop();
      await entrance?.stop();
      sockets.close();
      for (const server of [app, pages]) {
        server.closeAllConnections();
        server.close();
      }
      await authority.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function send(ask: Ask & { readonly port: number }, trust: { ca: string; servername: string }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { host = SHOP, plain = false, from, port, agent, method = 'GET', path: where = '/', body } = ask;
    const common = {
      ...{ host: '127.0.0.1', port, method, path: where, agent: agent ?? false },
      headers: { host, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }), ...ask.headers },
      ...(from === undefined ? {} : { localAddress: from }),
    };
    const request = plain ? http.request(common) : https.request({ ...common, ...trust });
    request.once('error', reject);
    request.once('response', async (response) => {
      try {
        const text = (await response.setEncoding('utf8').toArray()).join('');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      } catch (error) {
        reject(error);
      }
    });
    request.end(body);
  });
}

/** One request of a connection with HTTP/2. */
export async function ask2(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders = {},
  body?: string,
): Promise<Answer> {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
  const text = (await stream.setEncoding('utf8').toArray()).join('');
  return { status: answer[':status'] ?? 0, headers: answer, text };
}
