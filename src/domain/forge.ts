/**
 * Where a repository's pull requests are, and where people read what became of them: GitHub, or another forge one adapter later.
 * Whatever is said twice is said once: each of these may be repeated after a crash.
 */
import { type FaultKind, TreehouseError } from '../errors.ts';
import type { Branch, Commit, RepositoryName } from './names.ts';

/** A pull request that is open. */
export interface OpenPullRequest {
  readonly number: number;
  /** What it is merged from; `repository` undefined where that is gone. */
  readonly head: { readonly repository: RepositoryName | undefined; readonly branch: Branch; readonly commit: Commit };
  /** What it is to be merged into. */
  readonly base: Branch;
  readonly isDraft: boolean;
  readonly labels: readonly string[];
  readonly author: { readonly login: string; readonly isBot: boolean };
  /** Milliseconds since the epoch. */
  readonly updatedAt: number;
}

/** A pull request, whatever became of it. */
export interface PullRequestNow extends OpenPullRequest {
  readonly state: 'open' | 'closed' | 'merged';
}

/** What is said of one commit beside its name: one word, one line, one link. */
export interface CommitReport {
  /** `skipped`: there is nothing to be built of it, and nothing for it to fail at. */
  readonly state: 'pending' | 'success' | 'failure' | 'error' | 'skipped';
  /** One line for people; cut by the adapter where the forge takes less. */
  readonly description: string;
  /** Where the line leads. */
  readonly url?: string;
  /** The end of the log of what failed, where the forge has room for it. */
  readonly tail?: readonly string[];
}

/** Of a deployment: what the forge shows beside "View deployment". */
export interface DeploymentReport {
  readonly state: 'queued' | 'in_progress' | 'success' | 'failure' | 'inactive';
  readonly description: string;
  /** Where the preview is. */
  readonly url?: string;
  /** Where its log is. */
  readonly logUrl?: string;
}

export interface ForgeDeployment {
  readonly id: number;
  readonly commit: Commit;
}

export interface ForgeComment {
  readonly id: number;
  readonly body: string;
}

/** What somebody may do with a repository; `none` where they are nobody there. */
export type ForgePermission = 'admin' | 'write' | 'read' | 'none';

export type Reaction = '+1' | '-1' | 'eyes' | 'rocket' | 'confused';

/** A name and a password by which git reads a repository. */
export interface ForgeCredentials {
  readonly username: string;
  readonly password: string;
}

export interface CredentialsAsked {
  readonly signal: AbortSignal;
  /** What the forge's host has just not taken: a new one is asked for, whatever is kept. */
  readonly refused?: ForgeCredentials;
}

/** `forge-failed`, with when it may be tried again. */
export class ForgeFault extends TreehouseError {
  /** Milliseconds since the epoch: sooner the forge would refuse it; undefined where it said nothing of that. */
  readonly retryAt: number | undefined;

  constructor(message: string, options: { kind: FaultKind; retryAt?: number | undefined }) {
    super('forge-failed', message, { kind: options.kind });
    this.name = 'ForgeFault';
    this.retryAt = options.retryAt;
  }
}

/**
 * @throws each, {@link ForgeFault}: transient where it may work later (away, limited, slow), terminal where the credentials lack a
 * permission or the thing is not there; and what `signal` was aborted with.
 */
export interface Forge {
  /** Of the URLs that people clone from, `github.com`, with its port where it has one: the only one that is given credentials. */
  readonly host: string;
  /** By which git reads a repository now, and nothing else where the forge can narrow them so. */
  credentials(repository: RepositoryName, how: CredentialsAsked): Promise<ForgeCredentials>;

  /** Every open pull request of a repository, those from forks too. */
  pullRequests(repository: RepositoryName, signal: AbortSignal): Promise<readonly OpenPullRequest[]>;
  /** Some of them by number, open or not; those that the forge does not know are left out. */
  pullRequestsNow(
    repository: RepositoryName,
    numbers: readonly number[],
    signal: AbortSignal,
  ): Promise<readonly PullRequestNow[]>;
  /** The paths that a commit changed against where it left the base; undefined where there are too many to be told. */
  changedPaths(
    repository: RepositoryName,
    change: { readonly base: Branch; readonly head: Commit },
    signal: AbortSignal,
  ): Promise<readonly string[] | undefined>;

  /** Replaces what was said of the commit. */
  report(repository: RepositoryName, commit: Commit, report: CommitReport, signal: AbortSignal): Promise<void>;

  /** Those of an environment, newest first. */
  deployments(
    repository: RepositoryName,
    environment: string,
    signal: AbortSignal,
  ): Promise<readonly ForgeDeployment[]>;
  /** Makes one that is transient and no production. Others of its environment stay as they are: the forge ends none of them. */
  deploy(
    repository: RepositoryName,
    of: { readonly environment: string; readonly commit: Commit; readonly description: string },
    signal: AbortSignal,
  ): Promise<ForgeDeployment>;
  reportDeployment(
    repository: RepositoryName,
    id: number,
    report: DeploymentReport,
    signal: AbortSignal,
  ): Promise<void>;
  /** Takes one that is inactive away; nothing where it is gone. */
  removeDeployment(repository: RepositoryName, id: number, signal: AbortSignal): Promise<void>;
  /** Takes an environment away; nothing where it is gone, or where the credentials may not (which is not needed for anything else). */
  removeEnvironment(repository: RepositoryName, environment: string, signal: AbortSignal): Promise<void>;

  /** Treehouse's own comment on a pull request that holds `marker`, the oldest where there are several. */
  findComment(
    repository: RepositoryName,
    pullRequest: number,
    marker: string,
    signal: AbortSignal,
  ): Promise<ForgeComment | undefined>;
  addComment(repository: RepositoryName, pullRequest: number, body: string, signal: AbortSignal): Promise<ForgeComment>;
  /** @returns false where it is gone: somebody deleted it. */
  editComment(repository: RepositoryName, id: number, body: string, signal: AbortSignal): Promise<boolean>;
  /** Answers somebody's comment by a sign under it. */
  react(repository: RepositoryName, comment: number, reaction: Reaction, signal: AbortSignal): Promise<void>;

  /** Asked of the forge each time: a payload's word for it is no more than an ornament. */
  permission(repository: RepositoryName, login: string, signal: AbortSignal): Promise<ForgePermission>;

  /** Ends what is under way. */
  close(): void;
}

/** Up to where it was seen to that no delivery of the forge's webhook is lost. */
export interface DeliveriesSeen {
  /** Milliseconds since the epoch, by the forge's clock: all before it came through, or was asked for again. */
  readonly since: number;
  /** What was asked for again since then, by the forge's names: it is asked for once. */
  readonly again: readonly string[];
}

/** What a forge does not send again by itself. */
export interface LostDeliveries {
  /**
   * Asks for deliveries again that did not come through, the oldest first and `most` of them; what is left is for the next time.
   * @returns up to where it is seen to now; `fault` where it had to stop before
   */
  askAgain(
    seen: DeliveriesSeen,
    most: number,
    signal: AbortSignal,
  ): Promise<DeliveriesSeen & { readonly count: number; readonly fault?: string }>;
}
