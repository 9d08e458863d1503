/** A lock among processes of one host, by flock(1): whoever dies lets go of it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { TreehouseError } from './errors.ts';

/**
 * Does `work` while nobody else has the lock of that file, which is made and stays.
 * @throws transient `process-failed` where the lock cannot be had at all, or the signal's reason
 */
export async function locked<T>(file: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const holder = await take(file, signal);
  try {
    return await work();
  } finally {
    // Its input is the lock's life: it ends with this process, too.
    holder.stdin.end();
  }
}

type Holder = ChildProcessByStdio<Writable, Readable, null>;

async function take(file: string, signal: AbortSignal): Promise<Holder> {
  signal.throwIfAborted();
  const holder = spawn('flock', ['-x', file, 'cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: '/usr/bin:/bin' },
  });
  holder.stdin.on('error', () => undefined);
  const abort = () => void holder.kill('SIGKILL');
  signal.addEventListener('abort', abort, { once: true });
  try {
    // Once it is ours, cat says what it hears.
    holder.stdin.write('\n');
    const failed = once(holder, 'close').then(() => {
      throw new TreehouseError('process-failed', `the lock ${file} could not be had`, { kind: 'transient' });
    });
    await Promise.race([once(holder.stdout, 'data'), failed]);
    failed.catch(() => undefined);
    return holder;
  } catch (error) {
    holder.kill('SIGKILL');
    signal.throwIfAborted();
    if (error instanceof TreehouseError) throw error;
    throw new TreehouseError('process-failed', `the lock ${file} could not be had`, {
      kind: 'transient',
      cause: error,
    });
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
