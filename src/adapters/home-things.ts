/** What lies in Treehouse's home of previews and repositories: checkouts and mirrors. */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { parsePreviewId } from '../domain/names.ts';
import type { Place, Thing } from '../domain/sweep.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { mirrorFiles, repositoryOfMirror } from './git-mirror.ts';

/** The folder of checkouts, in which each preview has one of its own. */
export function checkoutFolders(builds: string): Place {
  return {
    name: builds,
    kinds: ['folder'],
    async find() {
      return (await namesIn(builds)).map((name): Thing => {
        const id = parsePreviewId(name);
        const folder = path.join(builds, name);
        return { what: 'folder', name: folder, ref: folder, owner: id ? { kind: 'preview', id } : { kind: 'nobody' } };
      });
    },
    remove: ({ ref }) => rm(ref, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Mirrors of repositories, which are made anew where they are missing. */
export function mirrorFolders(mirrors: string): Place {
  return {
    name: mirrors,
    kinds: ['mirror'],
    async find() {
      const repositories = (await namesIn(mirrors)).map(repositoryOfMirror).filter((one) => one !== undefined);
      return [...new Set(repositories)].map((repository): Thing => {
        return { what: 'mirror', name: repository, ref: repository, owner: { kind: 'repository', repository } };
      });
    },
    async remove({ owner }) {
      if (owner.kind !== 'repository') return;
      for (const file of mirrorFiles(mirrors, owner.repository)) {
        await rm(file, { recursive: true, force: true, maxRetries: 3 });
      }
    },
  };
}

/** None where there is no such folder yet. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new TreehouseError('process-failed', `reading ${folder} failed: ${messageOf(error)}`, {
      kind: 'transient',
      cause: error,
    });
  }
}
