/** Pull requests from forks: what is known of them, and which commits of theirs somebody approved. Pure. */
import type { Desired, SetAside } from './desired.ts';
import { DEFAULT_LIMITS, type Limits } from './isolation.ts';
import { type Branch, type Commit, forkNumber, type RepositoryName, shortCommit } from './names.ts';
import type { Repository } from './ports.ts';
import { laterFact, type PullRequestFact } from './pull-requests.ts';
import { judge, type Selection } from './selection.ts';

export interface ForkFact extends PullRequestFact {
  /** Where its code is, as the forge spells it. */
  readonly fork: { readonly repository: string; readonly branch: string };
  /** When it had this head at the latest, by the forge's clock; milliseconds since the epoch. */
  readonly headSince: number;
}

/** That somebody who may write looked at exactly this commit. */
export interface Approval {
  readonly pullRequest: number;
  readonly commit: Commit;
  /** The forge's name of who it was. */
  readonly by: string;
  /** When it was said, by the forge's clock; milliseconds since the epoch. */
  readonly at: number;
}

/** What is known of the forks of every repository. May be lost: then nothing is approved. */
export interface Forks {
  note(repository: RepositoryName, fact: ForkFact): Promise<void>;
  /** By number. */
  all(repository: RepositoryName): Promise<readonly ForkFact[]>;
  approve(repository: RepositoryName, approval: Approval): Promise<void>;
  /** Of all of its pull requests. */
  approvals(repository: RepositoryName): Promise<readonly Approval[]>;
}

/** What was heard of one repository's forks. */
export interface KnownForks {
  readonly facts: readonly ForkFact[];
  readonly approvals: readonly Approval[];
}

/**
 * The later of two facts of one pull request, whatever order they came in. Since when it has its head is never said to be earlier
 * than it was: an older fact of the same head that comes late proves nothing, since another may have been between.
 */
export function laterFork(known: ForkFact | undefined, heard: ForkFact): ForkFact {
  const later = laterFact(known, heard);
  if (!known) return later;
  if (known.head === heard.head) return withSince(later, known.headSince);
  // A head in between: it came back later than was thought.
  const isBetween = later === known && heard.updatedAt >= known.headSince;
  return isBetween ? withSince(known, known.updatedAt) : later;
}

function withSince(fact: ForkFact, headSince: number): ForkFact {
  return fact.headSince === headSince ? fact : { ...fact, headSince };
}

export type ForkState =
  | { readonly kind: 'approved'; readonly approval: Approval }
  | { readonly kind: 'waiting'; readonly commit: Commit; readonly why: string }
  /** It is closed, or the configuration leaves it out. */
  | { readonly kind: 'none'; readonly why: string };

/** Whether the head of a fork's pull request may be built. An approval is of one commit, and of no later one. */
export function forkState(fact: ForkFact, approvals: readonly Approval[], selection: Selection | undefined): ForkState {
  const { number, head, open, merged } = fact;
  if (!open) return { kind: 'none', why: `pull request #${number} was ${merged ? 'merged' : 'closed'}` };
  if (selection?.pullRequests === 'none') return { kind: 'none', why: '`pullRequests: none` leaves pull requests out' };
  const judged = selection ? judge(fact, selection) : undefined;
  if (judged?.kind === 'out') return { kind: 'none', why: judged.why };
  const approval = approvals.find((one) => one.pullRequest === number && one.commit === head);
  if (approval) return { kind: 'approved', approval };
  return { kind: 'waiting', commit: head, why: `waiting for approval of ${shortCommit(head)}` };
}

/**
 * What should run of a fork's pull request: the head, where exactly that was approved. What was approved before goes on serving while
 * a newer commit waits.
 * @param head what its head is now; undefined where it is gone
 */
export function desiredFork(input: {
  readonly fact: ForkFact;
  readonly head: Commit | undefined;
  readonly approvals: readonly Approval[];
  readonly selection: Selection | undefined;
  readonly aside: SetAside | undefined;
}): Desired {
  const { fact, head, approvals, selection, aside } = input;
  if (head === undefined) return { kind: 'absent', cause: `the code of pull request #${fact.number} is gone` };
  const state = forkState({ ...fact, head }, approvals, selection);
  if (state.kind === 'none') return { kind: 'absent', cause: state.why };
  if (aside?.commit === head) return { kind: 'absent', cause: aside.cause };
  if (state.kind === 'waiting') return { kind: 'as-is', cause: state.why, ...(aside ? { aside } : {}) };
  return { kind: 'present', commit: head };
}

/** A fork's preview sleeps and goes no later than after these milliseconds without a visit. */
export const FORK_IDLE = 15 * 60_000;
export const FORK_TTL = 24 * 3_600_000;

/** What is given to a preview of the branch: half of memory, CPU time and processes to a fork's, and less time. */
export function settingsFor(repository: Repository, branch: Branch): Repository {
  if (forkNumber(branch) === undefined) return repository;
  const { policy, idle = FORK_IDLE, ttl = FORK_TTL } = repository;
  const limits = halved(policy?.limits ?? DEFAULT_LIMITS);
  return {
    ...repository,
    idle: Math.min(idle, FORK_IDLE),
    ttl: Math.min(ttl, FORK_TTL),
    // What an admin granted to code of their own is not granted to strangers'.
    policy: { keys: {}, capabilities: [], limits },
  };
}

function halved(limits: Limits): Limits {
  const half = ({ usual, most }: { readonly usual: number; readonly most: number }, least: number) => ({
    usual: Math.max(least, usual / 2),
    most: Math.max(least, most / 2),
  });
  const whole = (bounds: Limits['memory'], least: number) => {
    const { usual, most } = half(bounds, least);
    return { usual: Math.floor(usual), most: Math.floor(most) };
  };
  return {
    ...limits,
    memory: whole(limits.memory, LEAST_MEMORY),
    cpus: half(limits.cpus, LEAST_CPUS),
    pids: whole(limits.pids, LEAST_PIDS),
    shm: Math.floor(limits.shm / 2),
    tmpfs: Math.floor(limits.tmpfs / 2),
    fileSize: Math.floor(limits.fileSize / 2),
  };
}

/** With less, next to nothing starts. */
const LEAST_MEMORY = 32 * 1024 * 1024;
const LEAST_CPUS = 0.05;
const LEAST_PIDS = 16;

/**
 * Which commit a comment approves: exactly the head that the pull request had when it was written.
 * @param named of the commit, where the comment names it: its whole id, and then it need not be known what the head was; or its
 *   first digits, which others can give a commit of theirs
 * @param head the head now, as the forge says
 * @param fact what was heard of the pull request
 */
export function approvedCommit(
  { at, named }: { readonly at: number; readonly named: string | undefined },
  head: Commit,
  fact: ForkFact | undefined,
): { readonly commit: Commit } | { readonly refused: string } {
  const ask = `look at ${shortCommit(head)}, and say \`/preview approve ${head}\``;
  if (named === head) return { commit: head };
  if (named !== undefined && !head.startsWith(named)) return { refused: `the head is not ${named} (any more): ${ask}` };
  if (!fact || fact.head !== head) return { refused: `which head was meant is not known: ${ask}` };
  // Of the same second it cannot be told which came first.
  if (fact.headSince >= at) return { refused: `a commit was pushed about when this was written: ${ask}` };
  return { commit: head };
}
