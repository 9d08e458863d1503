/** The dashboard over real HTTP and a real Redis: who gets in, who may what, and what open pages are sent. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issueToken } from '../../src/access/issue.ts';
import { redisSessions } from '../../src/adapters/redis-sessions.ts';
import { openStore, type RedisStore } from '../../src/adapters/redis-store.ts';
import type { BuildEvent } from '../../src/domain/events.ts';
import {
  branchName,
  buildId,
  commitId,
  previewId,
  type RepositoryName,
  repositoryName,
  repositorySlug,
} from '../../src/domain/names.ts';
import { newRecord, type PreviewRecord } from '../../src/domain/preview.ts';
import { redisConnections } from '../../src/queue/redis.ts';
import { ADMIN_TOKEN, type DashboardWorld, startDashboard } from '../support/dashboard-world.ts';
import { type Frame, framesOf } from '../support/frames.ts';
import { keptLog } from '../support/log.ts';
import { writeMany } from '../support/many-previews.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const NAMES = ['acme/shop', 'acme/blog'].map(repositoryName);
const repositories = NAMES.map((name) => ({
  ...{ name, slug: repositorySlug(name), branches: ['*'] },
  url: `https://secret@github.com/${name}.git`,
}));
const { log } = keptLog();
let redis: TestRedis;
let store: RedisStore;
let world: DashboardWorld;
let records: readonly PreviewRecord[];
let connections: ReturnType<typeof redisConnections>;
beforeAll(async () => {
  redis = await startRedis();
  connections = redisConnections(redis.url, log);
  store = openStore({ redis: connections, clock: { now: Date.now }, log, prefix: 'dash' });
  const writing = connections.patient();
  records = await writeMany(writing, {
    ...{ prefix: 'dash', previews: 24, builds: 2, lines: 20, now: Date.now(), repositories: NAMES },
  });
  writing.disconnect();
  const sessions = redisSessions({ redis: connections, prefix: 'dash' });
  world = await startDashboard({ store, repositories, sessions, adminHost: 'treehouse.preview.localhost' });
});
afterAll(async () => {
  await world?.close();
  await store.close();
  await redis.close();
});

const ID = () => records[0]?.id ?? '';

function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${world.url}${path}`, { headers, redirect: 'manual' });
}

function post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${world.url}${path}`, {
    ...{ method: 'POST', headers, redirect: 'manual' },
    body: new URLSearchParams(fields),
  });
}

/** Where an answer leads. */
const leads = (answer: Response) => [answer.status, answer.headers.get('location')];

