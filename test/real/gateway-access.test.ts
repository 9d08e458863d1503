/** Guarded previews: whatever a stranger sends, no byte of the app and no fact of the preview comes back. */
import { posix } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Grant, signedPass } from '../../src/access/pass.ts';
import type { PreviewId } from '../../src/domain/names.ts';
import { DOMAIN, FACTS, type Guarded, startGuarded } from '../support/guarded.ts';

const HOUR = 3_600_000;
let world: Guarded;
/** Of a repository that asks for a password, of one that takes links alone, and of one that is public. */
let shop: PreviewId;
let blog: PreviewId;
let news: PreviewId;
let mark: string;
beforeAll(async () => {
  world = await startGuarded();
  mark = await world.setPassword('another one, said the hen');
  shop = await world.preview('shop', 'live');
  blog = await world.preview('blog', 'live');
  news = await world.preview('news', 'live');
});
afterAll(() => world.stop());
beforeEach(() => {
  world.reached.length = 0;
  world.woken.length = 0;
});

function pass(label: string, grant: Grant, more: { key?: string; endsAt?: number } = {}): string {
  const { key = world.key, endsAt = Date.now() + HOUR } = more;
  return `treehouse-pass=${signedPass(key, { label, grant, endsAt })}`;
}
const good = () => pass(shop, { password: mark });

