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

/** What can have no effect beside what else is said: its author thinks that it has. Settings that say what is so anyway are no harm. */
export function refineSelection(said: Said, context: z.RefinementCtx): void {
  const fault = (key: keyof Said, message: string) => context.addIssue({ code: 'custom', path: [key], message });
  if (said.pullRequests === 'all' && said.label !== undefined) {
    fault(
      'label',
      "`pullRequests: all` asks for no label, so this does nothing: say 'labelled' there, or take this away",
    );
  }
  if (said.pullRequests !== 'none') return;
  for (const key of ['label', 'drafts', 'bots', 'base', 'paths'] as const) {
    if (said[key] === undefined || said[key] === true) continue;
    const instead = key === 'label' ? "say 'labelled' there" : "say 'all' or nothing there";
    fault(
      key,
      `\`pullRequests: none\` asks nothing of pull requests, so this does nothing: ${instead}, or take this away`,
    );
  }
}

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
