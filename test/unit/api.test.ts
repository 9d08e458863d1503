/** The API, the pages' way in and the server around them, over real HTTP. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenKnower } from '../../src/access/issue.ts';
import { type ApiDeps, apiRoutes } from '../../src/api/api.ts';
import { apiRouter, bearer } from '../../src/api/router.ts';
import type { SetAside } from '../../src/domain/desired.ts';
import type { BuildEvent } from '../../src/domain/events.ts';
import {
  type Branch,
  branchName,
  buildId,
  commitId,
  type PreviewId,
  previewId,
  repositoryName,
} from '../../src/domain/names.ts';
import { newRecord, type PreviewRecord, transition } from '../../src/domain/preview.ts';
import type { Sweep } from '../../src/domain/sweep.ts';
import { TreehouseError } from '../../src/errors.ts';
import { createClient } from '../../src/web/client.ts';
import { gatewayPageRouter } from '../../src/web/gateway-page.ts';
import { close, createApp, listen } from '../../src/web/server.ts';
import {
  memoryBook,
  memoryExec,
  memoryReplays,
  memorySharing,
  memoryTokens,
  memoryTrail,
} from '../support/api-memory.ts';
import { keptLog } from '../support/log.ts';

const KEY = 'the key of this gateway';
const TOKEN = 'the admin token of this test';
const BUILD = buildId(1_700_000_000_000, 7);
const COMMIT = commitId('1'.repeat(40));
const URLS = ['http://main--shop.preview.localhost/', 'http://api--main--shop.preview.localhost/'];

function waiting(name: string, slug = 'shop'): PreviewRecord {
  const branch = name as Branch;
  return newRecord({ id: previewId(slug, branchName(name)), repository: repositoryName('acme/shop'), branch }, 0);
}

const ofBuild = { preview: waiting('main').id, build: BUILD };
const EVENTS: readonly BuildEvent[] = [
  { type: 'build.started', at: 1_000, ...ofBuild, commit: COMMIT, cause: 'it was pushed' },
  { type: 'stage.started', at: 1_000, ...ofBuild, stage: 'checkout' },
  { type: 'log', at: 1_000, ...ofBuild, stage: 'checkout', source: 'git', line: 'a line' },
  { type: 'stage.finished', at: 1_020, ...ofBuild, stage: 'checkout', ms: 20 },
  { type: 'stage.started', at: 1_020, ...ofBuild, stage: 'plan' },
  { type: 'build.live', at: 2_000, ...ofBuild, commit: COMMIT, urls: URLS, ms: 1_000 },
];

const WAITS: BuildEvent = {
  ...{ type: 'preview.waiting', at: 5, preview: waiting('late').id, purpose: 'build', commit: COMMIT },
  ...{ position: 3, because: 'two builds run', aboutMs: 240_000 },
};

/** A store in memory, as narrow as its users. */
function memory() {
  const clock = { now: () => 1_000 };
  const records = new Map<PreviewId, PreviewRecord>();
  const redeploys: PreviewId[] = [];
  const pinned = new Set<PreviewId>();
  const resets: PreviewId[] = [];
  const asides: [PreviewId, SetAside][] = [];
  const rests: [PreviewId, boolean][] = [];
  const woken: PreviewId[] = [];
  const hinted: PreviewId[] = [];
  for (const one of [
    EVENTS.reduce(transition, waiting('main')),
    waiting('feature-a'),
    {
      ...waiting('gone'),
      ...{ state: 'removed' as const, reason: 'it was merged' },
      attempt: { build: BUILD, commit: COMMIT, startedAt: 1_000, outcome: 'live' as const, stages: {} },
    },
    waiting('short', ''),
    { ...waiting('nap'), state: 'asleep' as const, reason: 'nobody visits it' },
    transition(waiting('late'), WAITS),
  ]) {
    records.set(one.id, one);
  }
  const store: ApiDeps['store'] & Parameters<typeof gatewayPageRouter>[0]['store'] = {
    record: async (id) => {
      if (id === 'away--shop') throw new TreehouseError('queue-away', 'Redis is away', { kind: 'transient' });
      if (id === 'broken--shop') throw new Error('a secret of the inside');
      return records.get(id);
    },
    records: async () => [...records.values()],
    requestRedeploy: async (id) => void redeploys.push(id),
    requestReset: async (id) => void resets.push(id),
    requestCancel: async () => undefined,
    setAside: async (key, aside) => void asides.push([key.id, aside]),
    wantRest: async (id, wanted) => void rests.push([id, wanted]),
    builds: async (id) => (id === 'main--shop' ? [BUILD] : []),
    read: async (_preview, build, { after, count }) =>
      (build === BUILD ? EVENTS : [])
        .map((event, index) => ({ cursor: `${index}-0`, event }))
        .filter(({ cursor }) => after === undefined || Number.parseInt(cursor, 10) > Number.parseInt(after, 10))
        .slice(0, count),
    async *follow() {},
    async *followBuild(_preview, build) {
      if (build === BUILD) yield* EVENTS.map((event, index) => ({ cursor: `${index}-0`, event }));
    },
    tail: async () => ['the last line'],
  };
  const sweep: Sweep = async ({ dryRun }) => ({
    dryRun,
    lines: [{ what: 'volume', name: 'th-gone--shop_data', action: 'remove', why: 'the branch was deleted' }],
  });
  return {
    store,
    redeploys,
    resets,
    asides,
    rests,
    woken,
    hinted,
    sweep,
    pins: {
      all: async () => pinned,
      pin: async (id: PreviewId) => void pinned.add(id),
      unpin: async (id: PreviewId) => void pinned.delete(id),
    },
    wake: async (id: PreviewId) => void woken.push(id),
    hints: { hint: async (id: PreviewId) => void hinted.push(id) },
    engine: {
      observe: async (preview: PreviewId) => ({ preview, containers: [], networks: [], volumes: [], images: [] }),
      logs: async () => undefined,
    },
    version: '1.2.3',
    limits: {},
    pausedBecause: async () => undefined,
    host: async () => Promise.reject(new Error('not asked')),
    exec: memoryExec([], { trail: memoryTrail(), clock: { now: () => 1_000 } }),
    pull: async () => ({ kind: 'nothing-runs' as const }),
    use: async () => undefined,
    disk: async () => 4_096,
    book: { read: async () => ({ places: [], waiting: [], served: new Map() }) },
    tokens: memoryTokens(),
    trail: memoryTrail(),
    clock,
    links: memorySharing(clock),
    passwords: { set: async () => undefined, clear: async () => undefined },
    urlOf: (label: string) => `http://${label}.preview.localhost/`,
    repositories: () => [],
    explain: async () => Promise.reject(new Error('not asked')),
    repositoryBook: memoryBook([]),
    secretsOf: async () => [],
  };
}

