/** TLS of the gateway with a real nginx, real files and a real authority. */
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import https from 'node:https';
import path from 'node:path';
import type tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startNginx } from '../../src/embedded/nginx.ts';
import { type Answer, ask2, DOMAIN, SHOP, startTlsWorld, type TlsWorld } from '../support/tls-world.ts';
import { freePorts } from '../support/treehouse.ts';

const until = { timeout: 20_000, interval: 10 };
const CERTIFICATES = 6;
const HSTS = 'max-age=3600';
let world: TlsWorld;
beforeAll(async () => {
  world = await startTlsWorld({ hsts: 3_600 });
});
afterAll(() => world?.stop());

const seen = (answer: Answer) =>
  JSON.parse(answer.text) as { url: string; body: string; headers: Record<string, string> };

describe('the port without TLS', () => {
  it.each([
    ['GET', 301],
    ['HEAD', 301],
    ['POST', 308],
    ['PUT', 308],
    ['DELETE', 308],
  ])('sends a %s to the port with TLS, with %i', async (method, status) => {
    const to = `https://${SHOP}:${world.tlsPort}/a%2Fb//c?x=%20&y=//z`;
    for (const headers of [{}, { 'x-forwarded-proto': 'https' }]) {
      const answer = await world.ask({ plain: true, method, path: '/a%2Fb//c?x=%20&y=//z', headers });
      expect([answer.status, answer.headers.location]).toEqual([status, to]);
      expect(answer.headers).not.toHaveProperty('strict-transport-security');
    }
  });

  it('asks for no password and takes none, and keeps what the client wrote', async () => {
    const said = { plain: true, method: 'POST', path: '/.treehouse/password', body: 'password=x' };
    expect(await world.ask(said)).toMatchObject({ status: 308 });
    const odd = await world.ask({ plain: true, host: `Main--Shop.${DOMAIN}.:80`, path: '/%0d%0aSet-Cookie:%20a=b' });
    expect(odd.headers.location).toBe(`https://${SHOP}:${world.tlsPort}/%0d%0aSet-Cookie:%20a=b`);
    expect(odd.headers).not.toHaveProperty('set-cookie');
  });

  it.each([`a.b.${DOMAIN}`, DOMAIN, '127.0.0.1', 'elsewhere.example'])(
    'answers at %s, where no preview is, with the page',
    async (host) => {
      expect(await world.ask({ plain: true, host })).toMatchObject({
        status: 404,
        text: expect.stringContaining('page'),
      });
    },
  );
});

