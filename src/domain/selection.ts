/** Which branches of a repository have previews, beside what `branches` names: what their pull requests must be like. Pure. */
import { selects } from './globs.ts';
import type { Branch, Commit } from './names.ts';
import type { PullRequestFact } from './pull-requests.ts';

export const PULL_REQUESTS = ['all', 'labelled', 'none'] as const;

export interface Selection {
  /**
   * `all`: branches with an open pull request; `labelled`: with one that has the label; `none`: every branch, whatever becomes of
   * pull requests. Undefined: every branch, until its pull requests are closed.
   */
  readonly pullRequests?: (typeof PULL_REQUESTS)[number] | undefined;
  /** That `labelled` asks for, in whatever case. */
  readonly label: string;
  /** Whether pull requests count that are drafts; that a bot opened. */
  readonly drafts: boolean;
  readonly bots: boolean;
  /** Globs of the branches that a pull request may be merged into; none: any. */
  readonly base: readonly string[];
  /** Globs of the files of which one must be changed for a build; none: any. */
  readonly paths: readonly string[];
}

/** As it is where an admin says nothing. */
export const EVERY_BRANCH: Selection = { label: 'preview', drafts: true, bots: true, base: [], paths: [] };

export type Judged =
  | { readonly kind: 'in' }
  | { readonly kind: 'out'; readonly why: string }
  /** Something that is asked was not heard: it takes nothing away, and adds nothing. */
  | { readonly kind: 'unknown'; readonly why: string };

/** Whether an open pull request gives its branch a preview. */
export function judge(fact: PullRequestFact, selection: Selection): Judged {
  const { number, labels, draft, base, bot } = fact;
  const one = `pull request #${number}`;
  const out = (why: string): Judged => ({ kind: 'out', why: `${one} ${why}` });
  const label = selection.label.toLowerCase();
  if (selection.pullRequests === 'labelled') {
    if (labels === undefined) return unheard(one, 'its labels');
    if (!labels.some((text) => text.toLowerCase() === label)) {
      return out(`has not the label '${selection.label}', which \`pullRequests: labelled\` asks for`);
    }
  }
  if (!selection.drafts) {
    if (draft === undefined) return unheard(one, 'whether it is a draft');
    if (draft) return out('is a draft, and `drafts: false` leaves those out');
  }
  if (selection.base.length > 0) {
    if (base === undefined) return unheard(one, 'what it is to be merged into');
    if (!selects(selection.base, base)) return out(`is to be merged into '${base}', which \`base\` leaves out`);
  }
  if (!selection.bots) {
    if (bot === undefined) return unheard(one, 'who opened it');
    if (bot) return out('is of a bot, and `bots: false` leaves those out');
  }
  return { kind: 'in' };
}

function unheard(one: string, what: string): Judged {
  return { kind: 'unknown', why: `of ${one} it was not heard yet ${what}` };
}

/** What must be asked before a commit is built: whether it changed anything under `paths` against one of `bases`. */
export interface PathsQuestion {
  readonly commit: Commit;
  /** In order. */
  readonly bases: readonly Branch[];
  readonly paths: readonly string[];
}

/** The question, and what was found. */
export interface PathsVerdict extends PathsQuestion {
  readonly touched: boolean;
}

/** @param judged open pull requests that count; where none says its base, there is nothing to ask */
export function pathsQuestion(
  commit: Commit,
  judged: readonly PullRequestFact[],
  { paths }: Selection,
): PathsQuestion | undefined {
  const bases = [...new Set(judged.flatMap(({ base }) => (base === undefined ? [] : [base])))].sort();
  return paths.length === 0 || bases.length === 0 ? undefined : { commit, bases, paths };
}

export function answers(verdict: PathsVerdict | undefined, question: PathsQuestion): boolean {
  const text = ({ commit, bases, paths }: PathsQuestion) => JSON.stringify([commit, bases, paths]);
  return verdict !== undefined && text(verdict) === text(question);
}

/** Of a repository whose `paths` nobody can ask about: what happens instead, and the way out; undefined where nothing is to be asked. */
export function unaskedPaths(one: {
  readonly name: string;
  readonly selection?: Selection | undefined;
}): string | undefined {
  if (one.selection === undefined || one.selection.paths.length === 0) return undefined;
  return (
    `\`paths\` of ${one.name} is not applied: there are no credentials here to ask GitHub what a pull request changed, so its ` +
    'branches are built as if nothing were said; set GITHUB_TOKEN or make an App (`treehouse github init`), or take `paths` away'
  );
}

/** Whether one of the files is under the patterns; a folder stands for all in it, and only excludes for all but those. */
export function touches(patterns: readonly string[], files: readonly string[]): boolean {
  const whole = patterns[0]?.startsWith('!') ? ['*', ...patterns] : patterns;
  const deep = whole.flatMap((pattern) => [pattern, `${pattern.replace(/\/$/, '')}/*`]);
  return files.some((file) => selects(deep, file));
}
