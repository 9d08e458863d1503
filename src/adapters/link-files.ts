/** Share links in Treehouse's home. */
import path from 'node:path';
import { z } from 'zod';
import type { LinkRecord, Links } from '../domain/links.ts';
import { parsePreviewId } from '../domain/names.ts';
import { recordFiles } from './record-files.ts';

const schema: z.ZodType<LinkRecord> = z.strictObject({
  id: z.string(),
  preview: z.string().transform((text, context) => {
    const id = parsePreviewId(text);
    if (id) return id;
    context.addIssue({ code: 'custom', message: 'it is no preview id' });
    return z.NEVER;
  }),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.number(),
  expiresAt: z.number(),
  by: z.string(),
});

export function linkFiles(home: string): Links {
  const files = recordFiles({ folder: path.join(home, 'links'), what: 'link', id: /^[a-z0-9]{8}$/, schema });
  return {
    find: files.find,
    all: async () => [...(await files.all())].sort((a, b) => a.createdAt - b.createdAt),
    add: (record) => files.add(record.id, record),
    remove: files.remove,
  };
}
