/** The gateway with a real nginx and real servers behind it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import http, { Agent, createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BuildId, PreviewId } from '../../src/domain/names.ts';
import type { Route } from '../../src/domain/ports.ts';
import { startChild } from '../../src/embedded/child.ts';
import { type EmbeddedNginx, type NginxOptions, startNginx } from '../../src/embedded/nginx.ts';
import { freePort } from '../support/redis.ts';

const DOMAIN = 'preview.localhost';
const until = { timeout: 20_000, interval: 10 };
const cleanUps: (() => unknown)[] = [];
let home: string;
let options: NginxOptions;
let nginx: EmbeddedNginx;
const outages: string[] = [];
let pages: Served;
/** Previews that the gateway asked to wake. */
const wakes: string[] = [];

interface Served {
  readonly address: string;
  readonly server: Server;
  /** Connections that were ever opened to it. */
  connections(): number;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly text: string;
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "treehouse 'test' \"$x"));
  pages = await serve((request, response) => {
    if (request.url === '/gateway/wake') {
      wakes.push(String(request.headers['x-treehouse-preview']));
      response.writeHead(202).end();
      return;
    }
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ page: true, method: request.method, url: request.url, headers: request.headers }));
  });
  const onOutage = { away: (why: string) => outages.push(`away: ${why}`), back: () => outages.push('back') };
  options = { home, domain: DOMAIN, pages: pages.address, port: await freePort(), onOutage };
  nginx = await startNginx(options);
});

afterAll(async () => {
  await nginx?.stop();
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
  await rm(home, { recursive: true, force: true });
});

describe('headers', () => {
  test('tell the app the truth, whatever the client claims', async () => {
    const app = await serve(echo);
    await route('truth--shop', app.address);
    const lies = {
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-host': 'evil',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '1',
      'x-forwarded-prefix': '/evil',
      'x-real-ip': '6.6.6.6',
      forwarded: 'for=6.6.6.6',
      'x-treehouse-host': 'evil',
      'x-treehouse-uri': '/evil',
      'x-treehouse-problem': 'evil',
      upgrade: 'h2c',
      connection: 'upgrade',
    };
    const host = `truth--shop.${DOMAIN}:${options.port}`;
    const answer = await get(host, { path: '/a%2Fb//c/%2e?x=%20&y', headers: lies });
    const seen = JSON.parse(answer.text);
    expect(seen.url).toBe('/a%2Fb//c/%2e?x=%20&y');
    expect(seen.headers).toEqual({
      host,
      'x-real-ip': '127.0.0.1',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': host,
      'x-forwarded-proto': 'http',
      'x-forwarded-port': String(options.port),
    });
  });

  test('of an answer keep its own, but for one X-Robots-Tag, no version and no orders to nginx', async () => {
    const app = await serve((_, response) => {
      response.setHeader('X-Robots-Tag', 'all');
      response.setHeader('X-Accel-Redirect', '@page');
      response.setHeader('Set-Cookie', ['a=1', 'b=2']);
      response.setHeader('Location', 'http://elsewhere/');
      response.writeHead(302).end('moved');
    });
    await route('answer--shop', app.address);
    const answer = await get(`answer--shop.${DOMAIN}`);
    expect(answer).toMatchObject({ status: 302, text: 'moved' });
    expect(answer.headers).toMatchObject({
      'set-cookie': ['a=1', 'b=2'],
      location: 'http://elsewhere/',
      server: 'nginx',
    });
    expect(valuesOf(answer, 'x-robots-tag')).toEqual(['noindex']);
  });

  test('longer than a kernel page pass both ways', async () => {
    const app = await serve((request, response) => {
      response.setHeader('x-long', 'y'.repeat(12_000)).end(String(request.headers['x-long']?.length));
    });
    await route('long--shop', app.address);
    const answer = await get(`long--shop.${DOMAIN}`, { headers: { 'x-long': 'x'.repeat(6_000) } });
    expect(answer).toMatchObject({ status: 200, text: '6000' });
    expect(answer.headers['x-long']).toHaveLength(12_000);
  });
});

