/** Repositories that were added by the API, as they were said, in one file of Treehouse's home. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { AddedRepositories } from '../config/book.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { writeWhole } from '../whole-file.ts';

const schema = z.record(z.string(), z.record(z.string(), z.unknown()));

export function repositoryFile(home: string): AddedRepositories {
  const file = path.join(home, 'repositories.json');
  return {
    file,
    async read() {
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return '{}';
        throw broken('reading', error);
      });
      try {
        return new Map(Object.entries(schema.parse(JSON.parse(text))));
      } catch (error) {
        throw broken('reading', error);
      }
    },
    async write(all) {
      const text = `${JSON.stringify(Object.fromEntries(all), undefined, 1)}\n`;
      await writeWhole(file, text).catch((error: unknown) => {
        throw broken('writing', error);
      });
    },
  };

  function broken(act: string, error: unknown): TreehouseError {
    return new TreehouseError('process-failed', `${act} ${file} failed: ${messageOf(error)}`, { cause: error });
  }
}