describe('the port with TLS', () => {
  it('leads to previews, which are told of it', async () => {
    const answer = await world.ask({ headers: { 'x-forwarded-proto': 'http', 'x-forwarded-for': '6.6.6.6' } });
    expect(answer.headers['strict-transport-security']).toBe(HSTS);
    expect(seen(answer).headers).toMatchObject({
      host: SHOP,
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '443',
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
    });
    const named = await world.ask({ host: `${SHOP}:${world.tlsPort}`, path: '/own-hsts' });
    expect(seen(named).headers['x-forwarded-port']).toBe(String(world.tlsPort));
    expect(named.headers['strict-transport-security']).toBe(HSTS);
  });

  it.each([`a.b.${DOMAIN}`, `main--shop.main--shop.${DOMAIN}`, DOMAIN, 'elsewhere.example', '127.0.0.1'])(
    'has one certificate, and at %s the page',
    async (host) => {
      expect(await world.ask({ host })).toMatchObject({ status: 404, text: expect.stringContaining('page') });
      const socket = await world.connect({
        servername: host === '127.0.0.1' ? '' : host,
        checkServerIdentity: () => undefined,
      });
      expect(socket.getPeerCertificate().serialNumber).toBe(world.first.serial);
      socket.destroy();
    },
  );

  it('takes TLS 1.2 and 1.3, forward secret, and nothing older', async () => {
    const spoken = async (options: tls.ConnectionOptions) => {
      const socket = await world.connect(options);
      const spoke = `${socket.getProtocol()} ${socket.getCipher().name}`;
      socket.destroy();
      return spoke;
    };
    expect(await spoken({})).toMatch(/^TLSv1\.3 TLS_/);
    expect(await spoken({ maxVersion: 'TLSv1.2' })).toMatch(/^TLSv1\.2 ECDHE-/);
    // The client's own OpenSSL must be willing, or the refusal would be its own.
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    await expect(spoken(old)).rejects.toThrow(/protocol version/i);
    const weak = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA:AES128-SHA:@SECLEVEL=0' } as const;
    await expect(spoken(weak)).rejects.toThrow(/handshake failure/i);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'resumes sessions of %s, without a ticket that holds them',
    async (version) => {
      const first = await world.connect({ minVersion: version, maxVersion: version });
      let session = first.getSession();
      if (version === 'TLSv1.3') {
        first.write(`GET / HTTP/1.1\r\nHost: ${SHOP}\r\n\r\n`);
        session = Buffer.from(await new Promise<Buffer>((resolve) => first.once('session', resolve)));
      }
      expect(first.getTLSTicket()?.length ?? 0).toBeLessThanOrEqual(32);
      first.destroy();
      const second = await world.connect({ minVersion: version, maxVersion: version, session });
      expect(second.isSessionReused()).toBe(true);
      second.destroy();
    },
  );

  it('says where to go to who speaks plain HTTP to it', async () => {
    const answer = await world.ask({ plain: true, port: world.tlsPort, path: '/x?y', method: 'POST', body: 'z' });
    expect([answer.status, answer.headers.location]).toEqual([308, `https://${SHOP}:${world.tlsPort}/x?y`]);
  });
});

describe('HTTP/2', () => {
  it('reaches previews with bodies, cookies and their own Host, many at once', async () => {
    const session = world.http2();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => ask2(session, { ':method': 'POST', ':path': `/${i}` }, `body ${i}`)),
    );
    expect(answers.map((one) => seen(one).body)).toEqual(answers.map((_, i) => `body ${i}`));
    const one = await ask2(session, { cookie: ['a=1', 'b=2'], 'x-forwarded-proto': 'http' });
    expect(one.headers['strict-transport-security']).toBe(HSTS);
    expect(seen(one).headers).toMatchObject({
      ...{ host: `${SHOP}:${world.tlsPort}`, cookie: 'a=1; b=2' },
      ...{ 'x-forwarded-proto': 'https', 'x-forwarded-port': String(world.tlsPort), 'x-forwarded-for': '127.0.0.1' },
    });
    // A connection is any host's; a wildcard's browser does this.
    expect((await ask2(session, { ':authority': `a.b.${DOMAIN}` })).text).toContain('page');
    expect((await ask2(session, { ':authority': SHOP, host: `other--shop.${DOMAIN}` })).status).toBe(400);
    session.destroy();
  });

  it('asks a second time for what has no body alone, and upgrades nothing', async () => {
    const session = world.http2();
    expect((await ask2(session, { ':path': '/hang-up' })).status).toBe(502);
    expect(world.hangUps()).toBe(2);
    // No header announces this body, and after the first try it is gone.
    expect((await ask2(session, { ':method': 'GET', ':path': '/hang-up' }, 'unannounced')).status).toBe(502);
    expect(world.hangUps()).toBe(3);
    expect(seen(await ask2(session, { ':method': 'GET' }, 'unannounced')).body).toBe('unannounced');
    const upgraded = await ask2(session, { 'sec-websocket-version': '13', 'sec-websocket-key': 'x' });
    expect(seen(upgraded).headers).not.toHaveProperty('upgrade');
    session.destroy();
  });
});

