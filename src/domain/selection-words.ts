/** What an admin asks of pull requests, in words for tables and pages. Pure. */
import { EVERY_BRANCH, type PULL_REQUESTS, type Selection } from './selection.ts';

/** The same as `Selection`, as the API shows it: null is what is not asked. */
export interface ShownSelection {
  readonly pullRequests: (typeof PULL_REQUESTS)[number] | null;
  /** Null where none is asked for. */
  readonly label: string | null;
  readonly drafts: boolean;
  readonly bots: boolean;
  readonly base: readonly string[];
  readonly paths: readonly string[];
}

/** @param selection undefined: nothing is asked */
export function shownSelection(selection: Selection = EVERY_BRANCH): ShownSelection {
  const { pullRequests = null, label, drafts, bots, base, paths } = selection;
  return {
    pullRequests,
    label: pullRequests === 'labelled' ? label : null,
    ...{ drafts, bots, base, paths },
  };
}

/** What is asked, each in a few words; none where nothing is. @param most patterns of each list that are named */
export function selectionWords(selection: ShownSelection, most: number = Number.POSITIVE_INFINITY): readonly string[] {
  const { pullRequests, label, drafts, bots, base, paths } = selection;
  return [
    ...(pullRequests === 'all' ? ['only with an open one'] : []),
    ...(pullRequests === 'labelled' ? [`only with an open one labelled '${label ?? ''}'`] : []),
    ...(pullRequests === 'none' ? ['whatever becomes of them'] : []),
    ...(drafts ? [] : ['no drafts']),
    ...(bots ? [] : ['none of bots']),
    ...(base.length === 0 ? [] : [`into ${listed(base, most)}`]),
    ...(paths.length === 0 ? [] : [`that change ${listed(paths, most)}`]),
  ];
}

function listed(patterns: readonly string[], most: number): string {
  const rest = patterns.length - most;
  return `${patterns.slice(0, most).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
