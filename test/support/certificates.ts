/** A certificate authority for tests, made by openssl, and what it issues. */
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

export interface Issued {
  /** PEM: the certificate, then the authority's. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  readonly serial: string;
}

export interface Authority {
  /** PEM. */
  readonly cert: string;
  issue(names: readonly string[], options?: { readonly rsa?: number; readonly days?: number }): Promise<Issued>;
  stop(): Promise<void>;
}

const openssl = (folder: string, args: readonly string[]) => promisify(execFile)('openssl', args, { cwd: folder });
const newKey = (rsa?: number) =>
  rsa === undefined
    ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    : ['-newkey', `rsa:${rsa}`, '-nodes'];

export async function openAuthority(): Promise<Authority> {
  const folder = await mkdtemp(path.join(tmpdir(), 'treehouse-ca-'));
  await openssl(folder, [
    ...['req', '-x509', ...newKey(), '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30'],
    ...['-subj', '/CN=Treehouse test CA'],
  ]);
  const authority = await readFile(path.join(folder, 'ca.pem'), 'utf8');
  let issued = 0;
  return {
    cert: authority,
    async issue(names, { rsa, days = 30 } = {}) {
      const name = `c${issued++}`;
      await openssl(folder, ['req', ...newKey(rsa), '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', '/CN=x']);
      await writeFile(path.join(folder, `${name}.ext`), `subjectAltName=${names.map((one) => `DNS:${one}`).join(',')}`);
      await openssl(folder, [
        ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
        ...['-days', String(days), '-extfile', `${name}.ext`, '-out', `${name}.pem`],
      ]);
      const cert = await readFile(path.join(folder, `${name}.pem`), 'utf8');
      const key = await readFile(path.join(folder, `${name}.key`), 'utf8');
      return { cert: cert + authority, key, serial: new X509Certificate(cert).serialNumber };
    },
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}
