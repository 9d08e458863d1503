/** The git server: bare repositories, some by https from a host that can be slow or refuse, some by path. */
import { mkdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gitBackend } from '../test/support/git-backend.ts';
import { command } from './commands.ts';
import type { Files } from './stacks.ts';

export type Weather = 'fair' | 'slow' | 'refuses';

export interface Remote {
  /** Where Treehouse clones a repository from. */
  url(repository: string): string;
  /** A commit of exactly these files on no branch yet; its id. */
  commit(repository: string, files: Files, parent: string | undefined): Promise<string>;
  /** Moves, makes or (for undefined) deletes a branch. */
  move(repository: string, branch: string, commit: string | undefined): Promise<void>;
  weather: Weather;
  stop(): Promise<void>;
}

export interface RemoteOptions {
  readonly folder: string;
  /** By https; all others are by path. */
  readonly served: readonly string[];
  readonly repositories: readonly string[];
  readonly certificate: { readonly key: string; readonly cert: string };
}

const SLOW_MS = 1_500;
const AUTHOR = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
};

export async function startRemote(options: RemoteOptions): Promise<Remote> {
  const { folder } = options;
  const bare = (repository: string): string => path.join(folder, `${repository}.git`);
  const git = (repository: string, args: readonly string[], input?: string, env = {}): Promise<string> =>
    command('git', ['--git-dir', bare(repository), ...args], {
      env: { HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', ...env },
      ...(input === undefined ? {} : { input }),
    });
  for (const repository of options.repositories) {
    await mkdir(path.dirname(bare(repository)), { recursive: true });
    await git(repository, ['init', '--quiet', '--bare', '--initial-branch=main']);
  }

  let ticks = 0;
  const server = createServer(
    { key: await readFile(options.certificate.key), cert: await readFile(options.certificate.cert) },
    (request, response) => void answer(request, response),
  );

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (remote.weather === 'refuses') return void request.socket.destroy();
    if (remote.weather === 'slow') await delay(SLOW_MS);
    gitBackend(folder, request, response);
  }

  const port = await listen(server);
  const remote: Remote = {
    weather: 'fair',
    url: (repository) =>
      options.served.includes(repository) ? `https://localhost:${port}/${repository}.git` : bare(repository),
    async commit(repository, files, parent) {
      const blobs = await Promise.all(
        Object.entries(files).map(async ([name, content]) => {
          const id = (await git(repository, ['hash-object', '-w', '--stdin'], content)).trim();
          return `100644 blob ${id}\t${name}\n`;
        }),
      );
      const tree = (await git(repository, ['mktree'], blobs.join(''))).trim();
      // A time of its own for each, or equal content would make equal commits.
      const time = `${1_700_000_000 + ticks++} +0000`;
      const args = ['commit-tree', tree, '-m', `change ${ticks}`, ...(parent === undefined ? [] : ['-p', parent])];
      const dates = { GIT_AUTHOR_DATE: time, GIT_COMMITTER_DATE: time };
      return (await git(repository, args, '', { ...AUTHOR, ...dates })).trim();
    },
    async move(repository, branch, commit) {
      const ref = `refs/heads/${branch}`;
      await git(repository, commit === undefined ? ['update-ref', '-d', ref] : ['update-ref', ref, commit]);
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return remote;
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
}