describe('signing in', () => {
  it('is asked of who is not, on the way to where they were going', async () => {
    expect(leads(await get('/'))).toEqual([303, '/sign-in']);
    expect(leads(await get(`/previews/${ID()}?build=x`))).toEqual([
      303,
      `/sign-in?next=%2Fpreviews%2F${ID()}%3Fbuild%3Dx`,
    ]);
    for (const path of ['/queue', '/host', '/trail', '/repositories', '/queue/raw', '/previews/x/containers']) {
      expect((await get(path)).status).toBe(303);
    }
    expect((await get('/live', { accept: 'text/event-stream' })).status).toBe(401);
    const asked = await get('/host', { 'hx-request': 'true' });
    expect([asked.status, asked.headers.get('hx-redirect')]).toEqual([401, '/sign-in']);
    expect((await post(`/previews/${ID()}/down`, {})).status).toBe(401);
  });

  it('takes a token, and gives a cookie that scripts and other sites do not get', async () => {
    const answer = await post('/sign-in', { token: ADMIN_TOKEN, next: '/queue' });
    expect(leads(answer)).toEqual([303, '/queue']);
    expect(answer.headers.get('set-cookie')).toMatch(/^treehouse=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
    const tls = await post('/sign-in', { token: ADMIN_TOKEN }, { 'x-forwarded-proto': 'https', host: 'x.example.com' });
    expect(tls.headers.get('set-cookie')).toMatch(
      /^__Host-treehouse=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
  });

  it('leads to no other site', async () => {
    for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example', 'x', '/a\nb']) {
      expect(leads(await post('/sign-in', { token: ADMIN_TOKEN, next }))).toEqual([303, '/']);
    }
  });

  it('refuses wrong tokens, other sites’ forms and lines that others can read', async () => {
    for (const token of ['', 'wrong', ADMIN_TOKEN.slice(1)])
      expect((await post('/sign-in', { token })).status).toBe(401);
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'http://evil' },
    ]) {
      expect((await post('/sign-in', { token: ADMIN_TOKEN }, headers)).status).toBe(403);
    }
    const open = await startDashboard({ store, repositories });
    const asked = await ask(open.url, 'treehouse.example.com', { token: ADMIN_TOKEN });
    expect([asked.status, asked.text]).toEqual([403, expect.stringContaining('X-Forwarded-Proto')]);
    await open.close();
  });

  it('is slow for who guesses, not for who was let in', async () => {
    const slow = await startDashboard({ store, repositories, guesses: 3 });
    const enter = (token: string) =>
      fetch(`${slow.url}/sign-in`, { method: 'POST', body: new URLSearchParams({ token }), redirect: 'manual' });
    expect((await enter(ADMIN_TOKEN)).status).toBe(303);
    const statuses = [];
    for (let count = 0; count < 5; count += 1) statuses.push((await enter('wrong')).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect((await enter(slow.token('reader'))).status).toBe(429);
    expect((await enter(ADMIN_TOKEN)).status).toBe(303);
    await slow.close();
  });

  it('ends with the token, with a word, and is in the trail', async () => {
    const cookie = await world.signIn(world.token('operator'));
    expect((await get('/', { cookie })).status).toBe(200);
    expect(leads(await post('/sign-out', { form: 'wrong' }, { cookie }))).toEqual([303, '/']);
    expect(leads(await post('/sign-out', { form: await world.form(cookie) }, { cookie }))).toEqual([303, '/sign-in']);
    expect((await get('/', { cookie })).status).toBe(303);
    expect(world.trail.entries.slice(-2).map((one) => [one.who, one.act])).toEqual([
      ['a operator', 'sign in'],
      ['a operator', 'sign out'],
    ]);
    const other = await world.signIn(world.token('reader'));
    const id = /^treehouse_([a-z0-9]{8})_/.exec(world.token('reader'))?.[1] ?? '';
    await world.tokens.remove(id);
    expect((await get('/', { cookie: other })).status).toBe(303);
  });

  it('is good for nothing under another’s cookie name', async () => {
    const cookie = await world.signIn(ADMIN_TOKEN);
    const tls = { 'x-forwarded-proto': 'https' };
    expect((await get('/', { cookie, ...tls })).status).toBe(303);
    expect((await get('/', { cookie: `__Host-${cookie}`, ...tls })).status).toBe(200);
    expect((await get('/', { cookie: `__Host-${cookie}` })).status).toBe(303);
  });

  it('is not at a name that a branch could have', async () => {
    const cookie = await world.signIn(ADMIN_TOKEN);
    const answer = await ask(world.url, 'other.preview.localhost', undefined, cookie);
    expect([answer.status, answer.text]).toEqual([
      421,
      expect.stringContaining('TREEHOUSE_ADMIN_HOST=other.preview.localhost'),
    ]);
    expect((await ask(world.url, 'treehouse.preview.localhost', undefined, cookie)).status).toBe(200);
  });
});

