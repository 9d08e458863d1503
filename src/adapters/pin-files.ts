/** Pins in Treehouse's home, a file each: what an admin said outlives a Redis that is wiped. */
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import type { Pins } from '../domain/ports.ts';
import { messageOf, TreehouseError } from '../errors.ts';

/** An empty file is there or is not, whatever crashes. */
export function pinFiles(home: string): Pins {
  const folder = path.join(home, 'pins');

  async function telling<T>(act: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new TreehouseError('process-failed', `${act} in ${folder} failed: ${messageOf(error)}`, {
        kind: 'transient',
        cause: error,
      });
    }
  }

  return {
    all: () =>
      telling('reading the pins', async () => {
        const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return [];
          throw error;
        });
        return new Set(names.map(parsePreviewId).filter((one) => one !== undefined));
      }),
    pin: (id: PreviewId) =>
      telling(`pinning ${id}`, async () => {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const file = await open(path.join(folder, id), 'a', 0o600);
        await file.close();
      }),
    unpin: (id: PreviewId) => telling(`unpinning ${id}`, () => rm(path.join(folder, id), { force: true })),
  };
}
