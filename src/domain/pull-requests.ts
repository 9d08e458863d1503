/** What was heard of pull requests. Pure. */
import type { OpenPullRequest } from './forge.ts';
import type { Branch, Commit } from './names.ts';

/** What was last heard of one pull request of a branch. What may be absent was not noted by earlier versions. */
export interface PullRequestFact {
  readonly number: number;
  readonly open: boolean;
  readonly merged: boolean;
  /** The branch's head as the pull request had it. */
  readonly head: Commit;
  /** GitHub's `updated_at` in milliseconds: of two facts the later counts, whatever order they came in. */
  readonly updatedAt: number;
  /** What it is to be merged into, which may be a branch that has a preview itself. */
  readonly base?: Branch;
  readonly draft?: boolean;
  readonly labels?: readonly string[];
  /** Whether a bot opened it. */
  readonly bot?: boolean;
  /**
   * When the forge was asked and said so, by our clock, where it was so long after `updatedAt` that nothing more came of that
   * second: of what is known of one second this is the last.
   */
  readonly asked?: number;
}

/** The later of two facts, whatever order they came in. */
export function laterFact<T extends PullRequestFact>(known: T | undefined, heard: T): T {
  return known && rank(known) >= rank(heard) ? known : heard;
}

/**
 * Of the same second: what the forge said when it was asked later; else closing is what usually came last, then merging, then labels, which come one after the other; the rest
 * only keeps the order one.
 */
function rank({ updatedAt, open, merged, number, head, ...more }: PullRequestFact): string {
  const { base, draft, labels, bot, asked } = more;
  return [
    String(updatedAt).padStart(16, '0'),
    String(asked ?? 0).padStart(16, '0'),
    open ? 0 : 1,
    merged ? 1 : 0,
    String(number).padStart(12, '0'),
    head,
    base === undefined ? 0 : 1,
    String(labels?.length ?? 0).padStart(6, '0'),
    draft ? 0 : 1,
    JSON.stringify([base, labels?.toSorted(), bot]),
  ].join();
}

/** What the forge says of one that is open. */
export function factOf(one: OpenPullRequest): PullRequestFact {
  return {
    ...{ number: one.number, open: true, merged: false, head: one.head.commit, updatedAt: one.updatedAt },
    ...{ base: one.base, draft: one.isDraft, labels: one.labels, bot: one.author.isBot },
  };
}