describe('a host without a route', () => {
  test("is answered by Treehouse's page server with the page server's status", async () => {
    const body = 'b'.repeat(100_000);
    const headers = { 'x-treehouse-problem': 'evil', cookie: 'secret=1', 'content-length': body.length };
    const answer = await get(`Nobody--Shop.${DOMAIN}:80`, { method: 'POST', path: '/x?y=1', headers, body });
    const seen = JSON.parse(answer.text);
    expect(answer.status).toBe(404);
    expect(seen).toMatchObject({ page: true, method: 'GET', url: '/gateway/page' });
    expect(seen.headers).toMatchObject({ 'x-treehouse-host': `nobody--shop.${DOMAIN}`, 'x-treehouse-uri': '/x?y=1' });
    expect(seen.headers).not.toHaveProperty('x-treehouse-problem');
    expect(seen.headers).not.toHaveProperty('cookie');
    expect(valuesOf(answer, 'x-robots-tag')).toEqual(['noindex']);
  });

  test('gets headers only for HEAD', async () => {
    expect(await get(`nobody.${DOMAIN}`, { method: 'HEAD' })).toMatchObject({ status: 404, text: '' });
  });

  test('is every host that is not exactly one label and the domain', async () => {
    const app = await serve((_, response) => response.end('app'));
    await route('b', app.address);
    const page = async (host: string) => (await get(host)).status;
    for (const host of [
      `a.b.${DOMAIN}`,
      `.${DOMAIN}`,
      DOMAIN,
      `b.${DOMAIN}.evil.com`,
      `bx${DOMAIN}`,
      'b',
      `-b.${DOMAIN}`,
      `b_.${DOMAIN}`,
      `${'b'.repeat(64)}.${DOMAIN}`,
      `${'b'.repeat(300)}.${DOMAIN}`,
      '127.0.0.1',
      '[::1]:80',
      `b%00.${DOMAIN}`,
    ]) {
      expect([host, await page(host)]).toEqual([host, 404]);
    }
    for (const host of [`b.${DOMAIN}`, `B.PREVIEW.Localhost`, `b.${DOMAIN}.`, `b.${DOMAIN}:1234`, `b.${DOMAIN}.:80`]) {
      expect([host, (await get(host)).text]).toEqual([host, 'app']);
    }
  });

  test.each([
    ['..', 400],
    [`b..${DOMAIN}`, 400],
    ['', 400],
    ['a/b', 400],
    ['a b', 400],
    [`b.${DOMAIN}\r\nHost: c.${DOMAIN}`, 400],
    [`b.${DOMAIN}\0`, 400],
  ])('is refused by nginx itself where it is malformed: %j', async (host, status) => {
    const answer = await raw(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer.match(/^X-Robots-Tag: noindex\r$/gm)).toHaveLength(1);
    expect(answer).not.toContain('nginx/');
  });

  test('is also HTTP/1.0 without any, and a control path on the open port', async () => {
    expect(await raw('GET /routes HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 404 /);
    expect(JSON.parse((await get(`x.${DOMAIN}`, { method: 'PUT', path: '/previews/b' })).text)).toMatchObject({
      page: true,
    });
  });
});

describe('an upstream that fails', () => {
  test('at connect is the page server’s to explain, with 502', async () => {
    await route('dead--shop', `127.0.0.1:${await freePort()}`);
    for (const method of ['GET', 'POST']) {
      const answer = await get(`dead--shop.${DOMAIN}`, { method, path: '/p' });
      expect(answer.status).toBe(502);
      expect(JSON.parse(answer.text)).toMatchObject({
        page: true,
        headers: { 'x-treehouse-problem': 'unreachable', 'x-treehouse-uri': '/p' },
      });
    }
    await eventuallyIdle((await nginx.gateway.routesOf('dead--shop' as PreviewId))[0]?.upstream ?? '');
  });

  test.each([500, 502, 503, 504])('by an answer of its own with status %i passes untouched', async (status) => {
    const app = await serve((_, response) => response.writeHead(status).end('the app says no'));
    await route('own--shop', app.address);
    expect(await get(`own--shop.${DOMAIN}`)).toMatchObject({ status, text: 'the app says no' });
  });

  test('by hanging up is asked again once for a safe request, and never for another', async () => {
    const asked: string[] = [];
    const app = await serve((request) => {
      asked.push(`${request.method}`);
      request.socket.destroy();
    });
    await route('hangup--shop', app.address);
    const heard = async (method: string, body?: string) => {
      asked.length = 0;
      const answer = await get(`hangup--shop.${DOMAIN}`, { method, ...(body && { body }) });
      expect(answer.status).toBe(502);
      expect(JSON.parse(answer.text).headers['x-treehouse-problem']).toBe('no-answer');
      return [...asked];
    };
    expect(await heard('GET')).toEqual(['GET', 'GET']);
    expect(await heard('POST')).toEqual(['POST']);
    expect(await heard('POST', 'body')).toEqual(['POST']);
    expect(await heard('DELETE')).toEqual(['DELETE']);
    expect(await heard('GET', 'body')).toEqual(['GET']);
  });

  test('by closing kept connections costs no request, and no POST is doubled', async () => {
    const posts: string[] = [];
    const app = await serve((request, response) => {
      if (request.method === 'POST') posts.push(request.url ?? '');
      request.resume();
      response.end('ok');
      // The worst moment: announced as kept, closed as soon as the answer is out.
      response.once('finish', () => request.socket.destroySoon());
    });
    await route('stale--shop', app.address);
    const agent = keepAlive();
    const statuses = new Set<number>();
    const wanted: string[] = [];
    for (let i = 0; i < 200; i++) {
      statuses.add((await get(`stale--shop.${DOMAIN}`, { agent })).status);
      wanted.push(`/${i}`);
      statuses.add((await get(`stale--shop.${DOMAIN}`, { agent, method: 'POST', path: `/${i}`, body: 'x' })).status);
    }
    expect([...statuses]).toEqual([200]);
    expect(posts).toEqual(wanted);
  });

  test('and no page server either: a page of its own, 503', async () => {
    const away = await mkdtemp(join(tmpdir(), 'treehouse-test-'));
    const dead = `127.0.0.1:${await freePort()}`;
    const port = await freePort();
    const alone = await startNginx({ home: away, domain: DOMAIN, pages: dead, port });
    cleanUps.push(
      () => rm(away, { recursive: true }),
      () => alone.stop(),
    );
    await alone.gateway.setRoutes('dead--shop' as PreviewId, [routeOf('dead--shop', dead)]);
    for (const host of [`nobody.${DOMAIN}`, `dead--shop.${DOMAIN}`]) {
      for (const method of ['GET', 'POST']) {
        const answer = await get(host, { port, method });
        expect(answer.status).toBe(503);
        expect(answer.text).toContain('<h1>Treehouse is not answering</h1>');
        expect(answer.text).not.toMatch(/(?:src|href)=/);
        expect(answer.headers).toMatchObject({
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-store',
        });
        expect(valuesOf(answer, 'x-robots-tag')).toEqual(['noindex']);
      }
    }
  });
});

describe('connections', () => {
  test('are kept on both sides', async () => {
    const app = await serve((_, response) => response.end('ok'));
    await route('kept--shop', app.address);
    const agent = keepAlive(1);
    const sockets = new Set<number | undefined>();
    for (let i = 0; i < 50; i++) sockets.add((await get(`kept--shop.${DOMAIN}`, { agent })).port);
    expect(sockets.size).toBe(1);
    expect(app.connections()).toBeLessThanOrEqual(2);
  });

  test('stay whole through route changes: 8 clients without a pause, no failure', async () => {
    const apps = await Promise.all(['0', '1', '2', '3'].map((name) => serve((_, response) => response.end(name))));
    await route('swap--shop', apps[0]?.address ?? '');
    const seen = new Map<string, number>();
    let going = true;
    const clients = Array.from({ length: 8 }, async () => {
      const agent = keepAlive(1);
      while (going) {
        const key = await get(`swap--shop.${DOMAIN}`, { agent }).then(
          (a) => `${a.status}`,
          (error) => `${error}`,
        );
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
    });
    const fresh: string[] = [];
    for (let i = 1; i <= 100; i++) {
      await route('swap--shop', apps[i % 4]?.address ?? '', `b${i}`);
      fresh.push((await get(`swap--shop.${DOMAIN}`)).text);
    }
    going = false;
    await Promise.all(clients);
    expect(fresh).toEqual(Array.from({ length: 100 }, (_, i) => String((i + 1) % 4)));
    expect([...seen.keys()]).toEqual(['200']);
    for (const app of apps) await eventuallyIdle(app.address);
  });

  test('upgrade to a WebSocket, are counted while open, and end in order', async () => {
    const app = await serve(echo);
    app.server.on('upgrade', (request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
      socket.write(`${request.headers.upgrade} ${request.headers['x-forwarded-for']}`);
      socket.pipe(socket);
    });
    await route('ws--shop', app.address);
    const headers = { connection: 'Upgrade', upgrade: 'WebSocket' };
    const request = http.request({
      ...target(`ws--shop.${DOMAIN}`),
      headers: { ...headers, host: `ws--shop.${DOMAIN}` },
    });
    request.end();
    const [response, socket, head] = (await once(request, 'upgrade')) as [IncomingMessage, net.Socket, Buffer];
    expect(response.statusCode).toBe(101);
    let text = head.toString();
    socket.on('data', (chunk) => {
      text += chunk;
    });
    await vi.waitFor(() => expect(text).toBe('websocket 127.0.0.1'), until);
    socket.write(' ping');
    await vi.waitFor(() => expect(text).toBe('websocket 127.0.0.1 ping'), until);
    expect(await nginx.gateway.inFlight(app.address)).toBe(1);
    socket.end();
    await once(socket, 'close');
    await eventuallyIdle(app.address);
  });

  test('stream: an event arrives while the answer is still open', async () => {
    let send: (text: string) => void = () => undefined;
    let finish: () => void = () => undefined;
    const app = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      send = (text) => response.write(text);
      finish = () => response.end();
      response.write('data: 0\n\n');
    });
    await route('sse--shop', app.address);
    const request = http.get({ ...target(`sse--shop.${DOMAIN}`), headers: { host: `sse--shop.${DOMAIN}` } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    response.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    await vi.waitFor(() => expect(text).toBe('data: 0\n\n'), until);
    send('data: 1\n\n');
    await vi.waitFor(() => expect(text).toBe('data: 0\n\ndata: 1\n\n'), until);
    expect(response.complete).toBe(false);
    finish();
    await once(response, 'end');
  });

  test('stream 200 MB up and down, with nothing on disk', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    let received = 0;
    let sent = 0;
    const app = await serve(async (request, response) => {
      for await (const part of request) received += part.length;
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      for (sent = 1; sent <= 200; sent++) if (!response.write(chunk)) await once(response, 'drain');
      response.end();
    });
    await route('big--shop', app.address);
    const host = `big--shop.${DOMAIN}`;
    for (const headers of [{ host }, { host, 'content-length': 200 * chunk.length }]) {
      received = 0;
      sent = 0;
      const request = http.request({ ...target(host), method: 'POST', headers });
      const answered = once(request, 'response') as Promise<[IncomingMessage]>;
      request.write(chunk);
      // Only a gateway that streams lets the app see this before the rest was sent.
      await vi.waitFor(() => expect(received).toBe(chunk.length), until);
      for (let i = 1; i < 200; i++) if (!request.write(chunk)) await once(request, 'drain');
      request.end();
      const [response] = await answered;
      // Unread, it must stand still in the app: whatever went on would be going to a file.
      for (let before = -1, same = 0; same < 20 && sent < 200; before = sent) {
        await get(`nobody.${DOMAIN}`);
        same = sent === before ? same + 1 : 0;
      }
      expect(sent).toBeLessThan(100);
      let size = 0;
      for await (const part of response) size += part.length;
      expect([response.statusCode, received, size]).toEqual([200, 200 * chunk.length, 200 * chunk.length]);
    }
    expect(await filesOf(await readFile(join(home, 'nginx', 'temporary'), 'utf8'))).toEqual([]);
  });

  test('whose client goes away leave no count', async () => {
    const app = await serve((request, response) => {
      request.resume();
      if (request.url === '/half') response.write('half');
    });
    await route('abort--shop', app.address);
    const host = `abort--shop.${DOMAIN}`;
    const requests = ['/none', '/half', '/none', '/half'].map((path, i) => {
      const request = http.request({ ...target(host), path, method: i < 2 ? 'GET' : 'POST', headers: { host } });
      request.on('error', () => undefined);
      if (i < 2) request.end();
      else request.write('a body without an end');
      return request;
    });
    await vi.waitFor(async () => expect(await nginx.gateway.inFlight(app.address)).toBe(4), until);
    for (const request of requests) request.destroy();
    await eventuallyIdle(app.address);
  });
});

describe('routes', () => {
  test('are exactly what was set, and nothing changes where nothing differs', async () => {
    const id = 'exact--shop' as PreviewId;
    const first = [routeOf('exact--shop', '127.0.0.1:1'), routeOf('api--exact--shop', '[::1]:2', id)];
    expect(await nginx.gateway.setRoutes(id, first)).toBe(true);
    expect(await nginx.gateway.setRoutes(id, first.toReversed())).toBe(false);
    expect(await nginx.gateway.routesOf(id)).toEqual(first.toSorted((a, b) => (a.host < b.host ? -1 : 1)));
    const second = [routeOf('exact--shop', '127.0.0.1:3')];
    expect(await nginx.gateway.setRoutes(id, second)).toBe(true);
    expect(await nginx.gateway.routesOf(id)).toEqual(second);
    expect(JSON.parse((await get(`api--exact--shop.${DOMAIN}`)).text)).toMatchObject({ page: true });
    expect(await nginx.gateway.setRoutes(id, [])).toBe(true);
    expect(await nginx.gateway.setRoutes(id, [])).toBe(false);
    expect(await nginx.gateway.routesOf(id)).toEqual([]);
    expect((await nginx.gateway.routes()).some((entry) => entry.preview === id)).toBe(false);
  });

  test('of two previews do not touch each other, also when set at once', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `many${i}--shop`);
    await Promise.all(ids.map((id, i) => route(id, `127.0.0.1:${i + 1}`)));
    expect((await nginx.gateway.routes()).filter((entry) => entry.host.startsWith('many'))).toHaveLength(20);
    await nginx.gateway.setRoutes('many0--shop' as PreviewId, []);
    expect((await nginx.gateway.routes()).filter((entry) => entry.host.startsWith('many'))).toHaveLength(19);
    const thief = nginx.gateway.setRoutes('thief--shop' as PreviewId, [
      routeOf('many1--shop', '127.0.0.1:9', 'thief--shop'),
    ]);
    await expect(thief).rejects.toMatchObject({
      code: 'route-failed',
      message: expect.stringContaining('belongs to many1--shop'),
    });
    expect((await nginx.gateway.routesOf('many1--shop' as PreviewId))[0]?.upstream).toBe('127.0.0.1:2');
    await Promise.all(ids.map((id) => nginx.gateway.setRoutes(id as PreviewId, [])));
  });

  test.each([
    { host: 'A' },
    { host: 'a.b' },
    { host: 'a\n' },
    { host: '-a' },
    { host: 'a'.repeat(64) },
    { build: 'b c' },
    { upstream: 'example.com:80' },
    { upstream: '127.0.0.1' },
    { upstream: '127.0.0.1:0' },
    { upstream: '127.0.0.1:65536' },
    { upstream: '127.0.0.256:80' },
    { upstream: '127.0.0.1:80\nx' },
    { upstream: '::1:80' },
    { upstream: '[::1]x:80' },
    { upstream: 'unix:/run/docker.sock' },
    { preview: 'other--shop' as PreviewId },
  ])('are refused on both sides where a value is not what it should be: %j', async (part) => {
    const id = 'bad--shop' as PreviewId;
    const bad = { ...routeOf('bad--shop', '127.0.0.1:80'), ...part } as Route;
    await expect(nginx.gateway.setRoutes(id, [bad])).rejects.toMatchObject({ code: 'route-failed', kind: 'terminal' });
    const line = `${bad.host} ${bad.preview} ${bad.build} ${bad.upstream}\n`;
    expect(await control('PUT', `/previews/${id}`, line)).toBe(400);
    expect(await nginx.gateway.routesOf(id)).toEqual([]);
  });

  test('survive a kill of nginx, its file being written before it is told', async () => {
    const app = await serve((_, response) => response.end('still here'));
    await route('kill--shop', app.address);
    const before = await nginx.gateway.routes();
    const killed = nginx.pid;
    const workers = await workersOf(killed);
    process.kill(killed, 'SIGKILL');
    await vi.waitFor(() => expect(outages).toEqual(['away: it was ended by SIGKILL', 'back']), until);
    expect(nginx.pid).not.toBe(killed);
    expect(await Promise.all(workers.map(isRunning))).toEqual([false, false]);
    expect(byHost(await nginx.gateway.routes())).toEqual(byHost(before));
    expect((await get(`kill--shop.${DOMAIN}`)).text).toBe('still here');
  });

  test('and counts survive a kill of one worker', async () => {
    const app = await serve((request, response) => {
      if (request.url !== '/wait') response.end('ok');
    });
    await route('worker--shop', app.address);
    const host = `worker--shop.${DOMAIN}`;
    const hanging = Array.from({ length: 4 }, () => get(host, { path: '/wait' }).catch(() => 'cut'));
    await vi.waitFor(async () => expect(await nginx.gateway.inFlight(app.address)).toBe(4), until);
    for (const pid of await workersOf(nginx.pid)) process.kill(pid, 'SIGKILL');
    expect(await Promise.all(hanging)).toEqual(['cut', 'cut', 'cut', 'cut']);
    await vi.waitFor(async () => expect(await nginx.gateway.inFlight(app.address)).toBe(0), until);
    expect((await get(host)).text).toBe('ok');
  });

  test('survive a reload, which happens only where a byte changes', async () => {
    const app = await serve((_, response) => response.end('kept'));
    const other = await serve((_, response) => response.writeHead(410).end('other page'));
    await route('reload--shop', app.address);
    expect(await nginx.reload(options)).toBe(false);
    expect(await nginx.reload({ ...options, pages: other.address })).toBe(true);
    expect((await get(`reload--shop.${DOMAIN}`)).text).toBe('kept');
    await vi.waitFor(async () => expect((await get(`nobody.${DOMAIN}`)).status).toBe(410), until);
    expect(await nginx.reload(options)).toBe(true);
    await vi.waitFor(async () => expect((await get(`nobody.${DOMAIN}`)).status).toBe(404), until);
    await expect(nginx.reload({ ...options, domain: 'a b' })).rejects.toMatchObject({ code: 'bad-config' });
    await expect(nginx.reload({ ...options, pages: 'no.such.host.invalid:1' })).rejects.toThrow('nginx -t');
    expect((await get(`reload--shop.${DOMAIN}`)).text).toBe('kept');
    expect(await nginx.reload(options)).toBe(false);
  });
});