describe('another certificate', () => {
  it('is served to new handshakes at once, and costs none of 8 clients a request or a connection', async () => {
    let going = true;
    let asked = 0;
    const faults: string[] = [];
    const connections = new Set<unknown>();
    const forever = async (once: () => Promise<Answer>) => {
      while (going) {
        asked++;
        const fault = await once().then(
          (answer) => (answer.status === 200 ? undefined : `${answer.status}`),
          (error) => `${error}`,
        );
        if (fault !== undefined) faults.push(fault);
      }
    };
    const clients = Array.from({ length: 4 }, () => {
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: world.authority.cert, servername: SHOP });
      agent.on('free', (socket) => connections.add(socket));
      return forever(() => world.ask({ agent })).finally(() => agent.destroy());
    });
    const clients2 = Array.from({ length: 4 }, async () => {
      const session = world.http2();
      session.on('connect', () => connections.add(session)).on('error', (error) => faults.push(`${error}`));
      session.on('goaway', () => faults.push('goaway'));
      const streams = Array.from({ length: 4 }, () => forever(() => ask2(session)));
      await Promise.all(streams);
      session.destroy();
    });
    const master = world.nginx.pid;
    for (let i = 0; i < CERTIFICATES; i++) {
      // Of another kind each time: both are to be gone from the next.
      const next = await world.authority.issue([`*.${DOMAIN}`], i % 2 === 0 ? { rsa: 2048 } : {});
      await world.install(next);
      await vi.waitFor(() => expect(world.said.at(-1)).toBe(`taken ${next.serial}`), until);
      // Each worker has its own memory of it.
      const serials = await Promise.all(Array.from({ length: 8 }, () => world.serial()));
      expect(new Set(serials)).toEqual(new Set([next.serial]));
    }
    going = false;
    await Promise.all([...clients, ...clients2]);
    expect(faults).toEqual([]);
    expect(asked).toBeGreaterThan(500);
    expect([connections.size, world.nginx.pid]).toEqual([8, master]);
    expect(world.said.every((one) => one.startsWith('taken'))).toBe(true);
    console.info(`${CERTIFICATES} certificates, ${asked} requests of 8 clients, ${faults.length} failed`);
  });

  it('is served by an nginx that was killed, too', async () => {
    const serial = await world.serial();
    const { pid } = world.nginx;
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(async () => {
      expect(world.nginx.pid).not.toBe(pid);
      expect(await world.serial()).toBe(serial);
    }, until);
  });

  it('is refused where it is bad, by a reason, and the old one goes on', async () => {
    const now = await world.serial();
    const own = { cert: await readFile(world.files.cert, 'utf8'), key: await readFile(world.files.key, 'utf8') };
    const good = await world.authority.issue([`*.${DOMAIN}`]);
    const elsewhere = await world.authority.issue(['*.elsewhere.example']);
    const ended = await world.authority.issue([`*.${DOMAIN}`], { days: -1 });
    const weak = await world.authority.issue([`*.${DOMAIN}`], { rsa: 1024 });
    for (const [pair, reason] of [
      [{ cert: good.cert, key: own.key }, 'the key in /key.pem is not that of the certificate in /cert.pem'],
      [{ cert: good.cert.slice(0, 300), key: good.key }, '/cert.pem is cut short'],
      [{ cert: good.cert, key: good.key.slice(0, 100) }, '/key.pem holds no private key in PEM'],
      [{ cert: '', key: '' }, '/key.pem holds no private key'],
      [elsewhere, 'is for DNS:*.elsewhere.example, not for previews: have one issued for *.preview.localhost'],
      [ended, '/cert.pem ended on '],
      [weak, 'with the certificate in /cert.pem nginx does not start'],
    ] as const) {
      world.said.length = 0;
      await world.install(pair);
      await vi.waitFor(() => expect(world.said).toEqual([expect.stringContaining(reason)]), until);
      expect(await world.serial()).toBe(now);
    }
    world.said.length = 0;
    await world.install(good);
    await vi.waitFor(() => expect(world.said).toEqual([`taken ${good.serial}`]), until);
    expect(await world.serial()).toBe(good.serial);
  });

  it('is looked for in files that may be gone for a while', async () => {
    const { cert, key } = world.files;
    const good = await world.authority.issue([`*.${DOMAIN}`]);
    world.said.length = 0;
    await rm(cert);
    await vi.waitFor(() => expect(world.said).toEqual([expect.stringContaining('ENOENT')]), until);
    await writeFile(cert, good.cert);
    await writeFile(key, good.key);
    await vi.waitFor(() => expect(world.said.at(-1)).toBe(`taken ${good.serial}`), until);
  });
});

describe('starting', () => {
  it('with a bad pair names the file and the way out, and leaves no key behind', async () => {
    const good = await world.authority.issue([`*.${DOMAIN}`]);
    const [port = 0, tlsPort = 0] = await freePorts(2);
    const home = path.join(world.options.home, 'other');
    const start = () => startNginx({ ...world.options, home, port, tls: { ...world.files, port: tlsPort } });
    await writeFile(world.files.key, good.key);
    await expect(start()).rejects.toMatchObject({ code: 'bad-config' });
    await expect(start()).rejects.toThrow(/key\.pem is not that of the certificate in .*cert\.pem: give the two/);
    const weak = await world.authority.issue([`*.${DOMAIN}`], { rsa: 1024 });
    await world.install(weak);
    await expect(start()).rejects.toThrow(/with the certificate in .*cert\.pem nginx does not start: .*key too small/s);
    await expect(stat(path.join(home, 'nginx', 'certificate.pem'))).rejects.toMatchObject({ code: 'ENOENT' });
    await world.install(good);
    const taken = { ...world.options, home, port, tls: { ...world.files, port: world.tlsPort } };
    await expect(startNginx(taken)).rejects.toThrow(
      'something else listens there; choose another with TREEHOUSE_TLS_PORT',
    );
  });

  it('keeps the key to its owner', async () => {
    const file = await stat(path.join(world.options.home, 'nginx', 'certificate.pem'));
    expect(file.mode & 0o777).toBe(0o600);
  });
});
