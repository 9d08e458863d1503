/** Hashes of previews' passwords in Treehouse's home. */
import path from 'node:path';
import { z } from 'zod';
import type { RepositoryName } from '../domain/names.ts';
import type { PasswordRecord, Passwords } from '../domain/passwords.ts';
import { recordFiles } from './record-files.ts';

const base64 = z.base64().min(1);
const schema: z.ZodType<PasswordRecord> = z.strictObject({
  repository: z.string().transform((text) => text as RepositoryName),
  salt: base64,
  hash: base64,
  mark: z.string().regex(/^[0-9a-f]{16}$/),
  setAt: z.number(),
});

/** No owner has an underscore in it, so that no two repositories share a file. */
const idOf = (repository: RepositoryName) => repository.replace('/', '_');

export function passwordFiles(home: string): Passwords {
  const files = recordFiles({
    ...{ folder: path.join(home, 'passwords'), what: 'password', schema },
    id: /^[A-Za-z0-9-]+_[A-Za-z0-9._-]+$/,
  });
  return {
    find: (repository) => files.find(idOf(repository)),
    put: (record) => files.put(idOf(record.repository), record),
    remove: (repository) => files.remove(idOf(repository)),
  };
}
