import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { judgeCertificate, readTexts } from '../../src/embedded/certificate.ts';
import { openCertificate } from '../../src/embedded/certificate-keeper.ts';
import { type Authority, type Issued, openAuthority } from '../support/certificates.ts';

const DOMAIN = 'preview.example.com';
const DAY = 86_400_000;
const files = { cert: '/tls/cert.pem', key: '/tls/key.pem' };
let authority: Authority;
let good: Issued;
let other: Issued;
beforeAll(async () => {
  authority = await openAuthority();
  good = await authority.issue([DOMAIN, `*.${DOMAIN}`]);
  other = await authority.issue([`*.${DOMAIN}`]);
});
afterAll(() => authority.stop());

describe('a certificate and its key', () => {
  const judge = (cert: string, key: string, now = Date.now()) =>
    judgeCertificate({ cert, key }, { files, domain: DOMAIN, now });

  it('are taken with what the certificate was issued by, and nothing else of the files', () => {
    const judged = judge(`# a comment\n${good.cert}\nrest`, `${good.key}${good.cert}`);
    expect(judged.serial).toBe(good.serial);
    expect(judged.endsAt).toBeGreaterThan(Date.now() + 29 * DAY);
    expect(judged.pem.match(/-----BEGIN [A-Z ]+-----/g)).toEqual([
      '-----BEGIN CERTIFICATE-----',
      '-----BEGIN CERTIFICATE-----',
      '-----BEGIN PRIVATE KEY-----',
    ]);
    expect(judge(good.cert + good.key, good.cert + good.key).pem).toBe(judged.pem);
  });

  it('of two makings are none', () => {
    expect(() => judge(good.cert, other.key)).toThrow(
      "the gateway's TLS: the key in /tls/key.pem is not that of the certificate in /tls/cert.pem: give the two that were made together",
    );
    const backwards = authority.cert + good.cert;
    expect(() => judge(backwards, good.key)).toThrow('in /tls/cert.pem the certificate of the key is not the first');
  });

  it('that are cut short are none, wherever they end', () => {
    for (let length = 0; length < good.cert.length - 2; length += 97) {
      const cut = good.cert.slice(0, length);
      // Whole is the first already; what it was issued by is then not there, or cut itself.
      if (length > good.cert.indexOf('-----END') + 26 && !cut.slice(30).includes('-----BEGIN CERTIFICATE-----'))
        continue;
      expect(() => judge(cut, good.key)).toThrow('/tls/cert.pem');
    }
    for (let length = 0; length < good.key.length - 2; length += 13) {
      expect(() => judge(good.cert, good.key.slice(0, length))).toThrow('/tls/key.pem holds no private key in PEM');
    }
  });

  it('are for their time', () => {
    expect(() => judge(good.cert, good.key, Date.now() + 31 * DAY)).toThrow(
      /^.*\/tls\/cert.pem ended on .*: renew it$/,
    );
    expect(() => judge(good.cert, good.key, Date.now() - DAY)).toThrow(
      /\/tls\/cert.pem holds from .* on: is the clock/,
    );
  });

  it.each([
    [['preview.example.com']],
    [['*.example.com']],
    [['*.a.preview.example.com']],
    [['any-*.preview.example.com']],
  ])('are for every preview: %j is not', async (names) => {
    const { cert, key } = await authority.issue(names);
    expect(() => judge(cert, key)).toThrow(`not for previews: have one issued for *.${DOMAIN}`);
  });

  it('have no passphrase', () => {
    const sealed = execFileSync('openssl', ['pkey', '-aes256', '-passout', 'pass:fox'], { input: good.key }).toString();
    expect(() => judge(good.cert, sealed)).toThrow('the key in /tls/key.pem has a passphrase');
  });

  it('are files that can be read', async () => {
    const missing = readTexts({ cert: '/nonexistent/cert.pem', key: '/nonexistent/key.pem' });
    await expect(missing).rejects.toMatchObject({ code: 'bad-config' });
    await expect(missing).rejects.toThrow('tlsCert (TREEHOUSE_TLS_CERT): ENOENT');
  });
});

describe('the keeper of a certificate', () => {
  it('takes what stays good, says once what is bad, and asks again where nginx did not answer', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
    const pair = { cert: path.join(folder, 'cert.pem'), key: path.join(folder, 'key.pem') };
    const write = async (cert: string, key: string) => {
      await writeFile(pair.cert, cert);
      await writeFile(pair.key, key);
    };
    let now = Date.now();
    let isAway = false;
    const said: string[] = [];
    const told: string[] = [];
    await write(good.cert, good.key);
    const keeper = await openCertificate({
      ...{ files: pair, domain: DOMAIN, pairFile: path.join(folder, 'pair.pem'), lookEvery: 5, now: () => now },
      tryOut: async () => undefined,
      news: {
        taken: ({ serial }) => said.push(`taken ${serial}`),
        refused: (reason) => said.push(`refused ${reason.replaceAll(folder, '')}`),
        ending: () => said.push('ending'),
      },
    });
    keeper.follow(async (pem) => {
      if (isAway) throw new Error('nginx is away');
      told.push(pem);
    });
    const eventually = (what: readonly string[]) => vi.waitFor(() => expect(said).toEqual(what), { timeout: 10_000 });
    await write(good.cert, other.key);
    await eventually([expect.stringMatching(/^refused .*\/key.pem is not that of the certificate in \/cert.pem/)]);
    said.length = 0;
    await write(good.cert, good.key);
    isAway = true;
    await write(other.cert, other.key);
    await eventually(['refused nginx is away']);
    isAway = false;
    now += 61_000;
    await eventually(['refused nginx is away', `taken ${other.serial}`]);
    expect(told).toHaveLength(1);
    said.length = 0;
    now += 21 * DAY;
    await eventually(['ending']);
    await keeper.stop();
    await rm(folder, { recursive: true });
  });
});
