/** Keeps a log that a program of ours holds open from filling the disk. */
import { copyFile, rm, stat, truncate } from 'node:fs/promises';

const LOG_MAX = 5 * 1024 * 1024;
const EVERY_MS = 30_000;

/** Looks at it now and then; what is older than the last LOG_MAX bytes or so goes. @returns what ends that */
export function boundLog(file: string): () => void {
  const look = () => void trimLog(file, LOG_MAX).catch(() => undefined);
  look();
  const timer = setInterval(look, EVERY_MS).unref();
  return () => clearInterval(timer);
}

/** One that is too long becomes `FILE.1` and begins anew; whoever appends to it goes on doing so. */
export async function trimLog(file: string, max: number): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (!found || found.size <= max) return;
  // On a full disk there is no room for the copy, and all the more reason for the rest.
  await copyFile(file, `${file}.1`).catch(() => rm(`${file}.1`, { force: true }));
  await truncate(file);
}