function routerOf(adminToken: string) {
  const { tokens, clock } = world;
  return apiRouter({
    ...world,
    routes: apiRoutes(world),
    version: '1.2.3',
    replays: memoryReplays(),
    limits: { requests: 10_000, guesses: 1_000 },
    authenticate: bearer(tokenKnower({ tokens, clock, adminToken })),
  });
}

const { log, logged } = keptLog();
const world = memory();
let away: string[] = [];
let server: Server;
let url: string;

beforeAll(async () => {
  const app = createApp({
    routers: [
      gatewayPageRouter({
        ...world,
        domain: 'preview.localhost',
        key: KEY,
        repositories: () => [{ name: repositoryName('acme/shop') }],
      }),
      routerOf(TOKEN),
    ],
    ready: async () => away,
    log,
  });
  server = await listen(app, '127.0.0.1', 0);
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => close(server, 0));

async function ask(path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
  const answer = await fetch(`${url}${path}`, {
    ...options,
    headers: { authorization: `Bearer ${TOKEN}`, 'x-treehouse-key': KEY, ...options.headers },
  });
  const text = await answer.text();
  const type = answer.headers.get('content-type') ?? '';
  return {
    status: answer.status,
    headers: answer.headers,
    type,
    text,
    body: type.includes('json') ? JSON.parse(text) : undefined,
  };
}

describe('who asks', () => {
  it.each([
    ['without a token', {}],
    ['with an empty one', { authorization: 'Bearer ' }],
    ['with a wrong one', { authorization: 'Bearer wrong' }],
    ['with a longer one', { authorization: `Bearer ${TOKEN}x` }],
    ['with another scheme', { authorization: `Basic ${TOKEN}` }],
  ])('%s is told 401 by every resource, there or not', async (_how, headers) => {
    for (const path of ['/api/v1/previews', '/api/v1/previews/main--shop', '/api/v1/nothing', '/api/v1']) {
      const answer = await fetch(`${url}${path}`, { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="treehouse"');
      expect(await answer.json()).toMatchObject({ status: 401, title: 'Unauthorized' });
    }
  });

  it('is let in by no token where none is set', async () => {
    const app = createApp({ routers: [routerOf('')], ready: async () => [], log });
    const open = await listen(app, '127.0.0.1', 0);
    const answer = await fetch(`http://127.0.0.1:${(open.address() as AddressInfo).port}/api/v1/previews`);
    expect(answer.status).toBe(401);
    await close(open, 0);
  });
});

describe('previews', () => {
  it('are listed by id, without those that are gone', async () => {
    const { body } = await ask('/api/v1/previews');
    expect(body.previews.map((one: { id: string }) => one.id)).toEqual([
      'feature-a--shop',
      'late--shop',
      'main--shop',
      'nap--shop',
      'short',
    ]);
    const all = await ask('/api/v1/previews?all=true');
    expect(all.body.previews.map((one: { id: string }) => one.id)).toEqual([
      'feature-a--shop',
      'gone--shop',
      'late--shop',
      'main--shop',
      'nap--shop',
      'short',
    ]);
  });

  it('are shown whole, with their builds', async () => {
    expect((await ask('/api/v1/previews/main--shop')).body).toEqual({
      id: 'main--shop',
      repository: 'acme/shop',
      branch: 'main',
      state: 'live',
      reason: 'serves the newest commit',
      changedAt: '1970-01-01T00:00:02.000Z',
      url: URLS[0],
      urls: URLS,
      commit: COMMIT,
      since: '1970-01-01T00:00:02.000Z',
      position: null,
      about: null,
      pinned: false,
      expiresAt: null,
      build: {
        id: BUILD,
        commit: COMMIT,
        startedAt: '1970-01-01T00:00:01.000Z',
        stage: 'plan',
        stages: { checkout: 20, plan: null },
        outcome: 'live',
        message: null,
      },
      builds: [BUILD],
      cost: { builds: 1, buildSeconds: 1, awakeSeconds: 0 },
    });
  });

  it('that wait say where in the queue, and for about how long', async () => {
    expect((await ask('/api/v1/previews/late--shop')).body).toMatchObject({
      state: 'waiting',
      reason: 'third in the queue, about 4 min: two builds run',
      position: 3,
      about: 240,
    });
  });

  it('are pinned and unpinned by word', async () => {
    const pinned = async () => (await ask('/api/v1/previews/late--shop')).body.pinned;
    expect((await ask('/api/v1/previews/late--shop/pin', { method: 'POST' })).status).toBe(202);
    expect(await pinned()).toBe(true);
    expect((await ask('/api/v1/previews/late--shop/unpin', { method: 'POST' })).status).toBe(202);
    expect(await pinned()).toBe(false);
    expect((await ask('/api/v1/previews/none--shop/pin', { method: 'POST' })).status).toBe(404);
  });

  it('that were never built hold nothing but their names', async () => {
    const { body } = await ask('/api/v1/previews/feature-a--shop');
    expect(body).toMatchObject({
      state: 'waiting',
      url: null,
      urls: [],
      commit: null,
      since: null,
      build: null,
      builds: [],
    });
  });

  it.each([
    '/api/v1/previews/none--shop',
    '/api/v1/previews/NOT%20AN%20ID',
    '/api/v1/previews/..%2f..%2fetc',
    `/api/v1/previews/none--shop/builds/${BUILD}/events`,
    '/api/v1/previews/main--shop/builds/..%2fx/events',
    '/api/v1/nothing',
    '/nothing',
    '/',
  ])('at %s are not', async (path) => {
    const { status, type, body } = await ask(path);
    expect(status).toBe(404);
    expect(type).toContain('application/problem+json');
    expect(body).toMatchObject({ type: 'about:blank', title: 'Not Found', status: 404 });
  });
});

describe('events', () => {
  it('come page by page', async () => {
    const at = `/api/v1/previews/main--shop/builds/${BUILD}/events`;
    const first = await ask(at);
    expect(first.body.events).toEqual(EVENTS.map((event, index) => ({ cursor: `${index}-0`, ...event })));
    expect(first.body.next).toBe('5-0');
    expect((await ask(`${at}?after=4-0`)).body).toMatchObject({ events: [{ type: 'build.live' }], next: '5-0' });
    expect((await ask(`${at}?after=5-0`)).body).toEqual({ events: [], next: '5-0' });
    expect((await ask(`${at}?after=nonsense`)).status).toBe(400);
    expect((await ask('/api/v1/previews/main--shop/builds/unknown/events')).body).toEqual({ events: [], next: null });
  });
});

describe('a reset', () => {
  it('is asked for and hinted, of a preview that is there', async () => {
    const { status, body } = await ask('/api/v1/previews/main--shop/reset', { method: 'POST' });
    expect([status, body]).toEqual([202, { hinted: 'main--shop' }]);
    expect(world.resets).toEqual(['main--shop']);
    expect(world.hinted.splice(0)).toEqual(['main--shop']);
    expect((await ask('/api/v1/previews/none--shop/reset', { method: 'POST' })).status).toBe(404);
  });
});

describe('down', () => {
  it('sets the branch aside at its commit, by name of who asked', async () => {
    expect((await ask('/api/v1/previews/main--shop/down', { method: 'POST' })).status).toBe(202);
    expect(world.asides.splice(0)).toEqual([['main--shop', { commit: COMMIT, cause: 'admin took it down' }]]);
    expect(world.hinted.splice(0)).toEqual(['main--shop']);
    const none = await ask('/api/v1/previews/feature-a--shop/down', { method: 'POST' });
    expect([none.status, none.body.detail]).toEqual([409, 'Nothing of it was built yet.']);
  });
});

describe('a cancellation', () => {
  it('is of a build that is under way', async () => {
    const { status, body } = await ask('/api/v1/previews/main--shop/cancel', { method: 'POST' });
    expect([status, body.detail]).toEqual([409, 'No build of it is under way.']);
  });
});

describe('a redeploy', () => {
  it('is noted first and hinted at then', async () => {
    const { status, body } = await ask('/api/v1/previews/main--shop/redeploy', { method: 'POST' });
    expect([status, body]).toEqual([202, { hinted: 'main--shop' }]);
    expect([world.redeploys, world.hinted]).toEqual([['main--shop'], ['main--shop']]);
    expect((await ask('/api/v1/previews/none--shop/redeploy', { method: 'POST' })).status).toBe(404);
    const read = await ask('/api/v1/previews/main--shop/redeploy');
    expect([read.status, read.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

describe('sleep', () => {
  it('is noted first and hinted at then', async () => {
    const { status, body } = await ask('/api/v1/previews/main--shop/sleep', { method: 'POST' });
    expect([status, body]).toEqual([202, { hinted: 'main--shop' }]);
    expect([world.rests.pop(), world.hinted.pop()]).toEqual([['main--shop', true], 'main--shop']);
    expect((await ask('/api/v1/previews/none--shop/sleep', { method: 'POST' })).status).toBe(404);
  });

  it('ends by word, or with a visit: the gateway says so, or asks for a page', async () => {
    expect((await ask('/api/v1/previews/main--shop/wake', { method: 'POST' })).body).toEqual({ hinted: 'main--shop' });
    expect((await ask('/api/v1/previews/none--shop/wake', { method: 'POST' })).status).toBe(404);
    const said = await ask('/gateway/wake', { method: 'POST', headers: { 'x-treehouse-preview': 'nap--shop' } });
    expect(said.status).toBe(202);
    const page = await ask('/gateway/page', {
      headers: { 'x-treehouse-host': 'nap--shop.preview.localhost', 'x-treehouse-problem': 'unreachable' },
    });
    expect([page.status, page.headers.get('retry-after')]).toEqual([503, '2']);
    expect(page.text).toContain('The house wakes up');
    expect(world.woken).toEqual(['main--shop', 'nap--shop', 'nap--shop']);
    for (const id of ['none--shop', '../x', '']) {
      const headers = { 'x-treehouse-preview': id };
      expect((await ask('/gateway/wake', { method: 'POST', headers })).status).toBe(404);
    }
    expect(world.woken).toHaveLength(3);
  });
});

describe('the command line', () => {
  it('reads the same through its client', async () => {
    const client = createClient({ url, token: TOKEN });
    expect((await client.previews()).map((one) => one.id)).toEqual([
      'feature-a--shop',
      'late--shop',
      'main--shop',
      'nap--shop',
      'short',
    ]);
    // What the host does not tell keeps nobody from the previews.
    expect(await client.forge()).toBeUndefined();
    expect((await client.preview('main--shop')).builds).toEqual([BUILD]);
    expect((await client.events('main--shop', BUILD, '4-0')).next).toBe('5-0');
    expect(await client.sweep({ dryRun: true })).toEqual(await world.sweep({ dryRun: true }));
    expect(await client.sweep({ dryRun: false })).toMatchObject({ dryRun: false, lines: [{ action: 'remove' }] });
    await expect(client.act('redeploy', 'none--shop')).rejects.toThrow('There is no preview with this id.');
    await expect(createClient({ url, token: 'x' }).previews()).rejects.toThrow('The API needs a token');
    await expect(createClient({ url: 'http://127.0.0.1:9/', token: TOKEN }).previews()).rejects.toThrow(
      'no Treehouse answers at http://127.0.0.1:9/: start it with npm start, or set TREEHOUSE_URL',
    );
  });
});

describe('whoever is not the gateway', () => {
  it.each(['', 'the key of that gateway'])('finds neither pages nor a way to wake, with the key %j', async (key) => {
    const headers = { 'x-treehouse-key': key, 'x-treehouse-host': 'nap--shop.preview.localhost' };
    const woken = world.woken.length;
    expect((await ask('/gateway/page', { headers })).status).toBe(404);
    const wake = { ...headers, 'x-treehouse-preview': 'nap--shop' };
    expect((await ask('/gateway/wake', { method: 'POST', headers: wake })).status).toBe(404);
    expect(world.woken).toHaveLength(woken);
  });
});

describe('the page of a host', () => {
  const page = (host: string | undefined, headers: Record<string, string> = {}, method = 'GET') =>
    ask('/gateway/page', {
      method,
      headers: { accept: 'text/html', ...(host === undefined ? {} : { 'x-treehouse-host': host }), ...headers },
    });

  it.each<[string, string | undefined, number, string]>([
    ['a preview', 'feature-a--shop.preview.localhost', 503, 'Waiting to be built'],
    [
      'its name in capitals, with a port and a dot',
      'Feature-A--SHOP.preview.localhost.:8080',
      503,
      'Waiting to be built',
    ],
    ['a service beside it', 'api--feature-a--shop.preview.localhost', 503, 'Waiting to be built'],
    ['a preview by its branch alone', 'short.preview.localhost', 503, 'Waiting to be built'],
    ['a service beside that', 'api--short.preview.localhost', 503, 'Waiting to be built'],
    ['a preview that is gone', 'gone--shop.preview.localhost', 404, 'This preview is gone'],
    ['a longer name that ends alike', 'xshort.preview.localhost', 404, 'No preview lives here'],
    ['an unknown one', 'none--shop.preview.localhost', 404, 'No preview lives here'],
    ['another domain', 'feature-a--shop.example.com', 404, 'No preview lives here'],
    ['no name', undefined, 404, 'No preview lives here'],
    ['markup', '<script>.preview.localhost', 404, 'No preview lives here'],
  ])('by %s', async (_what, host, status, title) => {
    const answer = await page(host);
    expect([answer.status, answer.text.includes(`<h1>${title}</h1>`)]).toEqual([status, true]);
    expect(answer.type).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('retry-after')).toBe(status === 503 ? '2' : null);
    expect(answer.text).not.toContain('<script');
  });

  it('says so where its service does not answer, whatever was asked', async () => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await page('main--shop.preview.localhost', { 'x-treehouse-problem': 'unreachable' }, method);
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([502, '5']);
    }
  });

  it('is a problem document for a program', async () => {
    const { status, type, body } = await page('feature-a--shop.preview.localhost', { accept: 'application/json' });
    expect([status, type]).toEqual([503, 'application/problem+json; charset=utf-8']);
    expect(body.detail).toBe('The preview of feature-a is not ready yet: waiting to be looked at.');
  });
});

describe('the server', () => {
  it('says how it is', async () => {
    expect((await ask('/healthz')).body).toEqual({ status: 'ok' });
    expect((await ask('/readyz')).status).toBe(200);
    away = ['redis', 'engine'];
    expect((await ask('/readyz')).body).toMatchObject({ status: 503, detail: 'not ready: redis, engine' });
    away = [];
  });

  it('tells an outage from a fault, and keeps the fault to its log', async () => {
    expect((await ask('/api/v1/previews/away--shop')).body).toMatchObject({ status: 503, detail: 'Redis is away' });
    const before = logged.length;
    const broken = await ask('/api/v1/previews/broken--shop');
    expect(broken.body).toMatchObject({ status: 500, detail: 'Something went wrong; the log says what.' });
    expect(logged.slice(before)).toMatchObject([
      { msg: 'a request failed unexpectedly', err: { message: 'a secret of the inside' } },
    ]);
  });

  it('takes a path that cannot be read for the fault of who asks', async () => {
    const before = logged.length;
    expect((await ask('/api/v1/previews/%ff')).status).toBe(400);
    expect(logged.slice(before)).toEqual([]);
  });

  it('names the port that is taken', async () => {
    const { port } = server.address() as AddressInfo;
    const app = createApp({ routers: [], ready: async () => [], log });
    await expect(listen(app, '127.0.0.1', port)).rejects.toThrow(`port ${port} of 127.0.0.1 is taken`);
  });

  it('says nothing of what it is made of', async () => {
    const { headers } = await ask('/healthz');
    expect([headers.get('x-powered-by'), headers.get('x-content-type-options')]).toEqual([null, 'nosniff']);
  });
});
