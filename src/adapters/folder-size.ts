/** How much a folder takes on disk. */
import { lstat, opendir } from 'node:fs/promises';
import path from 'node:path';

/** Bytes of all that is in it, as the disk counts them; what goes meanwhile counts nothing, and neither does a folder that is not there. */
export async function folderSize(folder: string): Promise<number> {
  let total = await sizeOf(folder);
  const dir = await opendir(folder).catch(() => undefined);
  if (!dir) return total;
  for await (const entry of dir) {
    const inside = path.join(folder, entry.name);
    total += entry.isDirectory() ? await folderSize(inside) : await sizeOf(inside);
  }
  return total;
}

async function sizeOf(file: string): Promise<number> {
  const found = await lstat(file).catch(() => undefined);
  return found ? found.blocks * 512 : 0;
}

/** Bytes of the contents of the files in it, without what the disk adds. */
export async function contentSize(folder: string): Promise<number> {
  let total = 0;
  const dir = await opendir(folder).catch(() => undefined);
  if (!dir) return total;
  for await (const entry of dir) {
    const inside = path.join(folder, entry.name);
    if (entry.isDirectory()) total += await contentSize(inside);
    else total += (await lstat(inside).catch(() => undefined))?.size ?? 0;
  }
  return total;
}
