/** Previews by TLS as a browser sees them, and what is open by a pass in HTTP/2. */
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openPage, startBrowser } from '../support/browser.ts';
import { openAuthority } from '../support/certificates.ts';
import { startGuarded } from '../support/guarded.ts';
import { entryOf, linkTo } from '../support/guarded-visits.ts';
import { ask2, DOMAIN, SHOP, startTlsWorld, type TlsWorld } from '../support/tls-world.ts';
import { freePorts } from '../support/treehouse.ts';

const until = { timeout: 20_000, interval: 20 };

describe('a browser that trusts the authority', () => {
  let world: TlsWorld;
  let browser: Browser;
  beforeAll(async () => {
    world = await startTlsWorld();
    const spki = new X509Certificate(world.authority.cert).publicKey.export({ type: 'spki', format: 'der' });
    const hash = createHash('sha256').update(spki).digest('base64');
    browser = await startBrowser([`--ignore-certificate-errors-spki-list=${hash}`]);
  });
  afterAll(async () => {
    await browser?.close();
    await world?.stop();
  });

  it('is sent to TLS, speaks HTTP/2, and keeps its WebSocket while the certificate changes', async () => {
    const { page, faults } = await openPage(browser, {});
    await page.goto(`http://${SHOP}:${world.port}/page?x=1`).catch(() => undefined);
    await page.goto(`http://${SHOP}:${world.port}/page`);
    expect(page.url()).toBe(`https://${SHOP}:${world.tlsPort}/page`);
    expect(await page.evaluate('isSecureContext')).toBe(true);
    expect(await page.evaluate('performance.getEntriesByType("navigation")[0].nextHopProtocol')).toBe('h2');
    const headers = await page.evaluate(`(async () => {
      window.heard = [];
      window.socket = new WebSocket('wss://' + location.host + '/socket');
      socket.onmessage = (event) => heard.push(event.data);
      socket.onclose = () => heard.push('closed');
      await new Promise((resolve) => { socket.onopen = resolve; });
      return (await (await fetch('/x')).json()).headers;
    })()`);
    expect(headers).toMatchObject({ 'x-forwarded-proto': 'https', 'x-forwarded-port': String(world.tlsPort) });
    const next = await world.authority.issue([`*.${DOMAIN}`]);
    await world.install(next);
    await vi.waitFor(() => expect(world.said).toContain(`taken ${next.serial}`), until);
    await page.evaluate('socket.send("still here")');
    await vi.waitFor(async () => expect(await page.evaluate('heard.slice(1)')).toEqual(['still here']), until);
    expect(await page.evaluate('heard[0]')).toContain('"x-forwarded-proto":"https"');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('trusts nothing else', async () => {
    const other = await startBrowser();
    const page = await other.newPage();
    await expect(page.goto(`https://${SHOP}:${world.tlsPort}/page`)).rejects.toThrow('ERR_CERT_AUTHORITY_INVALID');
    await other.close();
  });
});

describe('a guest by HTTP/2', () => {
  it('loses what is open when the link is revoked, whatever else the connection did', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
    const authority = await openAuthority();
    const issued = await authority.issue([`*.${DOMAIN}`]);
    const files = { cert: path.join(folder, 'cert.pem'), key: path.join(folder, 'key.pem') };
    await writeFile(files.cert, issued.cert);
    await writeFile(files.key, issued.key);
    const [port = 0] = await freePorts(1);
    const world = await startGuarded(undefined, { tls: { ...files, port } });
    const blog = await world.preview('blog', 'live');
    const link = await linkTo(world, blog);
    const connect = () =>
      http2.connect(`https://127.0.0.1:${port}`, { ca: authority.cert, servername: `${blog}.${DOMAIN}` });
    const session = connect();
    session.on('error', () => undefined);
    const to = { ':authority': `${blog}.${DOMAIN}` };
    const entered = await ask2(session, { ...to, ':path': link.path });
    const [cookie = ''] = (entered.headers['set-cookie']?.[0] ?? '').split(';');
    expect([entered.status, String(entered.headers['set-cookie'])]).toEqual([303, expect.stringContaining('; Secure')]);

    const stream = session.request({ ...to, ':path': '/stream', cookie });
    stream.on('error', () => undefined);
    const [answer] = await once(stream, 'response');
    expect(answer[':status']).toBe(200);
    // Others begin and end beside it.
    for (let i = 0; i < 20; i++) expect((await ask2(session, { ...to, cookie })).status).toBe(200);
    expect(stream.closed).toBe(false);
    await world.sharing.revoke(blog, link.id);
    await vi.waitFor(() => expect(stream.closed).toBe(true), until);
    const again = connect();
    expect((await ask2(again, { ...to, cookie })).status).toBe(403);
    again.destroy();
    session.destroy();
    expect(entryOf(await world.get(blog, '/x')).to).toBe(`https://${blog}.${DOMAIN}:${port}/x`);
    await world.stop();
    await authority.stop();
    await rm(folder, { recursive: true });
  });
});
