/**
 * What the forge should show of a preview, from its record and what is known beside it: a word on each commit that was built,
 * deployments, comments. Pure: whoever says it compares this with what was said.
 */
import { createHash } from 'node:crypto';
import type { CommitReport, DeploymentReport } from '../domain/forge.ts';
import { type Branch, type Commit, shortCommit } from '../domain/names.ts';
import type { Attempt, PreviewRecord } from '../domain/preview.ts';
import type { Said } from '../domain/said.ts';
import { commentOf, wasThere, withNote } from './comment.ts';
import { builtIn, dashboardPage, type Known } from './known.ts';
import { oneLine, took } from './words.ts';

export interface WantedDeployment {
  readonly commit: Commit;
  readonly report: DeploymentReport;
}

export interface WantedComment {
  readonly pullRequest: number;
  readonly body: string;
  /** Only where there is one already: a pull request that closed gets a last word, not a first. */
  readonly isEdit: boolean;
}

export interface Wanted {
  readonly commits: ReadonlyMap<Commit, CommitReport>;
  /** The environment's name. */
  readonly environment: string;
  /** What serves and what is to serve next: two at most, of which one at most is `success`. */
  readonly deployments: readonly WantedDeployment[];
  readonly comments: readonly WantedComment[];
  /** The preview is gone, and nobody waits for one: once this is said there is nothing to say, and nothing to remember. */
  readonly isLast: boolean;
}

/** GitHub takes no longer one. */
const ENVIRONMENT_MAX = 255;
const DESCRIPTION_MAX = 500;

/** Undefined where nothing is to be said for now: it was only just heard of, or is on its way out; there is more to say soon. */
export function wantedOf(
  record: PreviewRecord,
  known: Known,
  said: Pick<Said, 'commits' | 'comments'>,
): Wanted | undefined {
  const { state, attempt, wait } = record;
  if (state === 'removing' || (state === 'waiting' && !attempt && !wait)) return undefined;
  const isGone = state === 'removed';
  const skipped = isGone ? skippedOf(record, known) : NONE;
  return {
    commits: new Map([...commitsOf(record, known, said), ...skipped]),
    environment: environmentOf(record.branch),
    deployments: isGone ? [] : deploymentsOf(record, known),
    comments: commentsOf(record, known, said),
    // What is said of heads is remembered for as long as their pull requests are open, so that it is said once.
    isLast: isGone && skipped.size === 0,
  };
}

const NONE: ReadonlyMap<Commit, CommitReport> = new Map();

/** The word on heads of open pull requests that settings leave out; what was built has had its own. */
function skippedOf(record: PreviewRecord, known: Known): ReadonlyMap<Commit, CommitReport> {
  const { leftOut, pullRequests } = known;
  if (leftOut === undefined) return NONE;
  const heads = pullRequests.filter((one) => one.open).map((one) => one.head);
  const description = line(`No preview: ${leftOut}`);
  const of = (commit: Commit) => [commit, { state: 'skipped', description, ...logLink(record, known) }] as const;
  return new Map(heads.filter((commit) => commit !== record.attempt?.commit).map(of));
}

/** `preview/<branch>`, cut where that is too long, and then told apart by a hash. */
export function environmentOf(branch: Branch): string {
  const name = `preview/${branch}`;
  if (name.length <= ENVIRONMENT_MAX) return name;
  const hash = createHash('sha256').update(branch).digest('hex').slice(0, 10);
  return `${name.slice(0, ENVIRONMENT_MAX - hash.length - 1)}-${hash}`;
}

function commitsOf(
  record: PreviewRecord,
  known: Known,
  { commits: said }: Pick<Said, 'commits'>,
): ReadonlyMap<Commit, CommitReport> {
  const wanted = new Map<Commit, CommitReport>();
  const { attempt, serving, state } = record;
  const isGone = state === 'removed';
  const waiting = waitingCommit(record);
  if (!isGone) {
    // One that was cut off ends as any other that waits for a word.
    const isTold = attempt?.outcome !== undefined || state === 'building';
    if (attempt && isTold) wanted.set(attempt.commit, attemptReport(attempt, record, known));
    // The branch went back to what serves, or nobody remembers its build.
    if (serving && (!attempt || (state === 'live' && attempt.commit !== serving.commit))) {
      wanted.set(serving.commit, deployed(record, undefined));
    }
    if (waiting) {
      wanted.set(waiting, {
        state: 'pending',
        description: 'Waits for its turn to be built',
        ...logLink(record, known),
      });
    }
  }
  // Whatever still waits for a word and is not at work any more has its last.
  for (const [commit, { isPending }] of said) {
    if (!isPending || wanted.has(commit)) continue;
    wanted.set(commit, { state: 'error', description: unbuilt(record, commit) });
  }
  return wanted;
}

function unbuilt({ attempt, state, reason }: PreviewRecord, commit: Commit): string {
  if (attempt && attempt.commit !== commit) return `Not built: ${shortCommit(attempt.commit)} came after it`;
  return state === 'removed' ? line(`Not built: ${reason}`) : 'Not built: its build was cut off';
}

