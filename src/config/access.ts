/** `access` of a repository: who may see its previews. */
import { z } from 'zod';
import { ACCESS, openPathFault } from '../domain/guards.ts';

const openPath = z
  .string()
  .max(200)
  .superRefine((path, context) => {
    const fault = openPathFault(path);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: `a path to let through: ${fault}` });
  });

/** `access: link` is short for `access: {mode: link}`. */
export const accessSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { mode: value } : value),
  z.strictObject({
    mode: z.enum(ACCESS, "it is 'public', 'password' or 'link'"),
    open: z.array(openPath).max(50).default([]),
  }),
);
