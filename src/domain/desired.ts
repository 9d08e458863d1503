/** What should run, from what git and the pull requests say. */
import { type Branch, type Commit, type PreviewId, previewId } from './names.ts';

/** What was last heard of one pull request of a branch. */
export interface PullRequestFact {
  readonly number: number;
  readonly open: boolean;
  readonly merged: boolean;
  /** The branch's head as the pull request had it. */
  readonly head: Commit;
  /** GitHub's `updated_at` in milliseconds: of two facts the later counts, whatever order they came in. */
  readonly updatedAt: number;
}

/** Why a branch is to have no preview although it exists: nobody used it, or others needed its room. */
export interface SetAside {
  /** Where the branch was then; when it moves on, this is over. */
  readonly commit: Commit;
  readonly cause: string;
}

/** Why there is nothing to have: what was heard of the branch's pull requests ends with it. */
export const BRANCH_DELETED = 'the branch was deleted';

export type Desired =
  | { readonly kind: 'present'; readonly commit: Commit }
  | { readonly kind: 'absent'; readonly cause: string };

/**
 * A branch has a preview while it exists and is not done with. It is done with when pull requests of it are known, none is
 * open, and its head is still one that a closed one ended on; a commit pushed after that brings it back.
 */
export function desiredState(input: {
  readonly head: Commit | undefined;
  readonly pullRequests: readonly PullRequestFact[];
  /** Why this branch is not to have a preview at all; undefined where it may. */
  readonly excluded: string | undefined;
  readonly aside?: SetAside | undefined;
}): Desired {
  const { head, pullRequests, excluded, aside } = input;
  if (excluded !== undefined) return { kind: 'absent', cause: excluded };
  if (head === undefined) return { kind: 'absent', cause: BRANCH_DELETED };
  if (aside?.commit === head) return { kind: 'absent', cause: aside.cause };
  if (pullRequests.some((one) => one.open)) return { kind: 'present', commit: head };
  const ended = pullRequests
    .filter((one) => one.head === head)
    .reduce<PullRequestFact | undefined>(laterFact, undefined);
  if (ended) {
    return { kind: 'absent', cause: `pull request #${ended.number} was ${ended.merged ? 'merged' : 'closed'}` };
  }
  return { kind: 'present', commit: head };
}

/** Why the branch is not to have this preview, wherever its head is; undefined where it may. */
export function excludedBecause(
  preview: { readonly id: PreviewId; readonly repository: string; readonly branch: Branch },
  repository: { readonly slug: string; readonly branches: readonly string[]; readonly reserved?: string } | undefined,
): string | undefined {
  if (!repository) return `${preview.repository} is not in the configuration any more`;
  if (!branchSelected(repository.branches, preview.branch)) {
    return `the configuration's branches leave '${preview.branch}' out`;
  }
  if (preview.id === repository.reserved) {
    return `'${preview.id}' is the host name of the dashboard (adminHost): rename the branch to give it a preview`;
  }
  if (previewId(repository.slug, preview.branch) !== preview.id) {
    return "the configuration's `hostname` gives its branch another name";
  }
  return undefined;
}

/** The later of two facts, whatever order they came in. */
export function laterFact(known: PullRequestFact | undefined, heard: PullRequestFact): PullRequestFact {
  return known && rank(known) >= rank(heard) ? known : heard;
}

/** Of the same second: closing is what usually came last, then merging; the rest only keeps the order one. */
function rank({ updatedAt, open, merged, number, head }: PullRequestFact): string {
  return [
    String(updatedAt).padStart(16, '0'),
    open ? 0 : 1,
    merged ? 1 : 0,
    String(number).padStart(12, '0'),
    head,
  ].join();
}

/** Whether `branches` (globs, `!` excludes, the last match decides) lets the branch have a preview. */
export function branchSelected(patterns: readonly string[], branch: string): boolean {
  let selected = false;
  for (const pattern of patterns) {
    const negative = pattern.startsWith('!');
    if (matchesGlob(negative ? pattern.slice(1) : pattern, branch)) selected = !negative;
  }
  return selected;
}

/**
 * `*` matches anything, also `/`, so that `*` means every branch; `?` one character. By hand, since a regular expression of
 * several stars takes minutes for a long name: only the last star is ever tried again.
 */
function matchesGlob(pattern: string, text: string): boolean {
  const [wanted, given] = [[...pattern], [...text]];
  let star: { readonly after: number; taken: number } | undefined;
  let [at, next] = [0, 0];
  while (next < given.length) {
    if (wanted[at] === '*') {
      at += 1;
      star = { after: at, taken: next };
    } else if (at < wanted.length && (wanted[at] === '?' || wanted[at] === given[next])) {
      at += 1;
      next += 1;
    } else if (star) {
      star.taken += 1;
      at = star.after;
      next = star.taken;
    } else return false;
  }
  return wanted.slice(at).every((char) => char === '*');
}
