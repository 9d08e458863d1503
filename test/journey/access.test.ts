/** A preview that opens with a link: an app with a WebSocket through it, until the link ends, is revoked, or the preview goes. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PreviewId } from '../../src/domain/names.ts';
import { createClient } from '../../src/web/client.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { docker, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const chat = `acme/chat${process.pid}`;
const drowsy = `acme/sleepy${process.pid}`;
const ADMIN = 'the admin token of this test';
const BRANCH = 'talk';
const HOUR = 3_600_000;

/** Tells the headers that it got, and gives a WebSocket's short frames back. */
const SERVER = `const http = require('http'), crypto = require('crypto');
const server = http.createServer((q, r) => r.end('the app: ' + JSON.stringify(q.headers)));
server.on('upgrade', (q, s) => {
  const accept = crypto.createHash('sha1').update(q.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  s.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
  s.on('error', () => s.destroy()).on('data', (d) => { const n = d[1] & 127, mask = d.subarray(2, 6);
    s.write(Buffer.concat([Buffer.from([129, n]), Buffer.from(d.subarray(6, 6 + n)).map((b, i) => b ^ mask[i % 4])])); });
});
process.on('SIGTERM', () => process.exit(0));
server.listen(8000);
`;
const files = {
  Dockerfile: 'FROM node:20-slim\nCOPY server.js /app/\nEXPOSE 8000\nCMD ["node", "/app/server.js"]\n',
  'server.js': SERVER,
};