describe('watching and waking', () => {
  test('visits are counted by host', async () => {
    const app = await serve((_, response) => response.end('ok'));
    const started = Date.now();
    await route('visit--shop', app.address);
    for (let i = 0; i < 3; i++) await get(`visit--shop.${DOMAIN}`);
    await get(`nobody--visits.${DOMAIN}`);
    const visits = await nginx.gateway.visits();
    const mine = visits.find((visit) => visit.host === 'visit--shop');
    expect(mine?.count).toBe(3);
    // nginx's clock has steps of one loop.
    expect(mine?.last).toBeGreaterThan(started - 1_000);
    expect(visits.some((visit) => visit.host === 'nobody--visits')).toBe(false);
    await nginx.gateway.setRoutes('visit--shop' as PreviewId, []);
    expect((await nginx.gateway.visits()).some((visit) => visit.host === 'visit--shop')).toBe(false);
  });

  test('of a preview that sleeps requests wait, one of them tells Treehouse, and all go on when it is awake', async () => {
    const apps = await Promise.all(['old', 'new'].map((name) => serve((_, response) => response.end(name))));
    const host = `sleeper--shop.${DOMAIN}`;
    const id = 'sleeper--shop' as PreviewId;
    await route(id, apps[0]?.address ?? '');
    await nginx.gateway.close(id);
    const before = wakes.length;
    let answered = 0;
    const waiting = Array.from({ length: 100 }, () => get(host).finally(() => answered++));
    await vi.waitFor(() => expect(wakes.slice(before)).toEqual([id]), until);
    // Another host's requests pass meanwhile, so the waiting ones had their chance.
    for (let i = 0; i < 20; i++) await get(`nobody.${DOMAIN}`);
    expect(answered).toBe(0);
    await nginx.gateway.open(id);
    expect(new Set((await Promise.all(waiting)).map((one) => one.text))).toEqual(new Set(['old']));
    expect(wakes.slice(before).length).toBeLessThanOrEqual(4);

    // A body that was not read yet goes where the preview is then; so does what waits when it is routed anew.
    await nginx.gateway.close(id);
    const posted = get(host, { method: 'POST', body: 'x'.repeat(100_000) });
    await vi.waitFor(() => expect(wakes.at(-1)).toBe(id), until);
    await route(id, apps[1]?.address ?? '', 'b2');
    expect((await posted).text).toBe('new');
    expect((await get(host)).text).toBe('new');
  });

  test('of a preview that does not wake in time they get the page', async () => {
    const app = await serve((_, response) => response.end('late'));
    const id = 'late--shop' as PreviewId;
    await route(id, app.address);
    await nginx.gateway.close(id);
    const page = await get(`late--shop.${DOMAIN}`);
    expect(page.status).toBe(404);
    expect(JSON.parse(page.text)).toMatchObject({ page: true, url: '/gateway/page' });
    await nginx.gateway.open(id);
    expect((await get(`late--shop.${DOMAIN}`)).text).toBe('late');
    await expect(nginx.gateway.close('-none' as PreviewId)).rejects.toMatchObject({ code: 'route-failed' });
  });
});

