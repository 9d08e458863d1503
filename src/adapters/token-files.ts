/** Tokens of the API in Treehouse's home. */
import path from 'node:path';
import { z } from 'zod';
import { ROLES } from '../domain/access.ts';
import type { RepositoryName } from '../domain/names.ts';
import type { TokenRecord, Tokens } from '../domain/tokens.ts';
import { recordFiles } from './record-files.ts';

const schema = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    role: z.enum(ROLES),
    repositories: z.array(z.string().transform((text) => text as RepositoryName)),
    hash: z.string().regex(/^[0-9a-f]{64}$/),
    createdAt: z.number(),
    expiresAt: z.number().optional(),
  })
  .transform(({ expiresAt, ...record }): TokenRecord => (expiresAt === undefined ? record : { ...record, expiresAt }));

export function tokenFiles(home: string): Tokens {
  const files = recordFiles({ folder: path.join(home, 'tokens'), what: 'token', id: /^[a-z0-9]{8}$/, schema });
  return {
    find: files.find,
    all: async () => [...(await files.all())].sort((a, b) => a.createdAt - b.createdAt),
    add: (record) => files.add(record.id, record),
    remove: files.remove,
  };
}
