/** The API against its own OpenAPI document, who may what of it, and what it says to nonsense; over real HTTP. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BASE, openApiDocument, problemsOf } from '../../src/api/document.ts';
import type { Route } from '../../src/api/route.ts';
import { ROLES } from '../../src/domain/access.ts';
import { type ApiWorld, BUILD, REPOSITORIES, startApiWorld } from '../support/api-world.ts';

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

interface Said {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

async function ask(
  method: string,
  path: string,
  {
    token = world.token('admin'),
    body,
    headers = {},
  }: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Said> {
  const answer = await fetch(`${world.url}${path}`, {
    method: method.toUpperCase(),
    headers: {
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const type = answer.headers.get('content-type') ?? '';
  return { status: answer.status, type, body: type.includes('json') ? JSON.parse(text) : text };
}

/** What fills the names of a path. */
const FILLED: Readonly<Record<string, string>> = {
  id: 'main--shop',
  build: BUILD,
  token: 'a1b2c3d4',
  link: 'a1b2c3d4',
  owner: 'acme',
  name: 'shop',
};
/** What takes a preview with a build under way. */
function filledFor(one: Route): Readonly<Record<string, string>> {
  return one.name === 'cancelPreview' ? { ...FILLED, id: 'busy--shop' } : FILLED;
}

const BODIES: Readonly<Record<string, unknown>> = {
  putRepository: { url: 'https://example.com/acme/shop.git', branches: ['main'] },
  createLink: { expiresAt: '2023-11-16T00:00:00.000Z' },
  setPassword: { password: 'open sesame' },
  createToken: { name: 'CI', role: 'reader', repositories: ['acme/shop'], expiresAt: '2033-01-01T00:00:00.000Z' },
};

function pathOf(one: Route, filled: Readonly<Record<string, string>> = filledFor(one)): string {
  return `${BASE}${one.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => filled[name] ?? 'x')}`;
}

// Declared once, for the tables below; the server of this test has its own.
const { routes, close: closeTable } = await startApiWorld();
await closeTable();
const table = routes.map((one) => [`${one.method} ${one.path}`, one] as const);

