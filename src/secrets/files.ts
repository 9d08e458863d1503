/** Files of `<home>/secrets`: whole or not at all, 0600, and changed by one process at a time. */
import { readFile, stat } from 'node:fs/promises';
import { TreehouseError } from '../errors.ts';
import { locked as lockedFile } from '../file-lock.ts';

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

/** Does `work` while no other process changes the folder. @throws `secret-failed` where others do for longer than LOCK_WAIT_MS */
export async function locked<T>(folder: string, work: () => Promise<T>): Promise<T> {
  // Beside it: all that is in it is secret.
  const file = `${folder}.lock`;
  const waited = AbortSignal.timeout(LOCK_WAIT_MS);
  try {
    return await lockedFile(file, waited, work);
  } catch (error) {
    if (error !== waited.reason || !waited.aborted) throw error;
    const seconds = LOCK_WAIT_MS / 1_000;
    throw new TreehouseError(
      'secret-failed',
      `other processes were changing the secrets for ${seconds} s: try again, or see who has ${file} open`,
    );
  }
}
