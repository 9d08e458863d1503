/** What should run, from what git and the pull requests say. */
import { selects } from './globs.ts';
import { type Branch, type Commit, forkNumber, type PreviewId, previewId, shortCommit } from './names.ts';
import { laterFact, type PullRequestFact } from './pull-requests.ts';
import {
  answers,
  EVERY_BRANCH,
  judge,
  type PathsQuestion,
  type PathsVerdict,
  pathsQuestion,
  type Selection,
} from './selection.ts';

/** Why a branch is to have no preview although it exists: nobody used it, or others needed its room. */
export interface SetAside {
  /** Where the branch was then; when it moves on, this is over. */
  readonly commit: Commit;
  readonly cause: string;
}

/** Why there is nothing to have: what was heard of the branch's pull requests ends with it. */
export const BRANCH_DELETED = 'the branch was deleted';

/** What is wanted once it is known what there is. */
export type Settled =
  | {
      readonly kind: 'present';
      readonly commit: Commit;
      /** Where it is not simply the branch's head. */
      readonly because?: string;
    }
  | { readonly kind: 'absent'; readonly cause: string };

export type Desired =
  | (Extract<Settled, { kind: 'present' }> & {
      /** To be asked before it is built; undefined where it is to be built in any case. */
      readonly question?: PathsQuestion;
    })
  | Extract<Settled, { kind: 'absent' }>
  /** What serves goes on serving, and nothing new is built but `head`, where somebody asks for it. */
  | { readonly kind: 'as-is'; readonly head?: Commit; readonly cause: string; readonly aside?: SetAside };

/**
 * A branch has a preview while it exists and is not done with. It is done with when pull requests of it are known, none is
 * open, and its head is still one that a closed one ended on; a commit pushed after that brings it back. A selection may ask more.
 * What was not heard takes nothing away: Redis may have been wiped.
 */
export function desiredState(input: {
  readonly head: Commit | undefined;
  readonly pullRequests: readonly PullRequestFact[];
  /** Why this branch is not to have a preview at all; undefined where it may. */
  readonly excluded: string | undefined;
  readonly aside?: SetAside | undefined;
  readonly selection?: Selection | undefined;
  /** What was found of the files that a commit of it changed. */
  readonly verdict?: PathsVerdict | undefined;
}): Desired {
  const { head, pullRequests, excluded, aside, selection = EVERY_BRANCH } = input;
  if (excluded !== undefined) return absent(excluded);
  if (head === undefined) return absent(BRANCH_DELETED);
  if (aside?.commit === head) return absent(aside.cause);
  if (selection.pullRequests === 'none') return { kind: 'present', commit: head };
  const asIs = (cause: string): Desired => ({ kind: 'as-is', head, cause, ...(aside ? { aside } : {}) });
  const open = pullRequests.filter((one) => one.open).sort((a, b) => a.number - b.number || a.updatedAt - b.updatedAt);
  if (open.length === 0) return withoutOpen(head, pullRequests, selection, asIs);

  const judged = open.map((fact) => ({ fact, ...judge(fact, selection) }));
  const counting = judged.flatMap(({ kind, fact }) => (kind === 'in' ? [fact] : []));
  if (counting.length === 0) {
    const whys = judged.flatMap((one) => ('why' in one ? [one.why] : []));
    const cause = [...new Set(whys)].sort().join('; ');
    return judged.some(({ kind }) => kind === 'unknown') ? asIs(cause) : absent(cause);
  }
  const question = pathsQuestion(head, counting, selection);
  if (!question) return { kind: 'present', commit: head };
  const { verdict } = input;
  if (!verdict || !answers(verdict, question)) return { kind: 'present', commit: head, question };
  if (verdict.touched) return { kind: 'present', commit: head };
  return asIs(`${shortCommit(head)} changes nothing under \`paths\` against ${question.bases.join(' and ')}`);
}

function withoutOpen(
  head: Commit,
  pullRequests: readonly PullRequestFact[],
  selection: Selection,
  asIs: (cause: string) => Desired,
): Desired {
  const ended = pullRequests
    .filter((one) => one.head === head)
    .reduce<PullRequestFact | undefined>(laterFact, undefined);
  if (ended) return absent(`pull request #${ended.number} was ${ended.merged ? 'merged' : 'closed'}`);
  if (selection.pullRequests === undefined) return { kind: 'present', commit: head };
  const asked = selection.pullRequests === 'labelled' ? `one with the label '${selection.label}'` : 'one';
  const cause = `no pull request of it is open, and \`pullRequests: ${selection.pullRequests}\` asks for ${asked}`;
  return pullRequests.length === 0 ? asIs(cause) : absent(cause);
}

/** What is wanted beside what serves. */
export function settled(
  desired: Desired,
  now: {
    /** What serves. */
    readonly serving: Commit | undefined;
    /** Whether somebody asked for a build, which outweighs that none is needed. */
    readonly isAsked: boolean;
  },
): Settled {
  if (desired.kind !== 'as-is') return desired;
  const { head, cause, aside } = desired;
  if (now.isAsked && head !== undefined) return { kind: 'present', commit: head };
  if (now.serving === undefined) return absent(cause);
  if (aside?.commit === now.serving) return absent(aside.cause);
  return { kind: 'present', commit: now.serving, because: `${cause}: it stays as it is` };
}

function absent(cause: string): Extract<Settled, { kind: 'absent' }> {
  return { kind: 'absent', cause };
}

/** Why the branch is not to have this preview, wherever its head is; undefined where it may. */
export function excludedBecause(
  preview: { readonly id: PreviewId; readonly repository: string; readonly branch: Branch },
  repository: { readonly slug: string; readonly branches: readonly string[]; readonly reserved?: string } | undefined,
): string | undefined {
  if (!repository) return `${preview.repository} is not in the configuration any more`;
  // A fork's is named by nobody here: what counts is that its commit was approved.
  if (forkNumber(preview.branch) === undefined && !selects(repository.branches, preview.branch)) {
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
