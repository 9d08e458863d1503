/** `pullRequests`, `label`, `drafts`, `bots`, `base` and `paths` of a repository: which branches have previews. */
import { z } from 'zod';
import { EVERY_BRANCH, PULL_REQUESTS, type Selection } from '../domain/selection.ts';

const globs = z.array(z.string().min(1).max(255)).min(1).max(100);

/** Beside others in a repository's entry. */
export const selectionFields = {
  pullRequests: z.enum(PULL_REQUESTS, "it is 'all', 'labelled' or 'none'").optional(),
  label: z.string().min(1).max(50).optional(),
  drafts: z.boolean().optional(),
  bots: z.boolean().optional(),
  base: globs.optional(),
  paths: globs.optional(),
};

type Said = { readonly [Key in keyof typeof selectionFields]?: z.output<(typeof selectionFields)[Key]> };

/** @returns undefined where nothing of it is said. A label alone asks for it: nobody names one to no end. */
export function selectionOf(said: Said): Selection | undefined {
  const given = Object.fromEntries(
    Object.entries(said).filter(([, value]) => value !== undefined),
  ) as Partial<Selection>;
  if (Object.keys(given).length === 0) return undefined;
  const asked =
    given.label !== undefined && given.pullRequests === undefined ? { pullRequests: 'labelled' as const } : {};
  return { ...EVERY_BRANCH, ...asked, ...given };
}