describe('starting', () => {
  test('names what is missing or taken', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'treehouse-test-'));
    cleanUps.push(() => rm(elsewhere, { recursive: true }));
    const taken = startNginx({ ...options, home: elsewhere });
    await expect(taken).rejects.toThrow(new RegExp(`port ${options.port}: something else .* TREEHOUSE_GATEWAY_PORT`));
    const fake = join(elsewhere, 'nginx-without-lua');
    await writeFile(fake, '#!/bin/sh\necho --modules-path=/nonexistent >&2\n', { mode: 0o755 });
    const start = async (program: string) =>
      startNginx({ ...options, port: await freePort(), program, home: elsewhere });
    await expect(start(fake)).rejects.toThrow('on Debian: apt-get install libnginx-mod-http-lua');
    await expect(start(join(elsewhere, 'none'))).rejects.toThrow('on Debian: apt-get install nginx');
  });

  test('refuses a home whose gateway runs, and clears away one that was left behind', async () => {
    const port = await freePort();
    await expect(startNginx({ ...options, port })).rejects.toThrow('another Treehouse');
    const folder = join(home, 'nginx');
    const temporary = await readFile(join(folder, 'temporary'), 'utf8');
    await nginx.stop();
    await mkdir(temporary, { mode: 0o711 });
    await writeFile(join(folder, 'temporary'), temporary);
    const left = spawn('nginx', ['-p', `${folder}/`, '-c', 'nginx.conf', '-e', 'stderr'], {
      stdio: 'ignore',
      cwd: folder,
    });
    await vi.waitFor(async () => expect(await control('GET', '/ready')).toBe(200), until);
    const workers = await workersOf(left.pid);
    left.kill('SIGKILL');
    await once(left, 'exit');
    expect(workers).toHaveLength(2);
    expect((await get(`nobody.${DOMAIN}`)).status).toBe(404);
    nginx = await startNginx(options);
    expect(await Promise.all(workers.map(isRunning))).toEqual([false, false]);
    expect((await get(`nobody.${DOMAIN}`)).status).toBe(404);
  });

  test('keeps the home to itself, and its workers without rights', async () => {
    expect((await stat(join(home, 'nginx'))).mode & 0o777).toBe(0o700);
    const pids = await workersOf(nginx.pid);
    expect(pids).toHaveLength(2);
    for (const pid of pids) {
      const uid = /^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
      expect(uid).not.toBe('0');
    }
  });
});