function expectNothingOf(answer: string): void {
  expect(world.reached).toEqual([]);
  expect(world.woken).toEqual([]);
  for (const fact of FACTS) expect(answer).not.toContain(fact);
  expect(answer).toMatch(
    /^(?:HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.[01] (?:400|403|404|405|413|414|417|501|505|301) /,
  );
}

describe('a stranger', () => {
  it.each([
    '/',
    '/admin',
    '/hooks',
    '/hooksadmin',
    '/healthzz',
    '/HOOKS/x',
    '/Healthz',
    '/%68ooks/x',
    '/hooks%2fx',
    '//hooks/x',
    '/./hooks/x',
    '/hooks/../admin',
    '/hooks/x/../../admin',
    '/hooks/./x',
    '/hooks//x',
    '/hooks/..',
    '/hooks/.',
    '/hooks/%2e%2e/admin',
    '/hooks/%2E%2E/admin',
    '/hooks/.%2e/admin',
    '/hooks/..%2fadmin',
    '/hooks/..%5cadmin',
    '/hooks/..\\admin',
    '/hooks\\..\\admin',
    '/hooks/..;/admin',
    '/hooks/;/../admin',
    '/hooks/x;a=/../../admin',
    '/hooks/%252e%252e/admin',
    '/hooks/%252e%252e%252fadmin',
    '/hooks/%c0%ae%c0%ae/admin',
    '/hooks/\xef\xbc\x8e\xef\xbc\x8e/admin',
    '/hooks/%uff0e%uff0e/admin',
    '/hooks/..%00/admin',
    '/hooks/x%00',
    '/hooks/x%0d%0aHost:%20news',
    '/hooks/..%09/admin',
    '/hooks/#/../../admin',
    '/hooks/%23/../admin',
    '/hooks/%3f/../admin',
    '/hooks/%',
    '/hooks/%zz',
    '/healthz/../admin',
    '/healthz%2f..%2fadmin',
    '/healthz;/../admin',
    '/admin?/../healthz#/hooks/',
    '/admin?/hooks/',
    '/admin?next=/healthz',
    '/admin;/hooks/',
    '/admin#/hooks/',
    '/.treehouse',
    '/.treehouse/',
    '/.treehouse/../admin',
    '/.treehouse/%2e%2e/admin',
    '/.treehouse/..%2fadmin',
    '/.treehouse/password',
    '/.treehouse/link/',
    '/.treehouse/link/a1b2c3d4_short',
    `/.treehouse/link/a1b2c3d4_${'A'.repeat(43)}`,
    `/.treehouse/link/a1b2c3d4_${'A'.repeat(43)}/../../../admin`,
    '/gateway/page',
    '/gateway/wake',
    '/routes',
    `/${'a'.repeat(9_000)}`,
    '*',
    'hooks/x',
    'http:///hooks/../admin',
  ])('gets nothing at %s', async (where) => {
    for (const id of [shop, blog]) expectNothingOf(await world.get(id, where));
  });

  it('is let through to no path that anybody reads as another', async () => {
    const part = fc.constantFrom(
      ...[
        'hooks',
        'healthz',
        'admin',
        '..',
        '.',
        '/',
        '//',
        '\\',
        ';',
        '%2e',
        '%2E',
        '%2f',
        '%5c',
        '%25',
        '%00',
        '%3b',
      ],
      ...['?', '#', '%23', '%3f', 'a', '~', '@', ':', '...', '\xe3\x80\x82', '%ef%bc%8f', '+', ',', '&', "'", '|', '{'],
    );
    const where = fc.array(part, { minLength: 1, maxLength: 9 }).map((all) => `/hooks/${all.join('')}`);
    let count = 0;
    await fc.assert(
      fc.asyncProperty(where, async (path) => {
        world.reached.length = 0;
        await world.get(blog, path);
        for (const { url } of world.reached) {
          count += 1;
          for (const read of readings(url)) expect(read).toMatch(/^\/hooks(?:\/|$)/);
        }
      }),
      { numRuns: 500 },
    );
    expect(count).toBeGreaterThan(0);
  }, 120_000);

  it.each(['POST', 'PUT', 'HEAD', 'OPTIONS', 'TRACE', 'PURGE', 'PROPFIND', 'PATCH', 'DELETE', 'get', 'CONNECT'])(
    'gets nothing by %s',
    async (method) => {
      const head = `Host: ${shop}.${DOMAIN}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`;
      expectNothingOf(await world.raw(`${method} /admin HTTP/1.1\r\n${head}`));
      expectNothingOf(await world.raw(`${method} /admin HTTP/1.0\r\n${head}`));
      expectNothingOf(await world.raw(`${method} http://${shop}.${DOMAIN}/admin HTTP/1.1\r\n${head}`));
      if (method !== 'HEAD') expectNothingOf(await world.raw(`${method} * HTTP/1.1\r\n${head}`));
      expectNothingOf(await world.raw(`${method} ${shop}.${DOMAIN}:80 HTTP/1.1\r\n${head}`));
    },
  );

  it.each<[string, () => string]>([
    ['another path by X-Original-URL', () => 'X-Original-URL: /hooks/x'],
    ['another path by X-Rewrite-URL', () => 'X-Rewrite-URL: /healthz'],
    ['another host by X-Forwarded-Host', () => `X-Forwarded-Host: ${news}.${DOMAIN}`],
    ['another host by Forwarded', () => `Forwarded: host=${news}.${DOMAIN};for=127.0.0.1`],
    ['an address of the inside', () => 'X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nClient-IP: 127.0.0.1'],
    ['headers of the gateway', () => 'X-Treehouse-Standing: guest\r\nX-Treehouse-Key: x\r\nX-Treehouse-Problem: x'],
    ['orders to nginx', () => 'X-Accel-Redirect: /\r\nX-Sendfile: /'],
    [
      'a password of HTTP',
      () => `Authorization: Basic ${Buffer.from('a:another one, said the hen').toString('base64')}`,
    ],
    ['a pass as a bearer', () => `Authorization: Bearer ${good().split('=')[1]}`],
    ['a pass in another header', () => `X-Cookie: ${good()}\r\nCookie2: ${good()}\r\nSet-Cookie: ${good()}`],
    ['a part of it', () => 'Range: bytes=0-10'],
    ['what it has already', () => 'If-None-Match: *\r\nIf-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT'],
    ['what it has already, by its tag', () => 'If-None-Match: "x-app"'],
    ['that it matches', () => 'If-Match: "x-app"\r\nIf-Range: "x-app"'],
    ['to go on', () => 'Expect: 100-continue\r\nContent-Length: 0'],
    [
      'a WebSocket',
      () => 'Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13',
    ],
    ['HTTP/2', () => 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__'],
    ['JSON', () => 'Accept: application/json'],
    ['two ends of a body', () => 'Content-Length: 4\r\nTransfer-Encoding: chunked'],
    ['a second host', () => `Host: ${news}.${DOMAIN}`],
    ['the same host twice', () => `Host: ${shop}.${DOMAIN}`],
    ['a cookie without a value', () => 'Cookie: treehouse-pass'],
    ['an empty cookie', () => 'Cookie: treehouse-pass='],
    ['a cookie of dots', () => 'Cookie: treehouse-pass=..'],
    ['the pass of another preview', () => `Cookie: ${pass(news, { password: mark })}`],
    ['the pass of another repository', () => `Cookie: ${pass(blog, { password: mark })}`],
    ['the pass of a service beside it', () => `Cookie: ${pass(`api--${shop}`, { password: mark })}`],
    ['a pass that has ended', () => `Cookie: ${pass(shop, { password: mark }, { endsAt: Date.now() - 1 })}`],
    ['a pass that has ended, made longer', () => `Cookie: ${longer(pass(shop, { password: mark }, { endsAt: 1 }))}`],
    ['a pass that another key signed', () => `Cookie: ${pass(shop, { password: mark }, { key: '0'.repeat(64) })}`],
    ['a pass that no key signed', () => `Cookie: ${pass(shop, { password: mark }, { key: '' })}`],
    ['the pass of a password that was', () => `Cookie: ${pass(shop, { password: '0123456789abcdef' })}`],
    ['the pass of no password', () => `Cookie: ${pass(shop, { password: '' })}`],
    ['the pass of a link that is none', () => `Cookie: ${pass(shop, { link: 'a1b2c3d4' })}`],
    ['a pass with its end changed', () => `Cookie: ${longer(good())}`],
    ['a pass with a letter changed', () => `Cookie: ${good().slice(0, -1)}${good().endsWith('A') ? 'B' : 'A'}`],
    ['a pass with a letter less', () => `Cookie: ${good().slice(0, -1)}`],
    ['a pass with a letter more', () => `Cookie: ${good()}A`],
    ['a pass in capitals', () => `Cookie: ${good().toUpperCase()}`],
    ['a pass by a longer name', () => `Cookie: x${good()}; ${good().replace('pass=', 'passed=')}`],
    ['a pass by a name with a space', () => `Cookie: x ${good()}`],
    ['a pass in quotes', () => `Cookie: treehouse-pass="${good().split('=')[1]}"`],
    ['a pass in another cookie', () => `Cookie: a="${good()}"; b=${good()}`],
    ['a pass by commas', () => `Cookie: a=1,${good()}`],
    ['a pass, folded', () => `Cookie: a=1;\r\n ${good()}`],
    ['a pass with a NUL', () => `Cookie: ${good()}\0`],
    ['a very long cookie', () => `Cookie: treehouse-pass=p${'a'.repeat(6_000)}.9999999999999.${'b'.repeat(43)}`],
    ['a cookie that is too long', () => `Cookie: ${'a'.repeat(20_000)}`],
    [
      'many cookies',
      () => `Cookie: ${Array.from({ length: 70 }, () => `treehouse-pass=p1.9.${'b'.repeat(43)}`).join('; ')}`,
    ],
    ['many lines of them', () => Array.from({ length: 90 }, (_, i) => `Cookie: treehouse-pass=p${i}.9.b`).join('\r\n')],
    ['many headers', () => Array.from({ length: 300 }, (_, i) => `X-${i}: /hooks/`).join('\r\n')],
  ])('gets nothing for %s', async (_what, header) => {
    const lines = `Host: ${shop}.${DOMAIN}\r\n${header()}\r\n`;
    const end = lines.includes('Connection: ') ? '' : 'Connection: close\r\n';
    for (const where of ['/', '/admin', '/hooks/../admin']) {
      expectNothingOf(await world.raw(`GET ${where} HTTP/1.1\r\n${lines}${end}\r\n`));
    }
  });

  it.each<[string, () => string]>([
    ['in capitals', () => `${shop}.${DOMAIN}`.toUpperCase()],
    ['with a port', () => `${shop}.${DOMAIN}:1234`],
    ['with a dot at its end', () => `${shop}.${DOMAIN}.`],
    ['with both', () => `${shop}.${DOMAIN}.:80`],
    ['with a label before it', () => `x.${shop}.${DOMAIN}`],
    ['by a name of its own', () => `${shop}.${DOMAIN}@x`],
    ['that is none', () => ''],
  ])('gets nothing by the host %s', async (_what, host) => {
    expectNothingOf(await world.raw(`GET /admin HTTP/1.1\r\nHost: ${host()}\r\nConnection: close\r\n\r\n`));
  });

  it('gets nothing where the request line names another host than the header', async () => {
    const mixed = (line: string, host: string) =>
      world.raw(`GET http://${line}.${DOMAIN}/admin HTTP/1.1\r\nHost: ${host}.${DOMAIN}\r\nConnection: close\r\n\r\n`);
    expectNothingOf(await mixed(shop, news));
    expectNothingOf(await world.raw('GET /admin HTTP/1.0\r\n\r\n'));
    expectNothingOf(`HTTP/1.0 404 ${await world.raw('GET /admin\r\n\r\n')}`);
    // The other way round it is the public one's app that answers.
    expect(await mixed(news, shop)).toContain('the app says');
  });

  it('does not come in behind a guest on the same connection', async () => {
    const host = `Host: ${shop}.${DOMAIN}\r\n`;
    const text = await world.raw(
      `GET /1 HTTP/1.1\r\n${host}Cookie: ${good()}\r\n\r\nGET /2 HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    );
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403']);
    expect(world.reached.map((one) => one.url)).toEqual(['/1']);
  });

  it.each(['asleep', 'failed', 'building', 'removed', 'waiting', 'outdated'] as const)(
    'is told of one that is %s what is told of one that never was, and wakes nobody',
    async (state) => {
      for (const name of ['shop', 'blog']) {
        const id = await world.preview(name, state, `Geheim/${state}`);
        const never = `${id.slice(0, -name.length - 12)}0000000000--${name}`;
        const answers = await Promise.all(
          [id, never].flatMap((label) => ['/', '/x?y=1', '/hooks/../x'].map((where) => world.get(label, where))),
        );
        for (const one of answers) expectNothingOf(one);
        const alike = answers.map((one) => one.replace(/^(?:Date|ETag|Content-Length): .*\r\n/gim, ''));
        expect(alike.slice(0, 3)).toEqual(alike.slice(3));
      }
    },
  );
});

/** The path of a URL as apps of all sorts may read it: decoded never, once or twice, with or without what others leave out. */
function readings(url: string): string[] {
  const path = url.split(/[?#]/)[0] ?? '';
  const decoded = [path, decode(path), decode(decode(path))];
  const loose = decoded.flatMap((one) => [one, one.replaceAll('\\', '/'), one.replaceAll(/;[^/]*/g, '')]);
  return [...loose.map((one) => posix.normalize(one)), new URL(`http://x${url}`).pathname];
}

function decode(text: string): string {
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function longer(cookie: string): string {
  return cookie.replace(/\.\d+\./, `.${Date.now() + 2 * HOUR}.`);
}