describe('what may be asked', () => {
  it('is asked by forms of one’s own session alone', async () => {
    const [cookie, other] = [await world.signIn(ADMIN_TOKEN), await world.signIn(ADMIN_TOKEN)];
    const form = await world.form(cookie);
    const at = `/previews/${ID()}/redeploy`;
    for (const fields of [{}, { form: '' }, { form: await world.form(other) }]) {
      const answer = await post(at, fields, { cookie });
      expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('not of this session')]);
    }
    for (const headers of [{ 'sec-fetch-site': 'same-site' }, { origin: 'http://main--shop.preview.localhost:8080' }]) {
      expect((await post(at, { form }, { cookie, ...headers })).status).toBe(403);
    }
    expect(leads(await post(at, { form }, { cookie }))).toEqual([303, `/previews/${ID()}?did=redeploy`]);
    expect(await (await get(`/previews/${ID()}?did=redeploy`, { cookie })).text()).toContain(
      'is built and started anew',
    );
    const inHeader = await post(at, {}, { cookie, 'x-treehouse-form': form, 'hx-request': 'true' });
    expect([inHeader.status, await inHeader.text()]).toEqual([200, expect.stringContaining('hx-swap-oob="true"')]);
    expect(world.trail.entries.at(-1)).toMatchObject({ act: 'redeploy', to: ID(), who: 'admin', status: 202 });
  });

  it('is what the token may: readers are shown no buttons, and refused', async () => {
    const cookie = await world.signIn(world.token('reader', 'acme/shop'));
    const html = await (await get(`/previews/${ID()}`, { cookie })).text();
    expect(html).not.toContain('/redeploy');
    const answer = await post(`/previews/${ID()}/down`, { form: await world.form(cookie) }, { cookie });
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('a token that may operate')]);
  });

  it('is of what the token reaches; the rest is not there', async () => {
    const cookie = await world.signIn(world.token('operator', 'acme/shop'));
    const list = await (await get('/', { cookie })).text();
    expect(list).toContain('acme/shop');
    expect(list).not.toContain('acme/blog');
    const blog = records[1]?.id;
    for (const path of [
      `/previews/${blog}`,
      `/previews/${blog}/containers`,
      `/previews/${blog}/live`,
      '/previews/none--shop',
    ]) {
      expect((await get(path, { cookie })).status).toBe(404);
    }
    const form = await world.form(cookie);
    expect((await post(`/previews/${blog}/down`, { form }, { cookie })).status).toBe(404);
    const statuses = await Promise.all(
      ['/host', '/trail', '/queue/raw'].map(async (one) => (await get(one, { cookie })).status),
    );
    expect(statuses).toEqual([403, 403, 403]);
    expect(await (await get('/repositories', { cookie })).text()).not.toContain('acme/blog');
    expect(await (await get('/repositories', { cookie })).text()).not.toContain('secret@');
  });

  it('says why it cannot be', async () => {
    const cookie = await world.signIn(ADMIN_TOKEN);
    const answer = await post(`/previews/${ID()}/cancel`, { form: await world.form(cookie) }, { cookie });
    expect([answer.status, await answer.text()]).toEqual([
      409,
      expect.stringContaining('No build of it is under way.'),
    ]);
    expect((await get('/?state=nonsense', { cookie })).status).toBe(400);
  });
});

describe('every page', () => {
  it('lets nothing in but its own, and is kept nowhere', async () => {
    const cookie = await world.signIn(ADMIN_TOKEN);
    for (const path of [
      '/',
      '/sign-in',
      `/previews/${ID()}`,
      '/queue',
      '/host',
      '/trail',
      '/repositories',
      '/previews/x',
    ]) {
      const { headers } = await get(path, { cookie });
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none';script-src 'self';style-src 'self';img-src 'self';connect-src 'self';form-action 'self';base-uri 'none';frame-ancestors 'none'",
      );
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('referrer-policy')).toBe('same-origin');
      expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
      expect(headers.get('strict-transport-security')).toContain('max-age');
    }
    const other = await get('/', { cookie, 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' });
    expect(other.status).toBe(403);
  });

  it('needs less than 60 kB to be seen', async () => {
    const cookie = await world.signIn(ADMIN_TOKEN);
    const html = await (await get('/', { cookie })).text();
    const assets = [...new Set([...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, at]) => at ?? ''))];
    expect(assets).toHaveLength(5);
    let bytes = await sizeOf('/', cookie);
    for (const one of assets) {
      const { status, headers } = await get(one);
      expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=31536000, immutable']);
      bytes += await sizeOf(one, '');
    }
    expect(bytes).toBeLessThan(60_000);
  });
});

