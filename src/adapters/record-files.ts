/** Records in Treehouse's home, a file of JSON each: they outlive a Redis that is wiped. */
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { messageOf, TreehouseError } from '../errors.ts';
import { writeWhole } from '../whole-file.ts';

export interface RecordFiles<T> {
  find(id: string): Promise<T | undefined>;
  all(): Promise<readonly T[]>;
  /** @throws where there is one of this id. */
  add(id: string, record: T): Promise<void>;
  /** In place of the one of this id. */
  put(id: string, record: T): Promise<void>;
  /** @returns whether there was one. */
  remove(id: string): Promise<boolean>;
}

export interface RecordFolder<T> {
  readonly folder: string;
  /** For people, as in "reading the token". */
  readonly what: string;
  /** What is no id could lead out of the folder. */
  readonly id: RegExp;
  readonly schema: z.ZodType<T>;
}

const SUFFIX = '.json';

export function recordFiles<T>({ folder, what, id: form, schema }: RecordFolder<T>): RecordFiles<T> {
  const fileOf = (id: string) => path.join(folder, `${id}${SUFFIX}`);

  function broken(act: string, error: unknown): TreehouseError {
    return new TreehouseError('process-failed', `${act} failed: ${messageOf(error)}`, {
      kind: 'transient',
      cause: error,
    });
  }

  async function find(id: string): Promise<T | undefined> {
    if (!form.test(id)) return undefined;
    try {
      const text = await readFile(fileOf(id), 'utf8');
      return schema.parse(JSON.parse(text));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw broken(`reading the ${what} ${id}`, error);
    }
  }

  const write = (id: string, record: T, isFresh: boolean): Promise<void> =>
    writeWhole(fileOf(id), `${JSON.stringify(record, undefined, 1)}\n`, isFresh).catch((error: unknown) => {
      throw broken(`keeping a ${what}`, error);
    });

  return {
    find,
    async all() {
      const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw broken(`reading each ${what}`, error);
      });
      const ids = names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length));
      return (await Promise.all(ids.map(find))).filter((one) => one !== undefined);
    },
    add: (id, record) => write(id, record, true),
    put: (id, record) => write(id, record, false),
    async remove(id) {
      if ((await find(id)) === undefined) return false;
      await rm(fileOf(id), { force: true });
      return true;
    },
  };
}
