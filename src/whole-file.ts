/** Files that are written whole or not at all, whatever crashes, and that only their owner reads. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** Replaces a file, or with `fresh` makes it where there is none. @throws `EEXIST` where `fresh` finds one. */
export async function writeWhole(file: string, content: string | Uint8Array, fresh = false): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const aside = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(aside, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (fresh) await link(aside, file);
    else await rename(aside, file);
  } finally {
    await rm(aside, { force: true });
  }
  const folder = await open(path.dirname(file), 'r');
  await folder.sync().finally(() => folder.close());
}