test('stopping leaves no process, no socket and no temporary folder', async () => {
  const temporary = await readFile(join(home, 'nginx', 'temporary'), 'utf8');
  const { pid } = nginx;
  await nginx.stop();
  expect(await isRunning(pid)).toBe(false);
  expect(await readdir(join(home, 'nginx'))).not.toContain('control.sock');
  await expect(stat(temporary)).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(get(`nobody.${DOMAIN}`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

describe('a child', () => {
  const child = { name: 'the child', command: 'sh', ready: async () => true };

  test('gets no environment but PATH, and its lines are heard', async () => {
    const lines: string[] = [];
    const started = await startChild({ ...child, command: 'env', args: [], onLine: (line) => lines.push(line) });
    expect(await started.exited).toEqual({ code: 0, signal: null, asked: false });
    await vi.waitFor(() => expect(lines).toEqual([expect.stringMatching(/^PATH=/)]), until);
  });

  test('that ends before it is ready is an error with its last words', async () => {
    const ends = startChild({ ...child, args: ['-c', 'echo why; exit 3'], ready: async () => false });
    await expect(ends).rejects.toMatchObject({
      code: 'process-failed',
      message: 'the child ended with code 3 before it was ready\n  why',
    });
    await expect(startChild({ ...child, command: '/nonexistent', args: [] })).rejects.toThrow('could not be started');
    const late = startChild({ ...child, args: ['-c', 'sleep 60'], ready: async () => false, readyWithin: 50 });
    await expect(late).rejects.toThrow('was not ready within 0.05 s');
  });

  test('that ignores its signals is killed with all of its own', async () => {
    const lines: string[] = [];
    const started = await startChild({
      ...child,
      args: ['-c', 'trap "" TERM; sleep 60 & echo $!; wait; wait'],
      ready: async () => lines.length > 0,
      stopWith: [{ signal: 'SIGTERM', wait: 50 }],
      onLine: (line) => lines.push(line),
    });
    expect(await started.stop()).toEqual({ code: null, signal: 'SIGKILL', asked: true });
    await vi.waitFor(async () => expect(await isRunning(Number(lines[0]))).toBe(false), until);
  });
});

const echo: RequestListener = (request, response) => {
  response.end(JSON.stringify({ url: request.url, method: request.method, headers: request.headers }));
};

async function serve(listener: RequestListener): Promise<Served> {
  let connections = 0;
  const server = createServer(listener);
  server.on('connection', () => {
    connections++;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUps.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `127.0.0.1:${portOf(server)}`, server, connections: () => connections };
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

function keepAlive(maxSockets = Number.POSITIVE_INFINITY): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets });
  cleanUps.push(() => agent.destroy());
  return agent;
}

function routeOf(host: string, upstream: string, preview = host, build = 'b1'): Route {
  return { host, preview: preview as PreviewId, build: build as BuildId, upstream };
}

function route(id: string, upstream: string, build?: string): Promise<boolean> {
  return nginx.gateway.setRoutes(id as PreviewId, [routeOf(id, upstream, id, build)]);
}

function byHost(routes: readonly Route[]): readonly Route[] {
  return routes.toSorted((a, b) => (a.host < b.host ? -1 : 1));
}

function target(host: string, port = options.port) {
  return { host: '127.0.0.1', port, headers: { host }, agent: false as const };
}

interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string;
  readonly agent?: Agent;
  readonly port?: number | undefined;
}

/** One request to the gateway; `port` of the answer is the client's own. */
function get(host: string, ask: Ask = {}): Promise<Answer & { readonly port: number | undefined }> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', path = '/', agent = false } = ask;
    const body = ask.body === undefined ? {} : { 'content-length': Buffer.byteLength(ask.body) };
    const request = http.request({ ...target(host, ask.port ?? options.port), method, path, agent });
    for (const [name, value] of Object.entries({ ...body, ...ask.headers })) request.setHeader(name, value ?? '');
    request.once('error', reject);
    request.once('response', async (response) => {
      const port = response.socket.localPort;
      try {
        const text = (await response.setEncoding('utf8').toArray()).join('');
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          text,
          port,
        });
      } catch (error) {
        reject(error);
      }
    });
    request.end(ask.body);
  });
}

