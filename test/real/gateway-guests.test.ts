/** Guarded previews: who was let in, and who only passes by. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BuildId, PreviewId } from '../../src/domain/names.ts';
import { DOMAIN, FACTS, type Guarded, startGuarded } from '../support/guarded.ts';
import { entryOf, linkTo, statusAt, tunnel } from '../support/guarded-visits.ts';

const until = { timeout: 20_000, interval: 20 };
let world: Guarded;
let shop: PreviewId;
let blog: PreviewId;
beforeAll(async () => {
  world = await startGuarded();
  shop = await world.preview('shop', 'live');
  blog = await world.preview('blog', 'live');
});
afterAll(() => world.stop());
beforeEach(() => {
  world.reached.length = 0;
  world.woken.length = 0;
});

describe('a guest', () => {
  const cookieOf = async () => entryOf(await world.get(blog, (await linkTo(world, blog)).path)).cookie;

  it('reaches the app as anybody else would, but for the pass', async () => {
    const cookie = await cookieOf();
    const headers = { Authorization: 'Bearer of the app', Cookie: `a=1; ${cookie}; treehouse-pass=x; b="2; 3"` };
    await world.get(blog, '/x/%2e%2e/y?z', headers);
    expect(world.reached[0]?.url).toBe('/x/%2e%2e/y?z');
    expect(world.reached[0]?.headers).toMatchObject({ authorization: 'Bearer of the app', cookie: 'a=1; b="2; 3"' });
    await world.raw(
      `GET / HTTP/1.1\r\nHost: ${blog}.${DOMAIN}\r\nCookie: ${cookie}\r\nCookie: a=1\r\nConnection: close\r\n\r\n`,
    );
    expect(world.reached[1]?.headers.cookie).toBe('a=1');
    await world.get(blog, '/', { Cookie: cookie });
    expect(world.reached[2]?.headers).not.toHaveProperty('cookie');
  });

  it('has a WebSocket', async () => {
    const { socket } = await tunnel(world, blog, { cookie: `a=1; ${await cookieOf()}`, authorization: 'of the app' });
    expect(world.reached[0]?.headers).toMatchObject({
      upgrade: 'websocket',
      cookie: 'a=1',
      authorization: 'of the app',
    });
    socket.destroy();
  });

  it.each<[number, string, string]>([
    [200, 'its own page', `http://BLOG.${DOMAIN}:8080`],
    [200, 'its own page, by TLS', `https://BLOG.${DOMAIN}`],
    [200, 'a page of a service beside it', `http://api--BLOG.${DOMAIN}`],
    [200, 'a page that does not say whose it is', 'null'],
    [403, 'a page of another preview', `http://SHOP.${DOMAIN}:8080`],
    [403, 'a page of a preview that is none', `http://none--blog.${DOMAIN}`],
    [403, 'a page of the domain itself', `http://${DOMAIN}`],
    [403, 'a page of the world', 'https://elsewhere.example'],
    [403, 'what is no page', 'file://'],
  ])('is answered with %i from %s', async (status, _what, from) => {
    await world.nginx.gateway.setRoutes(
      blog,
      [blog, `api--${blog}`].map((host) => ({ host, preview: blog, build: 'b1' as BuildId, upstream: world.app })),
    );
    const Origin = from.replace('BLOG', blog).replace('SHOP', shop);
    expect(entryOf(await world.get(blog, '/', { Cookie: await cookieOf(), Origin })).status).toBe(status);
  });

  it('is not kept out by cookies of the same name, however many', async () => {
    const cookie = await cookieOf();
    const others = Array.from({ length: 60 }, () => `treehouse-pass=p1.9999999999999.${'b'.repeat(43)}`);
    expect(await statusAt(world, blog, [...others, cookie].join('; '))).toBe(200);
  });

  it('wakes a preview that sleeps, and is told what there is to tell', async () => {
    const id = await world.preview('blog', 'asleep', 'Geheim/Schlaf');
    const { cookie } = entryOf(await world.get(id, (await linkTo(world, id)).path));
    expect(world.woken).toEqual([]);
    const page = await world.get(id, '/', { Cookie: cookie });
    expect(world.woken).toContain(id);
    expect(page).toContain('Geheim/Schlaf');
  });

  it('is one no more while the gateway that was started anew has not been told', async () => {
    const cookie = await cookieOf();
    process.kill(world.nginx.pid, 'SIGKILL');
    await vi.waitFor(async () => expect(await statusAt(world, blog, cookie)).toBe(403), until);
    await world.sharing.tell();
    expect(await statusAt(world, blog, cookie)).toBe(200);
  });
});

describe('who passes by', () => {
  it.each(['/hooks/github', '/hooks/a.b/~c@d:e,f+g=1?x=%2e%2e/', '/healthz', '/healthz?a', '/healthz/deep'])(
    'reaches %s',
    async (where) => {
      for (const id of [shop, blog]) expect(await statusAt(world, id, 'a=1; treehouse-pass=x', where)).toBe(200);
      expect(world.reached.map((one) => [one.url, one.headers.cookie])).toEqual([
        [where, 'a=1'],
        [where, 'a=1'],
      ]);
    },
  );

  it('brings no other path along', async () => {
    await world.get(blog, '/hooks/x', {
      ...{
        'X-Original-URL': '/admin',
        'X-Rewrite-Url': '/admin',
        'X-Forwarded-Uri': '/admin',
        'X-Script-Name': '/hooks',
      },
      ...{ 'X-Forwarded-Prefix': '/hooks', 'X-Envoy-Original-Path': '/admin', 'X-Invoke-Path': '/admin' },
      ...{ 'X-Middleware-Subrequest': 'x', 'X-HTTP-Method-Override': 'DELETE', 'X-Hub-Signature-256': 'sha256=1' },
    });
    const headers = Object.entries(world.reached[0]?.headers ?? {});
    expect(headers.filter(([, value]) => /admin|hooks|DELETE/.test(String(value)))).toEqual([]);
    expect(world.reached[0]?.headers['x-hub-signature-256']).toBe('sha256=1');
  });

  it('is no visit and keeps nothing awake', async () => {
    const visits = async () => (await world.nginx.gateway.visits()).find((one) => one.host === shop)?.count ?? 0;
    const before = await visits();
    await vi.waitFor(async () => expect(await world.nginx.gateway.inFlight(world.app)).toBe(0), until);
    const { socket } = await tunnel(world, shop, {}, '/hooks/socket');
    expect(await world.nginx.gateway.inFlight(world.app)).toBe(1);
    expect(await world.nginx.gateway.visiting(world.app)).toBe(0);
    socket.destroy();
    await vi.waitFor(async () => expect(await world.nginx.gateway.inFlight(world.app)).toBe(0), until);
    expect([await world.nginx.gateway.visiting(world.app), await visits()]).toEqual([0, before]);
  });

  it('wakes nobody, and is told nothing where nothing answers', async () => {
    const asleep = await world.preview('shop', 'asleep', 'Geheim/Schlaf');
    const failed = await world.preview('shop', 'failed', 'Geheim/Fehler');
    const dead = await world.preview('shop', 'live', 'Geheim/tot');
    await world.nginx.gateway.setRoutes(dead, [
      { host: dead, preview: dead, build: 'b1' as BuildId, upstream: '127.0.0.1:9' },
    ]);
    const answers = await Promise.all([asleep, failed, dead, 'never--shop'].map((id) => world.get(id, '/healthz')));
    const alike = new Set(answers.map((one) => one.replace(/^Date: .*\r\n/m, '')));
    expect([...alike]).toEqual([expect.stringMatching(/^HTTP\/1\.1 503 .*Nothing answers here for now\./s)]);
    for (const fact of FACTS) expect([...alike][0]).not.toContain(fact);
    expect([world.woken, world.reached]).toEqual([[], []]);
  });
});
