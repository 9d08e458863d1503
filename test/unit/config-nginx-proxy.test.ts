/** nginx-proxy as the gateway: what the configuration says of it, and what it refuses since nginx-proxy could not keep to it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBook } from '../../src/config/book.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { repositoryName } from '../../src/domain/names.ts';
import { urlsOf } from '../../src/stages.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(path.join(tmpdir(), 'treehouse-config-'));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function read(yml: string, env: Record<string, string> = {}): Config {
  writeFileSync(path.join(cwd, 'treehouse.yml'), yml);
  return readConfig({ env, cwd });
}

function faults(yml: string, env?: Record<string, string>): string {
  try {
    read(yml, env);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('gateway: nginx-proxy', () => {
  it('is named, told of and shown at the ports of the web unless something else is said', () => {
    const plain = read('', { TREEHOUSE_GATEWAY: 'nginx-proxy' });
    expect(plain).toMatchObject({ gateway: 'nginx-proxy', gatewayContainer: 'nginx-proxy', gatewayVariables: {} });
    expect(urlsOf(plain)('main--shop')).toBe('http://main--shop.preview.localhost/');

    const said = read('', {
      TREEHOUSE_GATEWAY: 'nginx-proxy',
      TREEHOUSE_GATEWAY_CONTAINER: 'front_nginx-1',
      TREEHOUSE_GATEWAY_VARIABLES: 'CERT_NAME=previews, LETSENCRYPT_HOST={host}',
      TREEHOUSE_PUBLIC_SCHEME: 'https',
    });
    expect(said).toMatchObject({
      gatewayContainer: 'front_nginx-1',
      gatewayVariables: { CERT_NAME: 'previews', LETSENCRYPT_HOST: '{host}' },
    });
    expect(urlsOf(said)('main--shop')).toBe('https://main--shop.preview.localhost/');
    expect(urlsOf(read('{gateway: nginx-proxy, publicPort: 81}'))('x')).toBe('http://x.preview.localhost:81/');
  });

  it('changes nothing of the own gateway', () => {
    const own = read('');
    expect(own).toMatchObject({ gateway: 'own', gatewayContainer: undefined });
    expect(urlsOf(own)('x')).toBe('http://x.preview.localhost:8080/');
    expect(urlsOf(read('publicPort: 80'))('x')).toBe('http://x.preview.localhost/');
  });

  it.each([
    ['tlsCert: a.pem\ntlsKey: a.key', 'tlsCert (TREEHOUSE_TLS_CERT): nginx-proxy has certificates of its own'],
    ['trustedProxies: [10.0.0.1]\nhsts: 60', 'hsts (TREEHOUSE_HSTS): nginx-proxy is told of it for each preview'],
    ['repositories: {acme/shop: {access: password}}', 'repositories.acme/shop.access: nginx-proxy asks nobody'],
    ['repositories: {acme/shop: {access: link}}', 'repositories.acme/shop.access: nginx-proxy asks nobody'],
    ['idle: 30m', 'idle (TREEHOUSE_IDLE): nginx-proxy does not tell who visits'],
    [
      'repositories: {acme/shop: {previews: {idle: 30m}}}',
      'repositories.acme/shop.previews.idle: nginx-proxy does not',
    ],
    ['sleepMode: pause', 'sleepMode (TREEHOUSE_SLEEP_MODE): nginx-proxy goes on sending visitors to what is paused'],
    ['repositories: {acme/shop: {previews: {sleepMode: pause}}}', 'repositories.acme/shop.previews.sleepMode: nginx-'],
    ['gatewayVariables: {VIRTUAL_HOST: x}', 'gatewayVariables'],
    ['gatewayVariables: {HSTS: "a\\"; }"}', 'characters that nginx would read otherwise'],
    ['gatewayContainer: "a b"', "it is a container's name"],
  ])('refuses %s, and says why', (yml, text) => {
    expect(faults(`gateway: nginx-proxy\n${yml}`)).toContain(text);
  });

  it('takes what it can keep to', () => {
    const yml =
      'repositories: {acme/shop: {access: public, previews: {idle: "off", ttl: 7d, max: 3, sleepMode: stop}}}';
    expect(faults(`gateway: nginx-proxy\n${yml}`)).toBe('');
    expect(faults('repositories: {acme/shop: {access: password, previews: {idle: 30m}}}')).toBe('');
  });

  it('refuses the same of a repository that is added later', async () => {
    const { defaults } = read('gateway: nginx-proxy');
    const added = { file: 'repositories.yml', read: async () => new Map(), write: async () => undefined };
    const common = { configured: [], added, checkUrl: async () => undefined, onChange: async () => undefined };
    const book = await openBook({ ...common, defaults });
    expect(await book.put(repositoryName('acme/shop'), { access: 'password' })).toEqual([
      expect.stringContaining('nginx-proxy asks nobody'),
    ]);
    expect(await book.put(repositoryName('acme/shop'), {})).toEqual([]);
  });
});