function valuesOf(answer: Answer, name: string): readonly string[] {
  return answer.rawHeaders.filter((_, i) => i % 2 === 1 && answer.rawHeaders[i - 1]?.toLowerCase() === name);
}

async function raw(text: string): Promise<string> {
  const socket = net.connect(options.port ?? 0, '127.0.0.1');
  // No half-close: nginx takes it for a client that went away.
  socket.write(text);
  return (await socket.setEncoding('utf8').toArray()).join('');
}

function controlRequest(method: string, path: string, body: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const socketPath = join(home, 'nginx', 'control.sock');
    const headers = { 'content-length': Buffer.byteLength(body) };
    const request = http.request({ socketPath, method, path, headers, agent: false }, resolve);
    request.once('error', reject);
    request.end(body);
  });
}

async function control(method: string, path: string, body = ''): Promise<number | undefined> {
  const response = await controlRequest(method, path, body);
  response.resume();
  return response.statusCode;
}

async function workersOf(master = 0): Promise<readonly number[]> {
  const children = await readFile(`/proc/${master}/task/${master}/children`, 'utf8');
  return children.trim().split(' ').map(Number);
}

/** A zombie that nobody has waited for does not run. */
async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') X');
  return !/\) [ZX]/.test(status);
}

async function eventuallyIdle(upstream: string): Promise<void> {
  await vi.waitFor(async () => expect(await nginx.gateway.inFlight(upstream)).toBe(0), until);
}

async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}
