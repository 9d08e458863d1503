/** A gateway behind its entrance is replaced by another, and nobody who visits is told no. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BuildId, PreviewId } from '../../src/domain/names.ts';
import { type EmbeddedNginx, startNginx } from '../../src/embedded/nginx.ts';
import { listenAt } from '../../src/web/socket.ts';
import { ask2, SHOP, startTlsWorld, type TlsWorld } from '../support/tls-world.ts';
import { until } from '../support/treehouse.ts';

let world: TlsWorld;
let nginx: EmbeddedNginx;
const others: EmbeddedNginx[] = [];
beforeEach(async () => {
  world = await startTlsWorld({ hasEntrance: true });
  nginx = world.nginx;
});
afterEach(async () => {
  for (const one of others.splice(0)) await one.stop();
  await world?.stop();
});

/** The old one ends before the new one starts, as a container that is made anew. */
async function replace(more: Partial<TlsWorld['options']> = {}): Promise<EmbeddedNginx> {
  await nginx.stop();
  nginx = await startNginx({ ...world.options, ...more });
  others.push(nginx);
  return nginx;
}

/** One client that never pauses. @returns what it was answered, and errors in their words */
async function visitor(signal: AbortSignal, visit: () => Promise<number>): Promise<readonly (number | string)[]> {
  const seen: (number | string)[] = [];
  while (!signal.aborted) {
    seen.push(await visit().catch(String));
    await delay(2);
  }
  return seen;
}

describe('a gateway behind its entrance', () => {
  it('hears nobody who does not say whose connection it is', async () => {
    const socket = connect(path.join(world.options.home, 'nginx', 'entrance', 'http.sock'));
    socket.end(`GET / HTTP/1.1\r\nHost: ${SHOP}\r\n\r\n`);
    expect((await socket.setEncoding('utf8').toArray()).join('')).not.toContain('200');
  });

  it('is replaced under visits of every kind', async () => {
    const over = new AbortController();
    const agents = Array.from({ length: 4 }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }));
    const plain = (agent?: http.Agent) => async () =>
      (await world.ask({ plain: true, headers: { 'x-forwarded-proto': 'https' }, ...(agent && { agent }) })).status;
    let session = world.http2().on('error', () => undefined);
    const clients = [
      ...agents.map((agent) => visitor(over.signal, plain(agent))),
      ...Array.from({ length: 4 }, () => visitor(over.signal, plain())),
      ...Array.from({ length: 2 }, () => visitor(over.signal, async () => (await world.ask()).status)),
      visitor(over.signal, async () => {
        for (;;) {
          if (session.closed || session.destroyed) session = world.http2().on('error', () => undefined);
          try {
            return (await ask2(session)).status;
          } catch (error) {
            // Told that this connection took no more, and that nothing was done: sent again by browsers (RFC 9113, 8.7).
            if (!String(error).includes('NGHTTP2_REFUSED_STREAM')) throw error;
          }
        }
      }),
    ];
    await delay(500);
    for (let times = 0; times < 3; times++) {
      await replace();
      await delay(500);
    }
    over.abort();
    const seen = await Promise.all(clients);
    session.destroy();
    for (const agent of agents) agent.destroy();
    const wrong = seen.map((one) => one.filter((answer) => answer !== 200 && answer !== 301));
    expect(wrong).toEqual(seen.map(() => []));
    for (const one of seen) expect(one.length).toBeGreaterThan(20);
  });

  it('lets who comes meanwhile wait, and answers what was asked before', async () => {
    await nginx.stop();
    expect(existsSync(path.join(world.options.home, 'nginx', 'entrance', 'http.sock'))).toBe(false);
    let isAnswered = false;
    const waiting = world.ask().finally(() => {
      isAnswered = true;
    });
    await delay(700);
    expect(isAnswered).toBe(false);
    others.push(await startNginx(world.options));
    expect((await waiting).status).toBe(200);
  });

  it('holds visits until it is told that it is in the networks of previews', async () => {
    const next = await replace({ isToldByOthers: true });
    let isAnswered = false;
    const waiting = world.ask().finally(() => {
      isAnswered = true;
    });
    // What is no preview's waits for nothing.
    expect((await world.ask({ host: 'elsewhere.test', plain: true })).status).toBe(404);
    await delay(300);
    expect(isAnswered).toBe(false);
    await next.gateway.told();
    expect((await waiting).status).toBe(200);
    expect((await world.ask()).status).toBe(200);
  });

  it('does not wait for ever to be told', async () => {
    await replace({ isToldByOthers: true });
    expect((await world.ask()).status).toBe(200);
  });

  it('says so where the names of its sockets would be too long, and makes none', async () => {
    const long = path.join(world.options.home, 'long'.repeat(20));
    await expect(startNginx({ ...world.options, home: long })).rejects.toMatchObject({
      code: 'bad-config',
      message: expect.stringContaining(
        "/nginx/entrance/https.sock: a socket's path has at most 100 bytes; choose a shorter TREEHOUSE_HOME",
      ),
    });
    expect(existsSync(path.join(long, 'nginx', 'entrance'))).toBe(false);
  });

  it('is found again by the entrance after its nginx was killed', async () => {
    process.kill(nginx.pid, 'SIGKILL');
    // Who comes while its workers die with it may be cut off, as by any server that is killed.
    await until('it is found again', async () => (await world.ask().catch(() => undefined))?.status === 200);
    for (let times = 0; times < 20; times++) expect((await world.ask()).status).toBe(200);
  });

  it('keeps its routes', async () => {
    const other = 'other--shop' as PreviewId;
    const upstream = (await nginx.gateway.routes())[0]?.upstream ?? '';
    await nginx.gateway.setRoutes(other, [{ host: other, preview: other, build: 'b2' as BuildId, upstream }]);
    await replace();
    expect((await world.ask({ host: `${other}.preview.localhost` })).status).toBe(200);
  });

  it('lets an answer that takes longer than its leaving end', async () => {
    const slow = http.createServer((_request, response) => {
      response.write('a');
      setTimeout(() => response.end('b'), 2_500);
    });
    await once(slow.listen(0, '127.0.0.1'), 'listening');
    const { port } = slow.address() as { port: number };
    const name = 'slow--shop' as PreviewId;
    await nginx.gateway.setRoutes(name, [
      { host: name, preview: name, build: 'b3' as BuildId, upstream: `127.0.0.1:${port}` },
    ]);
    const asked = world.ask({ host: `${name}.preview.localhost` });
    await delay(100);
    await replace();
    expect(await asked).toMatchObject({ status: 200, text: 'ab' });
    slow.close();
  });
});

