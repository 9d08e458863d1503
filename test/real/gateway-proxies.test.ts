/** Proxies before the gateway: whose word counts of where a client is and how it came. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Router } from 'express';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PreviewId } from '../../src/domain/names.ts';
import { close, createApp, listen } from '../../src/web/server.ts';
import { DOMAIN, type Guarded, PASSWORD, startGuarded } from '../support/guarded.ts';
import { byPassword, entryOf, linkTo, tunnel } from '../support/guarded-visits.ts';
import { keptLog } from '../support/log.ts';
import { SHOP, startTlsWorld, type TlsWorld } from '../support/tls-world.ts';

const until = { timeout: 20_000, interval: 20 };
/** Linux has all of 127.0.0.0/8 at its loopback. */
const PROXY = '127.0.0.2';
const TRUSTED = [`${PROXY}/32`, '10.0.0.0/8', 'fd00::/8'];

const ENTRANCES = [
  ['by itself', false],
  ['behind its entrance', true],
] as const;

describe.each(ENTRANCES)('a gateway without TLS behind a proxy with TLS, %s', (_how, hasEntrance) => {
  let world: Guarded;
  let news: PreviewId;
  let shop: PreviewId;
  let blog: PreviewId;
  beforeAll(async () => {
    world = await startGuarded({ ofAddress: 2, ofRepository: 1_000 }, { trustedProxies: TRUSTED, hasEntrance });
    [news, shop, blog] = [
      await world.preview('news', 'live'),
      await world.preview('shop', 'live'),
      await world.preview('blog', 'live'),
    ];
  });
  afterAll(() => world?.stop());
  beforeEach(() => {
    world.reached.length = 0;
  });

  async function seenFrom(from: string, lines: readonly string[]) {
    const head = [`GET / HTTP/1.1`, `Host: ${news}.${DOMAIN}`, 'Connection: close', ...lines];
    expect(entryOf(await world.raw(`${head.join('\r\n')}\r\n\r\n`, from)).status).toBe(200);
    const headers = world.reached.at(-1)?.headers ?? {};
    return [
      headers['x-forwarded-for'],
      headers['x-real-ip'],
      headers['x-forwarded-proto'],
      headers['x-forwarded-port'],
    ];
  }

  it.each<[string, readonly string[], string, string]>([
    ['one client', ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https'], '203.0.113.9', 'https'],
    ['the last that is not trusted', ['X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.1.2.3'], '203.0.113.9', 'http'],
    ['of several lines the last', ['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 203.0.113.9'], '203.0.113.9', 'http'],
    ['an IPv6 one', ['X-Forwarded-For: 2001:db8::1, fd00::5', 'X-Forwarded-Proto: HTTPS'], '2001:db8::1', 'https'],
    ['nobody', [], PROXY, 'http'],
    ['one with its port', ['X-Forwarded-For: 6.6.6.6, 203.0.113.9:51234'], '203.0.113.9', 'http'],
    ['an IPv6 one with its port', ['X-Forwarded-For: [2001:db8::1]:51234'], '2001:db8::1', 'http'],
    ['proxies alone', ['X-Forwarded-For: 10.1.1.1, 10.2.2.2'], '10.1.1.1', 'http'],
    ['nonsense after a proxy', ['X-Forwarded-For: 300.1.1.1, 10.2.2.2'], '10.2.2.2', 'http'],
    ['a long lie', [`X-Forwarded-For: ${'6.6.6.6, '.repeat(300)}203.0.113.9`], '203.0.113.9', 'http'],
    ['nonsense', ['X-Forwarded-For: evil', 'X-Forwarded-Proto: gopher'], PROXY, 'http'],
    ['what the proxy adds to a lie', ['X-Forwarded-Proto: https', 'X-Forwarded-Proto: http'], PROXY, 'http'],
    ['what the proxy appends to a lie', ['X-Forwarded-Proto: https, http'], PROXY, 'http'],
  ])('is told by the proxy of %s', async (_what, lines, address, proto) => {
    expect(await seenFrom(PROXY, lines)).toEqual([address, address, proto, proto === 'https' ? '443' : '80']);
  });

  it('takes nobody else’s word', async () => {
    const lies = ['X-Forwarded-For: 203.0.113.9, 127.0.0.2', 'X-Forwarded-Proto: https', 'X-Real-IP: 203.0.113.9'];
    expect(await seenFrom('127.0.0.1', lies)).toEqual(['127.0.0.1', '127.0.0.1', 'http', '80']);
    expect(await seenFrom('127.0.0.3', lies)).toEqual(['127.0.0.3', '127.0.0.3', 'http', '80']);
  });

  it('gives passes for HTTPS alone, and sends nobody in circles', async () => {
    const headers = 'X-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.1\r\n';
    const entry = await byPassword(world, shop, PASSWORD, '/', { headers, from: PROXY });
    expect([entry.status, entry.to]).toEqual([303, '/']);
    expect(entry.attributes).toContain('; Secure');
    const plain = await byPassword(world, shop, PASSWORD, '/', { headers });
    expect(plain.attributes).not.toContain('Secure');
  });

  it('counts wrong passwords by the client, not by the proxy', async () => {
    const guess = async (client: string) => {
      const headers = `X-Forwarded-For: 6.6.6.6, ${client}\r\n`;
      return (await byPassword(world, shop, 'wrong', '/', { headers, from: PROXY })).status;
    };
    expect([await guess('203.0.113.7'), await guess('203.0.113.7'), await guess('203.0.113.7')]).toEqual([
      403, 403, 429,
    ]);
    expect(await guess('203.0.113.8')).toBe(403);
    // Who does not come by the proxy cannot choose an address to be counted by.
    const lie = async (client: string) =>
      (await byPassword(world, shop, 'wrong', '/', { headers: `X-Forwarded-For: ${client}\r\n`, from: '127.0.0.4' }))
        .status;
    expect([await lie('203.0.113.20'), await lie('203.0.113.21'), await lie('203.0.113.22')]).toEqual([403, 403, 429]);
  });

  it('ends what is open by a revoked link, also where the client’s address is told', async () => {
    const link = await linkTo(world, blog);
    const { cookie } = entryOf(await world.get(blog, link.path));
    const headers = { cookie, 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' };
    const { socket, closed } = await tunnel(world, blog, headers, '/socket', PROXY);
    await world.sharing.revoke(blog, link.id);
    await Promise.race([closed, new Promise((_, reject) => setTimeout(reject, 15_000, new Error('it is still open')))]);
    socket.destroy();
  });
});

describe.each(ENTRANCES)('a gateway with TLS behind a proxy, %s', (_how, hasEntrance) => {
  let world: TlsWorld;
  beforeAll(async () => {
    world = await startTlsWorld({ trustedProxies: TRUSTED, publicPort: 443, hsts: 60, hasEntrance });
  });
  afterAll(() => world?.stop());

  it.each<[string, number, OutgoingHttpHeaders, boolean]>([
    ['had TLS', 200, { 'x-forwarded-proto': 'https' }, true],
    ['had none', 301, { 'x-forwarded-proto': 'http' }, true],
    ['had none, though it asks with TLS', 301, { 'x-forwarded-proto': 'http' }, false],
    ['is not told of', 200, {}, false],
  ])('asks for TLS once: whose client %s gets %i', async (_what, status, headers, plain) => {
    const answer = await world.ask({ plain, headers, from: PROXY });
    expect(answer.status).toBe(status);
    expect(answer.headers.location).toBe(status === 301 ? `https://${SHOP}/` : undefined);
    expect(answer.headers['strict-transport-security']).toBe(status === 200 ? 'max-age=60' : undefined);
  });

  it('is not talked out of it by anybody else', async () => {
    expect(await world.ask({ plain: true, headers: { 'x-forwarded-proto': 'https' } })).toMatchObject({ status: 301 });
    expect(await world.ask({ headers: { 'x-forwarded-proto': 'http' } })).toMatchObject({ status: 200 });
  });
});

describe('Treehouse itself behind a proxy', () => {
  it('counts wrong tokens by the client, and by nobody’s word but the proxy’s', async () => {
    const tell = Router().get('/', (req, res) => void res.json(req.ip));
    const common = { routers: [tell], ready: async () => [], log: keptLog().log };
    for (const [trustedProxies, seen] of [
      [TRUSTED, '203.0.113.9'],
      [['10.0.0.0/8'], PROXY],
      [[], PROXY],
    ] as const) {
      const server = await listen(createApp({ ...common, trustedProxies }), '127.0.0.1', 0);
      const { port } = server.address() as AddressInfo;
      const headers = { 'x-forwarded-for': '6.6.6.6, 203.0.113.9' };
      const asked = http.get({ host: '127.0.0.1', port, localAddress: PROXY, headers, agent: false });
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      expect((await answer.setEncoding('utf8').toArray()).join('')).toBe(JSON.stringify(seen));
      await close(server, 0);
    }
  });
});

describe('the access log', () => {
  it('has the client’s address', async () => {
    const world = await startTlsWorld({ trustedProxies: TRUSTED, accessLog: true });
    await world.ask({ from: PROXY, headers: { 'x-forwarded-for': '203.0.113.77' } });
    await world.ask({ from: '127.0.0.3', headers: { 'x-forwarded-for': '203.0.113.78' } });
    await vi.waitFor(async () => {
      const log = await readFile(`${world.options.home}/nginx/access.log`, 'utf8');
      expect(log.split('\n').map((line) => line.split(' ')[0])).toEqual(['203.0.113.77', '127.0.0.3', '']);
    }, until);
    await world.stop();
  });
});