function attemptReport(attempt: Attempt, record: PreviewRecord, known: Known): CommitReport {
  const log = logLink(record, known);
  switch (attempt.outcome) {
    case undefined:
      return { state: 'pending', description: 'Is being built', ...log };
    case 'live':
      return deployed(record, builtIn(record));
    case 'failed': {
      const description = line(`${attempt.stage ?? 'The build'} failed: ${attempt.message ?? ''}`);
      // A forge calls an error what is not the commit's fault.
      return { state: attempt.kind === 'transient' ? 'error' : 'failure', description, ...log, ...tailOf(known) };
    }
    case 'superseded':
      return attempt.kind === 'transient'
        ? { state: 'pending', description: 'Is built again: Treehouse was stopped meanwhile', ...log }
        : {
            state: 'error',
            description: line(`Not built: ${attempt.message ?? 'another commit came after it'}`),
            ...log,
          };
    default:
      return attempt.outcome satisfies never;
  }
}

/** Stays true when the preview is at another commit, or gone. */
function deployed({ urls }: PreviewRecord, ms: number | undefined): CommitReport {
  const [url] = urls;
  const description = ms === undefined ? 'Deployed' : `Deployed in ${took(ms)}`;
  return { state: 'success', description, ...(url === undefined ? {} : { url }) };
}

function deploymentsOf(record: PreviewRecord, known: Known): readonly WantedDeployment[] {
  const { serving, attempt, state } = record;
  const [url] = record.urls;
  const page = dashboardPage(known, record);
  const links = { ...(url === undefined ? {} : { url }), ...(page === undefined ? {} : { logUrl: page }) };
  const wanted: WantedDeployment[] = [];
  if (serving) {
    const isDown = state === 'failed';
    const description = isDown ? line(record.reason) : `${shortCommit(serving.commit)} serves`;
    wanted.push({ commit: serving.commit, report: { state: isDown ? 'failure' : 'success', description, ...links } });
  }
  const next = nextDeployment(record);
  // What serves is shown as long as it does, whatever becomes of another build of it.
  if (next && next.commit !== serving?.commit) {
    wanted.push({ commit: next.commit, report: { ...next.report, ...(page === undefined ? {} : { logUrl: page }) } });
  } else if (!serving && attempt?.outcome === 'live' && state === 'failed') {
    wanted.push({ commit: attempt.commit, report: { state: 'failure', description: line(record.reason), ...links } });
  }
  return wanted;
}

function nextDeployment(record: PreviewRecord): WantedDeployment | undefined {
  const { attempt, state } = record;
  const waiting = waitingCommit(record);
  if (waiting) return { commit: waiting, report: { state: 'queued', description: 'Waits for its turn to be built' } };
  if (!attempt) return undefined;
  const { commit, outcome, kind } = attempt;
  if (outcome === undefined && state === 'building') {
    return { commit, report: { state: 'in_progress', description: 'Is being built' } };
  }
  if (outcome === 'failed' && state !== 'live') {
    const description = line(`${attempt.stage ?? 'The build'} failed: ${attempt.message ?? ''}`);
    return { commit, report: { state: 'failure', description } };
  }
  const isAgain = outcome === 'superseded' && kind === 'transient';
  return isAgain ? { commit, report: { state: 'queued', description: 'Is built again' } } : undefined;
}

function commentsOf(record: PreviewRecord, known: Known, said: Pick<Said, 'comments'>): readonly WantedComment[] {
  const body = commentOf(record, known);
  const open = known.pullRequests.filter((one) => one.open).map((one) => one.number);
  // Where nobody missed anything the word beside the commit is enough: a comment is mail to everybody who follows.
  const isQuiet = record.state === 'removed' && known.leftOut !== undefined && !wasThere(record);
  const comments = open.map((pullRequest): WantedComment => {
    const note = known.notes?.get(pullRequest);
    return { pullRequest, body: withNote(body, note), isEdit: isQuiet && note === undefined };
  });
  if (record.state !== 'removed') return comments;
  // Of those that closed, the one of this preview's time; what closed long ago has had its last word.
  const closed = new Set([...said.comments.keys(), ...closedLast(known)].filter((one) => !open.includes(one)));
  return [...comments, ...[...closed].map((pullRequest): WantedComment => ({ pullRequest, body, isEdit: true }))];
}

/** The pull request that closed last, should what was said of it be forgotten. */
function closedLast({ pullRequests }: Known): readonly number[] {
  const closed = pullRequests.filter((one) => !one.open).sort((a, b) => b.updatedAt - a.updatedAt);
  return closed.slice(0, 1).map((one) => one.number);
}

/** What is to be built, where it waits for its turn. */
function waitingCommit({ wait, state }: PreviewRecord): Commit | undefined {
  return state === 'waking' ? undefined : (wait?.commit as Commit | undefined);
}

function logLink(record: PreviewRecord, known: Known): { readonly url?: string } {
  const page = dashboardPage(known, record);
  return page === undefined ? {} : { url: page };
}

function tailOf({ tail }: Known): { readonly tail?: readonly string[] } {
  return tail.length === 0 ? {} : { tail };
}

function line(text: string): string {
  return oneLine(text, DESCRIPTION_MAX);
}
