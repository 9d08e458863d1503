/** The file systems that folders are on. */
import { stat, statfs } from 'node:fs/promises';
import type { Disk } from '../domain/disk.ts';

/** A folder, and what people call what lies in it. */
export interface Folder {
  readonly path: string;
  readonly name: string;
}

/** Each file system once, by the first of the folders that is on it. @throws where a folder is not there */
export async function disksOf(folders: readonly Folder[]): Promise<readonly Disk[]> {
  const found = new Map<number, Folder>();
  for (const one of folders) {
    const { dev } = await stat(one.path);
    const other = found.get(dev);
    found.set(dev, other ? { ...other, name: joined(other.name, one.name) } : one);
  }
  return Promise.all([...found.values()].map(diskAt));
}

function joined(names: string, one: string): string {
  return names.includes(one) ? names : `${names} and ${one}`;
}

/** The first of `folders` that is on the same file system. */
export async function diskOf(folder: string, folders: readonly string[]): Promise<string> {
  const { dev } = await stat(folder);
  for (const one of folders) if ((await stat(one)).dev === dev) return one;
  return folder;
}

async function diskAt({ path, name }: Folder): Promise<Disk> {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path);
  return {
    path,
    name,
    // As df counts: what is kept for root is nobody else's.
    size: (blocks - bfree + bavail) * bsize,
    free: bavail * bsize,
    // Some file systems make files as they need them, and say 0.
    files: files === 0 ? 0 : 1 - ffree / files,
  };
}
