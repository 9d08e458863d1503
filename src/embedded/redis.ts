/** The Redis of an `up` for which none is configured: on loopback, with a password, its data in Treehouse's home; started again if it dies. */
import { randomBytes } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { messageOf, TreehouseError } from '../errors.ts';
import { claimFolder, freePort } from './claim.ts';
import { keepChild, type OnOutage } from './keep.ts';

export interface EmbeddedRedisOptions {
  /** Treehouse's home; the data is in `redis` under it. */
  readonly home: string;
  /** PATH, where redis-server is looked for. */
  readonly searchPath: string;
  /** Any free one unless told. */
  readonly port?: number;
  readonly signal?: AbortSignal;
  onLine?(line: string): void;
  readonly onOutage?: OnOutage;
}

export interface EmbeddedRedis {
  /** `redis://:password@127.0.0.1:port`; the password is new at each start. */
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const PROGRAM = 'redis-server';
/** What Debian's redis-server is a link to, too. */
const FILES = [PROGRAM, 'redis-check-rdb'];
/** A long history is read before the first answer. */
const READY_MS = 60_000;

/**
 * Resolves when it answers.
 * @throws {TreehouseError} `bad-config` where another Treehouse uses this home, `process-failed` where it does not start.
 */
export async function startRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const folder = resolve(options.home, 'redis');
  const claim = await claimFolder(folder, FILES);
  try {
    const port = options.port ?? (await freePort());
    const password = randomBytes(24).toString('hex');
    const config = join(folder, 'redis.conf');
    await writeFile(`${config}.new`, configuration(folder, port, password), { mode: 0o600 });
    await rename(`${config}.new`, config);
    const child = await keepChild({
      name: 'the embedded Redis',
      command: PROGRAM,
      args: [config],
      cwd: folder,
      env: { PATH: options.searchPath, LC_ALL: 'C' },
      ready: () => answersPing(port, password),
      readyWithin: READY_MS,
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.onLine ? { onLine: options.onLine } : {}),
      onOutage: options.onOutage,
    });
    return {
      url: `redis://:${password}@127.0.0.1:${port}`,
      get pid() {
        return child.pid;
      },
      async stop() {
        await child.stop();
        await claim.release();
      },
    };
  } catch (error) {
    await claim.release();
    if (options.signal?.aborted || !(error instanceof TreehouseError)) throw error;
    const hint = `(its data is in ${folder}; without that folder it starts with an empty history, and previews keep running)`;
    throw new TreehouseError(error.code, `${messageOf(error)}\n${hint}`, { kind: error.kind, cause: error });
  }
}

function configuration(folder: string, port: number, password: string): string {
  return `# Written by Treehouse at each start.
bind 127.0.0.1
port ${port}
protected-mode yes
requirepass ${password}
daemonize no
dir "${folder.replaceAll(/["\\]/g, '\\$&')}"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
logfile ""
`;
}

/** False while nothing listens, and while it still loads its data. */
function answersPing(port: number, password: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 });
    let answer = '';
    const end = (ready: boolean) => {
      socket.destroy();
      done(ready);
    };
    socket.on('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (answer.split('\r\n').length > 2) end(answer === '+OK\r\n+PONG\r\n');
    });
    socket.on('error', () => end(false));
    socket.on('timeout', () => end(false));
    socket.on('close', () => end(false));
  });
}