describe('the document', () => {
  const document = openApiDocument(routes, '1.2.3');
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'document');

  function expectAsDeclared(one: Route, said: Said): void {
    const operation = document.paths?.[`${BASE}${one.path}`]?.[one.method];
    const response = operation?.responses?.[String(said.status)] as { content?: Record<string, unknown> } | undefined;
    expect(response, `${one.name} answers ${said.status}: ${JSON.stringify(said.body)}`).toBeDefined();
    const type = said.type.split(';')[0] ?? '';
    if (said.body === '') {
      expect(response?.content).toBeUndefined();
      return;
    }
    expect(Object.keys(response?.content ?? {})).toContain(type);
    const pointer = [
      'paths',
      `${BASE}${one.path}`,
      one.method,
      'responses',
      String(said.status),
      'content',
      type,
      'schema',
    ]
      .map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/');
    const validate = ajv.getSchema(`document#/${pointer}`);
    expect(validate, pointer).toBeDefined();
    expect(validate?.(said.body), `${one.name} ${said.status}: ${ajv.errorsText(validate?.errors)}`).toBe(true);
  }

  it('is served, to whoever asks', async () => {
    expect((await ask('get', `${BASE}/openapi.json`, { token: '' })).body).toEqual(
      JSON.parse(JSON.stringify(document)),
    );
  });

  it('names every operation once', () => {
    const names = routes.map((one) => one.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(table)('has what %s answers when all is well', async (_name, one) => {
    const headers = one.answers[200]?.type === undefined ? {} : { accept: one.answers[200].type };
    const query = one.name === 'execInPreview' ? '?service=web' : '';
    const said = await ask(one.method, `${pathOf(one)}${query}`, { body: BODIES[one.name], headers });
    // The one thing of the table that is not there.
    const rest = one.name === 'revokeToken' ? 404 : Number(Object.keys(one.answers)[0]);
    // What a WebSocket says is in exec.test.ts.
    expect(said.status, JSON.stringify(said.body)).toBe(one.isWebSocket ? 426 : rest);
    expectAsDeclared(one, said);
  });

  it.each(table)('has what %s answers to who may not, to what is not there and to nonsense', async (_name, one) => {
    const body = BODIES[one.name];
    expectAsDeclared(one, await ask(one.method, pathOf(one), { token: '', body }));
    if (one.needs !== 'read')
      expectAsDeclared(one, await ask(one.method, pathOf(one), { token: world.token('reader'), body }));
    if (404 in problemsOf(one)) {
      const nowhere = await ask(one.method, pathOf(one, { ...FILLED, id: 'none--shop', name: 'none' }), { body });
      expect(nowhere.status).toBe(404);
      expectAsDeclared(one, nowhere);
    }
    const odd = await ask(one.method, `${pathOf(one)}?nonsense=1`, { body });
    expect(odd.status).toBe(400);
    if (400 in problemsOf(one)) expectAsDeclared(one, odd);
  });
});

describe('who may', () => {
  const LEAST = { read: 'reader', operate: 'operator', administer: 'admin' } as const;
  const reaches = [undefined, ...REPOSITORIES];

  it.each(table)('%s', async (_name, one) => {
    for (const [role, reach] of ROLES.flatMap((each) => reaches.map((some) => [each, some] as const))) {
      const how = { token: world.token(role, reach), body: BODIES[one.name] };
      const said = await ask(one.method, pathOf(one), how);
      const by = `by a ${role} of ${reach ?? 'all'}`;
      if (ROLES.indexOf(role) < ROLES.indexOf(LEAST[one.needs])) expect(said.status, by).toBe(403);
      else if (reach === undefined || one.scope === 'reachable') expect(said.status, by).not.toBe(403);
      else if (one.scope === 'host') expect(said.status, by).toBe(403);
      else if (reach === 'acme/shop') expect([403, 404], by).not.toContain(said.status);
      else {
        // Not told from what is not there.
        const nowhere = await ask(one.method, pathOf(one, { ...FILLED, id: 'none--shop', name: 'none' }), how);
        expect(said, by).toEqual(nowhere);
        expect(said.status, by).toBe(404);
      }
    }
  });

  it('sees of lists what it reaches, and nothing else', async () => {
    for (const path of ['/previews?all=true', '/queue', '/events', '/repositories']) {
      const headers = path === '/events' ? { accept: 'text/event-stream' } : {};
      const seen = async (token: string) =>
        JSON.stringify((await ask('get', `${BASE}${path}`, { token, headers })).body);
      const all = await seen(world.token('reader'));
      expect([all.includes('shop'), all.includes('blog')], path).toEqual([true, true]);
      const some = await seen(world.token('reader', 'acme/blog'));
      expect([some.includes('shop'), some.includes('blog')], path).toEqual([false, true]);
    }
  });

  it('is who it was until its token ends', async () => {
    const made = await ask('post', `${BASE}/tokens`, { body: { name: 'short', role: 'reader' } });
    const { token, id } = made.body as { token: string; id: string };
    expect(token).toMatch(/^treehouse_[a-z0-9]{8}_[A-Za-z0-9_-]{43}$/);
    expect((await ask('get', `${BASE}/previews`, { token })).status).toBe(200);
    expect(JSON.stringify((await ask('get', `${BASE}/tokens`)).body)).not.toContain(token.slice(-43));
    expect((await ask('delete', `${BASE}/tokens/${id}`)).status).toBe(204);
    expect((await ask('get', `${BASE}/previews`, { token })).status).toBe(401);
    expect((await ask('delete', `${BASE}/tokens/${id}`)).status).toBe(404);
  });

  it('is written down, with what was done to what', async () => {
    await ask('post', `${BASE}/previews/main--blog/pin`, { token: world.token('operator', 'acme/blog') });
    expect(world.trail.entries.at(-1)).toMatchObject({
      ...{ who: 'operator acme/blog', act: 'pin', to: 'main--blog', repository: 'acme/blog', status: 202 },
    });
    const seen = await ask('get', `${BASE}/trail`, { token: world.token('admin', 'acme/shop') });
    expect(JSON.stringify(seen.body)).not.toContain('blog');
  });
});

describe('a request that is sent twice', () => {
  const act = (key: string, path = '/previews/main--shop/redeploy', token = world.token('admin')) =>
    ask('post', `${BASE}${path}`, { token, headers: { 'idempotency-key': key } });

  it('is done once by its key, and answered alike', async () => {
    const before = world.trail.entries.length;
    const first = await act('one');
    expect(await act('one')).toEqual(first);
    expect(first.status).toBe(202);
    expect(world.trail.entries.length - before).toBe(1);
  });

  it('under the key of another is refused, but for the key of somebody else', async () => {
    await act('two');
    expect((await act('two', '/previews/main--shop/sleep')).status).toBe(409);
    expect((await act('two', '/previews/main--shop/sleep', world.token('operator'))).status).toBe(202);
    expect((await act('x'.repeat(129))).status).toBe(400);
  });

  it('is another one by a token of the same name', async () => {
    const twin = async () =>
      ((await ask('post', `${BASE}/tokens`, { body: { name: 'twin', role: 'operator' } })).body as { token: string })
        .token;
    const [one, two] = [await twin(), await twin()];
    expect((await act('four', '/previews/main--shop/sleep', one)).status).toBe(202);
    expect((await act('four', '/previews/main--shop/wake', two)).status).toBe(202);
    const [last, before] = world.trail.entries.slice(-2).reverse();
    expect([last?.who, before?.who]).toEqual(['twin', 'twin']);
    expect(last?.token).not.toBe(before?.token);
  });

  it('does not have a new token kept for it', async () => {
    const send = () =>
      ask('post', `${BASE}/tokens`, {
        body: { name: 'once', role: 'reader' },
        headers: { 'idempotency-key': 'three' },
      });
    expect((await send()).status).toBe(201);
    const again = await send();
    expect(again.status).toBe(409);
    expect(JSON.stringify(again.body)).not.toContain('treehouse_');
  });
});

describe('limits of a client', () => {
  it('slow down who guesses, beside one who was let in before', async () => {
    const slow = await startApiWorld({ requests: 1e6, guesses: 3 });
    const status = async (token: string) =>
      (await fetch(`${slow.url}${BASE}/previews`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect(await status(slow.token('reader'))).toBe(200);
    const guesses = [];
    for (let count = 0; count < 5; count += 1) guesses.push(await status(`guess ${count}`));
    expect(guesses).toEqual([401, 401, 401, 429, 429]);
    expect(await status(slow.token('reader'))).toBe(200);
    await slow.close();
  });

  it('say when to go on', async () => {
    const slow = await startApiWorld({ requests: 2, guesses: 3 });
    const send = () =>
      fetch(`${slow.url}${BASE}/previews`, { headers: { authorization: `Bearer ${slow.token('reader')}` } });
    const answers = [await send(), await send(), await send()];
    expect(answers.map((one) => one.status)).toEqual([200, 200, 429]);
    expect(Number(answers[2]?.headers.get('retry-after'))).toBeGreaterThan(0);
    await slow.close();
  });
});

describe('nonsense', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('main--shop', '..', '%', '0-0', BUILD, '__proto__', 'acme'));
  const request = fc.record({
    one: fc.constantFrom(...routes),
    filled: fc.dictionary(fc.constantFrom('id', 'build', 'token', 'owner', 'name'), text),
    query: fc.dictionary(
      fc.oneof(text, fc.constantFrom('after', 'limit', 'tail', 'service', 'sort', 'state', 'before')),
      text,
    ),
    body: fc.option(
      fc.oneof(
        fc.json().map((one) => JSON.parse(one) as unknown),
        fc.record({ name: text, role: text }),
      ),
    ),
    accept: fc.constantFrom('application/json', 'text/event-stream', '*/*', 'nonsense'),
  });

  it('is a fault of who asks, never of the server', async () => {
    await fc.assert(
      fc.asyncProperty(request, async ({ one, filled, query, body, accept }) => {
        const encoded = Object.fromEntries(
          Object.entries(filled).map(([key, value]) => [key, encodeURIComponent(value)]),
        );
        const search = new URLSearchParams(query).toString();
        const sent = one.method === 'get' || body === null ? undefined : body;
        const said = await ask(one.method, `${pathOf(one, { ...FILLED, ...encoded })}?${search}`, {
          ...(sent === undefined ? {} : { body: sent }),
          headers: { accept },
        });
        expect(said.status, JSON.stringify(said.body)).toBeLessThan(500);
      }),
      { numRuns: 150 },
    );
    expect(world.logged).toEqual([]);
  });
});
