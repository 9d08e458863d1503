/** Files of `<home>/secrets`: whole or not at all, 0600, and changed by one process at a time. */
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TreehouseError } from '../errors.ts';
import { writeWhole } from '../whole-file.ts';

const LOCK_WAIT_MS = 5_000;

/** Undefined where there is none. */
export async function readOwn(file: string): Promise<Buffer | undefined> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new TreehouseError('secret-failed', `reading ${file} failed: ${error.message}`, { cause: error });
  });
}

/** @throws `secret-failed` where others than its owner may read it. */
export async function refuseOpen(file: string): Promise<void> {
  const { mode } = await stat(file);
  if ((mode & 0o077) === 0) return;
  throw new TreehouseError('secret-failed', `${file} can be read by others than its owner: run chmod 600 ${file}`);
}

/** Does `work` while no other process changes the folder. */
export async function locked<T>(folder: string, work: () => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, 'lock');
  const began = performance.now();
  for (;;) {
    try {
      await writeWhole(file, String(process.pid), true);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number((await readOwn(file))?.toString());
    if (holder > 0 && !runs(holder)) await rm(file, { force: true });
    else if (performance.now() - began > LOCK_WAIT_MS) {
      throw new TreehouseError(
        'secret-failed',
        `the process ${holder} is changing the secrets; where it is not, remove ${file}`,
      );
    } else await delay(20);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