describe('an open page', () => {
  const at = Date.now();
  const of = () => ({ preview: records[0]?.id ?? ('' as never), build: buildId(at, 5), at });
  const say = async (event: BuildEvent) => {
    await store.append(event);
    if (event.type !== 'log') world.hub.touch(event.preview);
  };

  /** The stream that a page would open. */
  async function stream(path: string, cookie: string): Promise<{ frames: AsyncGenerator<Frame>; end(): void }> {
    const html = await (await get(path, { cookie })).text();
    const connect = (/sse-connect="([^"]+)"/.exec(html)?.[1] ?? '').replaceAll('&amp;', '&');
    const over = new AbortController();
    const answer = await fetch(`${world.url}${connect}`, {
      ...{ headers: { cookie, accept: 'text/event-stream' }, signal: over.signal },
    });
    expect(answer.headers.get('content-encoding')).toBeNull();
    return { frames: framesOf(answer), end: () => over.abort() };
  }
  async function next(frames: AsyncGenerator<Frame>, is: (one: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const { value, done } = await frames.next();
      if (done) throw new Error('the stream ended');
      if (is(value)) return value;
    }
  }

  it('is sent the row of a preview that changed, and nothing where nothing did', async () => {
    const cookie = await world.signIn(ADMIN_TOKEN);
    const { frames, end } = await stream('/?sort=id', cookie);
    await store.know(records[0] as PreviewRecord);
    await say({ ...of(), type: 'build.started', commit: commitId('d'.repeat(40)), cause: 'it was pushed' });
    const { data } = await next(frames, (one) => one.type === 'regions');
    expect(data).toContain(`<template><tr id="row-${ID()}" hx-swap-oob="true">`);
    expect(data).toContain('building');
    expect(data).toContain('<p id="news" role="status"');
    expect(data).not.toContain('id="list"');
    end();
    expect(world.hub.listeners()).toBeLessThanOrEqual(1);
  });

  it('of a preview follows its log, and the build that comes next', async () => {
    const cookie = await world.signIn(ADMIN_TOKEN);
    const { frames, end } = await stream(`/previews/${ID()}`, cookie);
    await say({ ...of(), type: 'log', stage: 'build', source: 'web', line: 'the first <line>' });
    const line = await next(frames, (one) => one.type === `line-${of().build}`);
    expect(line.data).toContain('the first &lt;line>');
    await say({ ...of(), type: 'build.superseded', message: 'there is a newer one', ms: 5 });
    const later = { ...of(), build: buildId(at + 1_000, 6) };
    await say({ ...later, type: 'build.started', commit: commitId('e'.repeat(40)), cause: 'again' });
    const whole = await next(frames, (one) => one.data.includes('<section id="log"'));
    expect(whole.data).toContain(`sse-swap="line-${later.build}"`);
    await say({ ...later, type: 'log', stage: 'build', source: 'web', line: 'of the next' });
    const text = await next(frames, (one) => one.type === `line-${later.build}` && one.data.includes('of the next'));
    expect(text.id).toMatch(/^\d+-\d+$/);
    end();
  });

  it('of a preview that was never built is told when it is, and has a place for its log', async () => {
    const cookie = await world.signIn(ADMIN_TOKEN);
    const [repository] = NAMES as [RepositoryName];
    const id = previewId(repositorySlug(repository), branchName('unbuilt'));
    await store.know(newRecord({ id, repository, branch: branchName('unbuilt') }, at));
    const path = `/previews/${id}`;
    expect(await (await get(path, { cookie })).text()).toContain('<section id="log" hidden');
    const { frames, end } = await stream(path, cookie);
    const first = { preview: id, build: buildId(at + 2_000, 7), at };
    await say({ ...first, type: 'build.started', commit: commitId('f'.repeat(40)), cause: 'it was pushed' });
    const { data } = await next(frames, (one) => one.type === 'regions');
    expect(data).toContain('<section id="log"');
    end();
  });

  it('is told no more once its token has ended', async () => {
    const { token, record } = await issueToken(
      { tokens: world.tokens, clock: { now: Date.now } },
      { name: 'eve', role: 'reader', repositories: [] },
    );
    const { frames } = await stream('/', await world.signIn(token));
    await world.tokens.remove(record.id);
    // Looked at every ten seconds.
    for await (const one of frames) if (one.type === 'end') break;
  });

  it('finds what is searched for in all of a log', async () => {
    const cookie = await world.signIn(ADMIN_TOKEN);
    const id = records[4]?.id;
    const html = await (await get(`/previews/${id}?find=package+7`, { cookie })).text();
    expect(html).toContain('1 line has it');
    expect(
      (await get(`/previews/${id}/builds/${records[4]?.attempt?.build}/log`, { cookie })).headers.get('content-type'),
    ).toBe('text/plain; charset=utf-8');
  });
});

async function sizeOf(path: string, cookie: string): Promise<number> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const asking = request(`${world.url}${path}`, { headers: { cookie, 'accept-encoding': 'gzip' } }, (answer) => {
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      answer.on('end', () => resolve(bytes));
    });
    asking.on('error', reject).end();
  });
}

/** By a host name, which fetch does not let one say. */
async function ask(
  url: string,
  host: string,
  fields?: Record<string, string>,
  cookie = '',
): Promise<{ readonly status: number; readonly text: string }> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const headers = { host, cookie, 'content-type': 'application/x-www-form-urlencoded' };
    const asking = request(
      `${url}${fields ? '/sign-in' : '/'}`,
      { method: fields ? 'POST' : 'GET', headers },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      },
    );
    asking.on('error', reject).end(fields ? new URLSearchParams(fields).toString() : undefined);
  });
}
