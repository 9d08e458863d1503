/** The image registry of an `up` for which none is configured: Debian's docker-registry on loopback. */
import { randomBytes } from 'node:crypto';
import { createWriteStream, renameSync, statSync, type WriteStream } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runProcess } from '../adapters/run-process.ts';
import { TreehouseError } from '../errors.ts';
import { claimFolder, freePort, tryPort } from './claim.ts';
import { type Kept, keepChild, type OnOutage } from './keep.ts';
import { removeLeftovers, removeUntagged } from './registry-leftovers.ts';

export interface EmbeddedRegistryOptions {
  /** Treehouse's home; the images are in `registry` under it. */
  readonly home: string;
  /** PATH, where docker-registry is looked for. */
  readonly searchPath: string;
  /** Unless told, the one it had in this home before, if it is free. */
  readonly port?: number;
  readonly signal?: AbortSignal;
  readonly onOutage?: OnOutage;
}

export interface EmbeddedRegistry {
  /** `127.0.0.1:port`, the first part of the names of its images. */
  readonly address: string;
  readonly pid: number;
  stop(): Promise<void>;
  /** Frees what no manifest names any more. It is away meanwhile, since an upload beside it could lose its layers. */
  collectGarbage(signal: AbortSignal): Promise<void>;
}

const PROGRAM = 'docker-registry';
const LOG_MAX = 5 * 1024 * 1024;
const COLLECT_MS = 600_000;
const PORT_TRIES = 20;
const PORT_PAUSE_MS = 50;

/**
 * Resolves when it answers.
 * @throws {TreehouseError} `bad-config` where another Treehouse uses this home or the port is taken, `process-failed` where it
 * does not start.
 */
export async function startRegistry(options: EmbeddedRegistryOptions): Promise<EmbeddedRegistry> {
  const folder = resolve(options.home, 'registry');
  const claim = await claimFolder(folder, [PROGRAM]);
  const env = { PATH: options.searchPath, LC_ALL: 'C' };
  const config = join(folder, 'config.yml');
  const log = cappedLog(join(folder, 'registry.log'));
  const launch = (address: string, signal?: AbortSignal) =>
    keepChild({
      name: 'the embedded registry',
      command: PROGRAM,
      args: ['serve', config],
      cwd: folder,
      env,
      ready: () => answers(address),
      onLine: log.write,
      onOutage: options.onOutage,
      ...(signal ? { signal } : {}),
    });
  try {
    const port = await choosePort(folder, options.port);
    const address = `127.0.0.1:${port}`;
    await writeAside(config, configuration(folder, address));
    let child: Kept = await launch(address, options.signal);
    await writeAside(join(folder, 'port'), `${port}\n`);
    return {
      address,
      get pid() {
        return child.pid;
      },
      async stop() {
        await child.stop();
        log.end();
        await claim.release();
      },
      async collectGarbage(signal) {
        await child.stop();
        try {
          await removeUntagged(join(folder, 'data'));
          const args = ['garbage-collect', config];
          const act = 'collecting the garbage of the embedded registry';
          await runProcess({
            command: PROGRAM,
            args,
            cwd: folder,
            env,
            timeoutMs: COLLECT_MS,
            signal,
            act,
            onLine: log.write,
          });
          await removeLeftovers(join(folder, 'data'));
        } finally {
          child = await launch(address);
        }
      },
    };
  } catch (error) {
    log.end();
    await claim.release();
    throw error;
  }
}

/** Images are named by the port, so it stays what it was wherever that is possible. */
async function choosePort(folder: string, given: number | undefined): Promise<number> {
  if (given !== undefined) {
    if ((await tryPort(given)) !== undefined) return given;
    throw new TreehouseError('bad-config', `the embedded registry cannot have port ${given} of 127.0.0.1: it is taken`);
  }
  const before = Number((await readFile(join(folder, 'port'), 'utf8').catch(() => '')).trim());
  if (!Number.isInteger(before) || before <= 0 || before >= 65_536) return freePort();
  // A registry that was killed a moment ago may not have let go of it yet.
  for (let tries = 0; tries < PORT_TRIES; tries++) {
    if ((await tryPort(before)) !== undefined) return before;
    await delay(PORT_PAUSE_MS);
  }
  return freePort();
}

function configuration(folder: string, address: string): string {
  // JSON is YAML: nothing in a path can end its quotes.
  return `${JSON.stringify(
    {
      version: '0.1',
      log: { level: 'warn', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
      http: { addr: address, secret: randomBytes(32).toString('hex') },
    },
    undefined,
    2,
  )}\n`;
}

async function answers(address: string): Promise<boolean> {
  const response = await fetch(`http://${address}/v2/`, { signal: AbortSignal.timeout(2_000) });
  await response.arrayBuffer();
  return response.status === 200;
}

async function writeAside(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** A log that never fills the disk: what is older than the last LOG_MAX bytes or so goes. */
function cappedLog(path: string): { write(line: string): void; end(): void } {
  const open = (): WriteStream => createWriteStream(path, { flags: 'a', mode: 0o600 }).on('error', () => {});
  let size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  let stream = open();
  return {
    write(line) {
      if (size > LOG_MAX) {
        stream.end();
        renameSync(path, `${path}.1`);
        stream = open();
        size = 0;
      }
      size += Buffer.byteLength(line) + 1;
      stream.write(`${line}\n`);
    },
    end: () => void stream.end(),
  };
}
