/** The door of guarded previews: passwords and links, what they open, and how that ends. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { PUBLIC } from '../../src/domain/guards.ts';
import type { BuildId, PreviewId } from '../../src/domain/names.ts';
import { DOMAIN, FACTS, type Guarded, PASSWORD, startGuarded } from '../support/guarded.ts';
import { byPassword, entryOf, linkTo, statusAt, tunnel } from '../support/guarded-visits.ts';

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

describe('a password', () => {
  it('is asked for by a form that needs no script, and opens this host for a week', async () => {
    const asked = await world.get(shop, '/admin?x=1&y=<b>', { Accept: 'text/html' });
    expect(asked).toContain('<form method="post" action="/.treehouse/password">');
    expect(asked).toContain('value="/admin?x=1&amp;y=%3Cb%3E"');
    expect(asked).toMatch(/^Cache-Control: no-store\r$/m);
    expect(asked).not.toContain('<script');
    const entry = await byPassword(world, shop, PASSWORD, '/admin?x=1');
    expect([entry.status, entry.to]).toEqual([303, '/admin?x=1']);
    expect(entry.attributes).toMatch(/^Path=\/; Max-Age=604[78]\d\d; HttpOnly; SameSite=Lax$/);
    expect(await statusAt(world, shop, entry.cookie)).toBe(200);
    expect(await statusAt(world, blog, entry.cookie)).toBe(403);
  });

  it('does not take the word of just anybody that there is TLS before the gateway', async () => {
    const { attributes } = await byPassword(world, shop, PASSWORD, '/', { headers: 'X-Forwarded-Proto: https\r\n' });
    expect(attributes).not.toContain('Secure');
  });

  it.each([
    '//elsewhere.example',
    '/\\elsewhere.example',
    'http://elsewhere.example',
    '/.//x',
    '/.treehouse/',
    'x',
    '/\t/x',
  ])('leads nowhere else by %j', async (to) =>
    expect(await byPassword(world, shop, PASSWORD, to)).toMatchObject({ status: 303, to: '/' }),
  );

  it.each(['', 'wrong', `${PASSWORD} `, PASSWORD.toUpperCase(), `${PASSWORD}\0`, 'x'.repeat(3_000)])(
    'that is %j opens nothing, and says nothing',
    async (password) => {
      const entry = await byPassword(world, shop, password);
      expect(entry).toMatchObject({ status: 403, cookie: '' });
      for (const fact of FACTS) expect(entry.text).not.toContain(fact);
      expect(world.reached).toEqual([]);
    },
  );

  it('opens nothing where links alone do, nor where there is no such preview’s repository', async () => {
    expect(await byPassword(world, blog, PASSWORD)).toMatchObject({ status: 403, cookie: '' });
    expect(await byPassword(world, 'x--none', PASSWORD)).toMatchObject({ status: 403, cookie: '' });
    expect((await byPassword(world, shop, PASSWORD.repeat(500))).status).toBe(413);
  });

  it('that is another now ends what the one before opened', async () => {
    const { cookie } = await byPassword(world, shop, PASSWORD);
    const { closed } = await tunnel(world, shop, { cookie });
    await world.setPassword('another one');
    expect(await statusAt(world, shop, cookie)).toBe(403);
    await closed;
    await world.setPassword(PASSWORD);
    expect(await statusAt(world, shop, cookie)).toBe(403);
  });

  it('cannot be guessed: after some tries there is none, not even with the right one', async () => {
    const slow = await startGuarded({ ofAddress: 3, ofRepository: 1_000 });
    const tried = async (password: string) => {
      const body = `password=${encodeURIComponent(password)}`;
      const type = 'Content-Type: application/x-www-form-urlencoded';
      const text = await slow.raw(
        `POST /.treehouse/password HTTP/1.1\r\nHost: x--shop.${DOMAIN}\r\nConnection: close\r\n${type}\r\n` +
          `X-Forwarded-For: 10.0.0.${Math.random()}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      return entryOf(text).status;
    };
    expect([await tried(PASSWORD), await tried(PASSWORD)]).toEqual([303, 303]);
    expect([await tried('1'), await tried('2'), await tried('3')]).toEqual([403, 403, 403]);
    expect([await tried('4'), await tried(PASSWORD)]).toEqual([429, 429]);
    await slow.stop();
  });
});

describe('a repository that nobody told the gateway of', () => {
  it('is closed, and becomes what it is told to be at once, also for an nginx that starts anew', async () => {
    const id = 'x--late' as PreviewId;
    const { gateway } = world.nginx;
    await gateway.setRoutes(id, [{ host: id, preview: id, build: 'b1' as BuildId, upstream: world.app }]);
    expect(await statusAt(world, id, '')).toBe(403);
    await gateway.setGuards([{ slug: 'late', access: PUBLIC }]);
    expect(await statusAt(world, id, '')).toBe(200);
    await gateway.setGuards([{ slug: 'late', access: { mode: 'link', open: [] } }]);
    expect(await statusAt(world, id, '')).toBe(403);
    const { pid } = world.nginx;
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(world.nginx.pid).not.toBe(pid), { timeout: 20_000 });
    await vi.waitFor(async () => expect(await statusAt(world, id, '')).toBe(403), { timeout: 20_000 });
    await world.setPassword(PASSWORD);
    expect(await statusAt(world, id, '')).toBe(403);
    await gateway.setRoutes(id, []);
  });
});

describe('a link', () => {
  it('opens its preview and no other, from wherever it is followed', async () => {
    const { path } = await linkTo(world, blog);
    const entry = entryOf(await world.get(blog, path));
    expect([entry.status, entry.to]).toEqual([303, '/']);
    expect(entry.text).toMatch(/^Referrer-Policy: no-referrer\r$/m);
    expect(await statusAt(world, blog, entry.cookie)).toBe(200);
    expect(await statusAt(world, shop, entry.cookie)).toBe(403);
    const elsewhere = entryOf(await world.get(shop, path));
    expect(elsewhere).toMatchObject({ status: 403, cookie: '' });
    expect(elsewhere.text).toContain('This link opens nothing');
  });

  it('opens each host of its preview apart', async () => {
    const side = `api--${blog}`;
    const routes = [blog, side].map((host) => ({ host, preview: blog, build: 'b1' as BuildId, upstream: world.app }));
    await world.nginx.gateway.setRoutes(blog, routes);
    const { path } = await linkTo(world, blog);
    const [main, beside] = [entryOf(await world.get(blog, path)), entryOf(await world.get(side, path))];
    expect([await statusAt(world, side, main.cookie), await statusAt(world, side, beside.cookie)]).toEqual([403, 200]);
    expect(await statusAt(world, blog, beside.cookie)).toBe(403);
  });

  it('opens what asks for a password too', async () => {
    const { cookie } = entryOf(await world.get(shop, (await linkTo(world, shop)).path));
    expect(await statusAt(world, shop, cookie)).toBe(200);
  });

  it('that is revoked ends, with the cookies and what is open by it, and no other', async () => {
    const [one, two] = [await linkTo(world, blog), await linkTo(world, blog)];
    const first = entryOf(await world.get(blog, one.path)).cookie;
    const second = entryOf(await world.get(blog, two.path)).cookie;
    const [ending, staying] = [
      await tunnel(world, blog, { cookie: first }),
      await tunnel(world, blog, { cookie: second }),
    ];
    await world.sharing.revoke(blog, one.id);
    expect(await statusAt(world, blog, first)).toBe(403);
    expect(entryOf(await world.get(blog, one.path)).status).toBe(403);
    await ending.closed;
    expect(await statusAt(world, blog, second)).toBe(200);
    expect(staying.socket.destroyed).toBe(false);
    await world.sharing.revokeAll(blog);
    await staying.closed;
    expect(await statusAt(world, blog, second)).toBe(403);
  });

  it('ends at its time, with the cookies and what is open by it', async () => {
    const { path } = await linkTo(world, blog, 3_000);
    const { cookie } = entryOf(await world.get(blog, path));
    const { closed } = await tunnel(world, blog, { cookie });
    await closed;
    expect(await statusAt(world, blog, cookie)).toBe(403);
    expect(entryOf(await world.get(blog, path)).status).toBe(403);
  });
});