describe('Treehouse’s own server behind a gateway of its own', () => {
  const ADMIN = 'treehouse.example.test';
  const app = () => {
    const seen = express();
    seen.post('/webhooks/github', express.text({ type: '*/*' }), (request, response) => {
      response.status(202).send(String(request.body));
    });
    return seen;
  };

  it('is waited for while it is replaced, and is sent each request once, with its body', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'treehouse-pages-'));
    // nginx's workers have no rights.
    await chmod(folder, 0o755);
    const pagesSocket = path.join(folder, 'pages.sock');
    await replace({ pages: `unix:${pagesSocket}`, adminHost: ADMIN, isToldByOthers: true });
    const post = (body: string) =>
      world.ask({
        host: ADMIN,
        method: 'POST',
        path: '/webhooks/github',
        body,
        headers: { 'content-type': 'text/plain' },
      });
    const before = await listenAt(app(), pagesSocket);
    expect(await post('first')).toMatchObject({ status: 202, text: 'first' });
    await before.close(1_000);
    let isAnswered = false;
    const held = Promise.all(Array.from({ length: 5 }, (_, index) => post(`held ${index}`))).finally(() => {
      isAnswered = true;
    });
    // What would have to be kept here is told at once.
    expect((await post('x'.repeat(200_000))).status).toBe(503);
    await delay(300);
    expect(isAnswered).toBe(false);
    const after = await listenAt(app(), pagesSocket);
    expect((await held).map(({ status, text }) => [status, text])).toEqual(
      Array.from({ length: 5 }, (_, index) => [202, `held ${index}`]),
    );
    await after.close(1_000);
    await rm(folder, { recursive: true });
  });
});