let folder: string;
let repos: { readonly chat: TestRepo; readonly drowsy: TestRepo };
let world: World;
let client: ReturnType<typeof createClient>;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  const home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  repos = {
    chat: await makeRepo(path.join(folder, 'chat'), files),
    drowsy: await makeRepo(path.join(folder, 'drowsy'), files),
  };
  for (const repo of Object.values(repos)) {
    await repo.branch(BRANCH);
    await repo.push();
  }
  const repositories = {
    [chat]: { url: repos.chat.remote, access: 'link' },
    [drowsy]: {
      url: repos.drowsy.remote,
      access: { mode: 'password', open: ['/healthz'] },
      previews: { idle: '3s' },
    },
  };
  await writeFile(path.join(home, 'treehouse.yml'), JSON.stringify({ repositories }));
  world = await startWorld({ repositories: {}, home, env: { TREEHOUSE_ADMIN_TOKEN: ADMIN } });
  client = createClient({ url: world.url, token: ADMIN });
  await built(chat, repos.chat);
});
afterAll(async () => {
  await world?.stop();
  if (world) await rm(world.home, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

const id = (repository = chat) => world.idOf(repository, BRANCH);

async function built(repository: string, repo: TestRepo): Promise<void> {
  await world.pushed(repository, BRANCH);
  const record = await world.ended(id(repository), await repo.head(BRANCH));
  expect(record.attempt).toMatchObject({ outcome: 'live' });
}

/** What a browser has after it followed the link. */
async function follow(url: string, preview: PreviewId = id()): Promise<string> {
  const answer = await world.visit(preview, new URL(url).pathname);
  expect([answer.status, answer.headers.location]).toEqual([303, '/']);
  return answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
}

async function linkFor(ms: number): Promise<{ readonly id: string; readonly url: string; readonly endsAt: number }> {
  const endsAt = Date.now() + ms;
  const made = await client.createLink(id(), { expiresAt: new Date(endsAt).toISOString() });
  return { id: made.id, url: made.url, endsAt };
}

/** A WebSocket, or the status that refused it. */
async function webSocket(headers: Record<string, string>): Promise<Socket | number> {
  const key = randomBytes(16).toString('base64');
  const asked = request({
    ...{ host: '127.0.0.1', port: world.gatewayPort, path: '/socket', agent: false },
    headers: {
      ...{ host: `${id()}.${world.domain}`, connection: 'Upgrade', upgrade: 'websocket' },
      ...{ 'sec-websocket-version': '13', 'sec-websocket-key': key, ...headers },
    },
  });
  asked.end();
  return new Promise((resolve, reject) => {
    asked.on('error', reject);
    asked.on('response', (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asked.on('upgrade', (answer: IncomingMessage, socket) => {
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      expect(answer.headers['sec-websocket-accept']).toBe(accept);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

/** A WebSocket that answers; `closed` tells its end, whenever that is. */
async function opened(
  headers: Record<string, string>,
): Promise<{ readonly socket: Socket; readonly closed: Promise<unknown> }> {
  const socket = await webSocket(headers);
  if (typeof socket === 'number') throw new Error(`the WebSocket was answered with ${socket}`);
  const closed = once(socket, 'close');
  const mask = randomBytes(4);
  const text = Buffer.from('hello');
  const frame = Buffer.concat([
    Buffer.from([129, 128 | text.length]),
    mask,
    text.map((byte, i) => byte ^ (mask[i % 4] ?? 0)),
  ]);
  socket.write(frame);
  const [back] = (await once(socket, 'data')) as [Buffer];
  expect(back.subarray(2).toString()).toBe('hello');
  return { socket, closed };
}

async function expectLocked(cookie = ''): Promise<void> {
  const headers = { cookie, accept: 'text/html' };
  for (const where of ['/', '/healthz', '/x?y']) {
    const answer = await world.visit(id(), where, headers);
    expect(answer.status).toBe(403);
    expect(answer.body).toContain('This house is locked');
    for (const fact of ['the app', BRANCH, chat, (await repos.chat.head(BRANCH)).slice(0, 7)]) {
      expect(answer.body).not.toContain(fact);
    }
  }
  expect(await webSocket({ cookie })).toBe(403);
}

it('is closed to whoever has no link', () => expectLocked());

it('opens an app, its WebSocket too, without a trace of the link in what the app gets', async () => {
  const { url } = await linkFor(HOUR);
  const cookie = await follow(url);
  const answer = await world.visit(id(), '/', { cookie: `session=1; ${cookie}`, authorization: 'Bearer of the app' });
  expect(answer.status).toBe(200);
  const got = JSON.parse(answer.body.replace('the app: ', '')) as Record<string, string>;
  expect(got).toMatchObject({ cookie: 'session=1', authorization: 'Bearer of the app' });
  expect(answer.body).not.toContain('treehouse-pass');
  (await opened({ cookie, authorization: 'Bearer of the app' })).socket.destroy();
});

it('ends when the link is revoked, with what is open', async () => {
  const [link, other] = [await linkFor(HOUR), await linkFor(HOUR)];
  const [cookie, otherCookie] = [await follow(link.url), await follow(other.url)];
  const [one, another] = [await opened({ cookie }), await opened({ cookie: otherCookie })];
  await client.revokeLink(id(), link.id);
  await expectLocked(cookie);
  expect((await world.visit(id(), new URL(link.url).pathname)).status).toBe(403);
  await one.closed;
  expect((await world.visit(id(), '/', { cookie: otherCookie })).status).toBe(200);
  expect(another.socket.destroyed).toBe(false);
  another.socket.destroy();
  expect((await client.links(id())).map((one) => one.id)).not.toContain(link.id);
});

it('ends at its time, with what is open', async () => {
  const link = await linkFor(12_000);
  const cookie = await follow(link.url);
  await (await opened({ cookie })).closed;
  expect(Date.now()).toBeGreaterThanOrEqual(link.endsAt);
  await expectLocked(cookie);
  expect((await world.visit(id(), new URL(link.url).pathname)).status).toBe(403);
});

it('does not open the second life of a preview that was removed', async () => {
  const { url } = await linkFor(HOUR);
  const cookie = await follow(url);
  const { closed } = await opened({ cookie });
  await repos.chat.deleteBranch(BRANCH);
  await world.pushed(chat, BRANCH, { deleted: true });
  await until('it is gone', async () => (await world.record(id()))?.state === 'removed');
  await closed;
  expect(await client.links()).toEqual([]);
  expect(await readdir(path.join(world.home, 'links'))).toEqual([]);
  await expect(linkFor(HOUR)).rejects.toThrow('The preview is gone');
  await repos.chat.push();
  await built(chat, repos.chat);
  await expectLocked(cookie);
  expect((await world.visit(id(), new URL(url).pathname)).status).toBe(403);
});

it('falls asleep whatever strangers do, and is woken by guests alone', async () => {
  await built(drowsy, repos.drowsy);
  const mine = id(drowsy);
  await client.setPassword(drowsy, 'open sesame, said the fox');
  const link = await client.createLink(mine, { expiresAt: new Date(Date.now() + HOUR).toISOString() });
  const cookie = await follow(link.url, mine);
  const isAwake = async () => (await world.visit(mine, '/', { cookie })).body.includes('the app');
  await until('it is awake', isAwake);
  await until('it sleeps', async () => {
    expect((await world.visit(mine)).status).toBe(403);
    expect([200, 503]).toContain((await world.visit(mine, '/healthz')).status);
    return (await world.record(mine))?.state === 'asleep';
  });
  for (let i = 0; i < 20; i += 1) {
    expect((await world.visit(mine)).status).toBe(403);
    expect((await world.visit(mine, '/healthz')).status).toBe(503);
  }
  expect((await world.record(mine))?.state).toBe('asleep');
  expect(await docker('ps', '-q', '--filter', `label=treehouse.preview=${mine}`)).toEqual([]);
  await until('it is awake again', isAwake);
});
