/** Pins in Treehouse's home, a file each: what an admin said outlives a Redis that is wiped. */
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import type { Clock, Pins } from '../domain/ports.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { writeWhole } from '../whole-file.ts';

/** An empty file is there or is not, whatever crashes; one that is not empty says when it ends, in milliseconds since the epoch. */
export function pinFiles(home: string, clock: Clock): Pins {
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

  /** One that ended is removed by whoever sees it first. */
  async function holds(id: PreviewId): Promise<boolean> {
    const text = await readFile(path.join(folder, id), 'utf8').catch(unlessGone(undefined));
    if (text === undefined) return false;
    if (text === '' || Number(text) > clock.now()) return true;
    await rm(path.join(folder, id), { force: true });
    return false;
  }

  return {
    all: () =>
      telling('reading the pins', async () => {
        const names = await readdir(folder).catch(unlessGone<string[]>([]));
        const ids = names.map(parsePreviewId).filter((one) => one !== undefined);
        const held = await Promise.all(ids.map(holds));
        return new Set(ids.filter((_, index) => held[index]));
      }),
    pin: (id, until) =>
      telling(`pinning ${id}`, async () => {
        if (until !== undefined) return writeWhole(path.join(folder, id), String(until));
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const file = await open(path.join(folder, id), 'w', 0o600);
        await file.close();
      }),
    unpin: (id: PreviewId) => telling(`unpinning ${id}`, () => rm(path.join(folder, id), { force: true })),
  };
}

function unlessGone<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return instead;
    throw error;
  };
}
