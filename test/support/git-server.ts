/** A git server by https that asks who reads, and a git that believes its certificate. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import path from 'node:path';
import { gitBackend } from './git-backend.ts';

export interface GitServer {
  /** `localhost:PORT`. */
  readonly host: string;
  /** Of a bare repository below the root. */
  url(repository: string): string;
  /** What each request said of who it is, in order; an empty text where nothing. */
  readonly heard: string[];
  /** Lets a request in, or answers it (or not yet) and says false. Everyone unless told. */
  door: (request: IncomingMessage, response: ServerResponse) => boolean;
  stop(): Promise<void>;
}

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Files of a certificate for localhost and 127.0.0.1. */
export async function makeCertificate(folder: string): Promise<Certificate> {
  await mkdir(folder, { recursive: true });
  const made = { key: path.join(folder, 'key.pem'), cert: path.join(folder, 'cert.pem') };
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ...['-keyout', made.key, '-out', made.cert],
    ],
    { stdio: 'ignore' },
  );
  return made;
}

/** A PATH whose git believes the certificate, as an admin's does who told the system. */
export async function pathOfBeliever(folder: string, { cert }: Certificate): Promise<string> {
  const bin = path.join(folder, 'bin');
  await mkdir(bin, { recursive: true });
  const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
  const program = path.join(bin, 'git');
  await writeFile(program, `#!/bin/sh\nexport GIT_SSL_CAINFO='${cert}'\nexec '${real}' "$@"\n`);
  await chmod(program, 0o755);
  return `${bin}:${process.env.PATH ?? ''}`;
}

/** @param name by which it is reached: two servers at one address are two hosts by their names. */
export async function startGitServer(
  root: string,
  certificate: Certificate,
  name: 'localhost' | '127.0.0.1' = 'localhost',
): Promise<GitServer> {
  const server = createServer(
    { key: await readFile(certificate.key), cert: await readFile(certificate.cert) },
    (request, response) => {
      one.heard.push(request.headers.authorization ?? '');
      if (one.door(request, response)) gitBackend(root, request, response);
    },
  );
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
  const one: GitServer = {
    host: `${name}:${port}`,
    url: (repository) => `https://${name}:${port}/${repository}`,
    heard: [],
    door: () => true,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return one;
}

/** `Basic …` as a client says it. */
export function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** A door for who says one of these, as GitHub's is. */
export function doorFor(...taken: readonly string[]): GitServer['door'] {
  return (request, response) => {
    if (taken.includes(request.headers.authorization ?? '')) return true;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="GitHub"', 'content-type': 'text/plain' });
    // No server should, and some do.
    response.end(`You said: ${request.headers.authorization}\n`);
    return false;
  };
}
