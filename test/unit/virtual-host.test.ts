/** What nginx-proxy is told of a container that is reached from outside. */
import { expect, it } from 'vitest';
import { virtualEnvironment, virtualHost } from '../../src/domain/virtual-host.ts';

const HOST = 'main--shop.preview.localhost';

it('is its host and port, and what the admin adds', () => {
  const plain = virtualHost('main--shop', HOST, 8000, {});
  expect(plain).toEqual({ label: 'main--shop', host: HOST, port: 8000 });
  expect(virtualEnvironment(plain, ['HSTS', 'VIRTUAL_DEST'])).toEqual({ VIRTUAL_HOST: HOST, VIRTUAL_PORT: '8000' });

  const told = virtualHost('main--shop', HOST, 8000, { CERT_NAME: 'previews', LETSENCRYPT_HOST: '{host}' });
  expect(virtualEnvironment(told, [])).toEqual({
    CERT_NAME: 'previews',
    LETSENCRYPT_HOST: HOST,
    VIRTUAL_HOST: HOST,
    VIRTUAL_PORT: '8000',
  });
});

it('says for itself what an image says and what nginx-proxy would take empty', () => {
  const taken = virtualEnvironment(virtualHost('main--shop', HOST, 8000, {}), [
    'VIRTUAL_PATH',
    'VIRTUAL_HOST_MULTIPORTS',
  ]);
  expect(taken.VIRTUAL_PATH).toBe('/');
  expect(JSON.parse(taken.VIRTUAL_HOST_MULTIPORTS ?? '')).toEqual({ [HOST]: { '/': { port: '8000' } } });
});
