/** Tokens of the API in Treehouse's home, a file each: they outlive a Redis that is wiped. */
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { ROLES } from '../domain/access.ts';
import type { RepositoryName } from '../domain/names.ts';
import type { TokenRecord, Tokens } from '../domain/tokens.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { writeWhole } from '../whole-file.ts';

const schema = z.strictObject({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  repositories: z.array(z.string().transform((text) => text as RepositoryName)),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.number(),
  expiresAt: z.number().optional(),
});

/** What is no id could lead out of the folder. */
const ID = /^[a-z0-9]{8}$/;

export function tokenFiles(home: string): Tokens {
  const folder = path.join(home, 'tokens');
  const fileOf = (id: string) => path.join(folder, `${id}.json`);

  async function read(id: string): Promise<TokenRecord | undefined> {
    if (!ID.test(id)) return undefined;
    const text = await readFile(fileOf(id), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw broken(`reading the token ${id}`, error);
    });
    if (text === undefined) return undefined;
    try {
      const { expiresAt, ...record } = schema.parse(JSON.parse(text));
      return expiresAt === undefined ? record : { ...record, expiresAt };
    } catch (error) {
      throw broken(`reading the token ${id}`, error);
    }
  }

  return {
    find: read,
    async all() {
      const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw broken('reading the tokens', error);
      });
      const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
      const found = await Promise.all(ids.map(read));
      return found.filter((one) => one !== undefined).sort((a, b) => a.createdAt - b.createdAt);
    },
    add: (record) =>
      writeWhole(fileOf(record.id), `${JSON.stringify(record, undefined, 1)}\n`, true).catch((error: unknown) => {
        throw broken('keeping a token', error);
      }),
    async remove(id) {
      if ((await read(id)) === undefined) return false;
      await rm(fileOf(id), { force: true });
      return true;
    },
  };
}

function broken(act: string, error: unknown): TreehouseError {
  return new TreehouseError('process-failed', `${act} failed: ${messageOf(error)}`, {
    kind: 'transient',
    cause: error,
  });
}
