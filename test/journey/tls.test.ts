/** A push to a Treehouse whose gateway has TLS, until its certificate is another. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Authority, openAuthority } from '../support/certificates.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { freePorts, startWorld, type World } from '../support/treehouse.ts';

const repository = `acme/tls${process.pid}`;
let folder: string;
let repo: TestRepo;
let authority: Authority;
let world: World;
let files: { readonly cert: string; readonly key: string };
let tlsPort: number;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  files = { cert: path.join(folder, 'cert.pem'), key: path.join(folder, 'key.pem') };
  authority = await openAuthority();
  await install();
  repo = await makeRepo(folder, { 'public/index.html': 'by TLS' });
  [tlsPort = 0] = await freePorts(1);
  world = await startWorld({
    repositories: { [repository]: repo.remote },
    env: {
      TREEHOUSE_TLS_CERT: files.cert,
      TREEHOUSE_TLS_KEY: files.key,
      TREEHOUSE_TLS_PORT: String(tlsPort),
    },
  });
});
afterAll(async () => {
  await world?.stop();
  await authority?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function install(): Promise<string> {
  const { cert, key, serial } = await authority.issue(['*.preview.localhost']);
  await writeFile(files.cert, cert);
  await writeFile(files.key, key);
  return serial;
}

it('prints and serves its previews with TLS, by the newest certificate', async () => {
  const id = world.idOf(repository, 'main');
  const host = `${id}.preview.localhost`;
  expect(world.treehouse.urlOf(id)).toBe(`https://${host}:${tlsPort}/`);
  await world.pushed(repository, 'main');
  const get = (secure: boolean) =>
    new Promise<{ status: number; text: string; to: string | undefined; serial: string | undefined }>(
      (done, reject) => {
        const common = { host: '127.0.0.1', headers: { host }, agent: false as const };
        const asked = secure
          ? https.get({ ...common, port: tlsPort, ca: authority.cert, servername: host })
          : http.get({ ...common, port: world.gatewayPort });
        asked.once('error', reject).once('response', async (answer) => {
          const serial = secure ? (answer.socket as TLSSocket).getPeerCertificate().serialNumber : undefined;
          const text = (await answer.setEncoding('utf8').toArray()).join('');
          done({ status: answer.statusCode ?? 0, text, to: answer.headers.location, serial });
        });
      },
    );
  await expect.poll(async () => (await get(true)).text, { timeout: 120_000, interval: 300 }).toContain('by TLS');
  expect(await get(false)).toMatchObject({ status: 301, to: `https://${host}:${tlsPort}/` });
  const serial = await install();
  await expect.poll(async () => (await get(true)).serial, { timeout: 30_000, interval: 300 }).toBe(serial);
  expect(world.logged).toContainEqual(expect.objectContaining({ msg: 'the gateway serves a new certificate', serial }));
  await writeFile(files.key, 'nonsense');
  const refused = { msg: 'a new certificate is refused, and the gateway goes on with the old one' };
  await expect.poll(() => world.logged, { timeout: 30_000 }).toContainEqual(expect.objectContaining(refused));
  expect(await get(true)).toMatchObject({ status: 200, serial });
});
