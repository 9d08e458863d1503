/** What a sweep is given. */
import type { AgreementBook } from '../domain/agreement.ts';
import type { Forge, LostDeliveries } from '../domain/forge.ts';
import type { Forks } from '../domain/forks.ts';
import type { Branch, Commit, PreviewId } from '../domain/names.ts';
import type { Engine, Gateway, Git, Hints, Repository, Store } from '../domain/ports.ts';
import type { PullRequestFact } from '../domain/pull-requests.ts';
import type { Inventory, Place, SweepLine } from '../domain/sweep.ts';
import type { Logger } from '../log.ts';

/** What a sweep needs to ask the forge what no webhook told. */
export interface ForgeSide {
  readonly forge: Pick<Forge, 'host' | 'pullRequests' | 'pullRequestsNow'>;
  readonly book: AgreementBook;
  /** Undefined where the forge tells of none. */
  readonly deliveries: LostDeliveries | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface SweepDeps {
  /** As they are now. */
  repositories(): readonly Repository[];
  readonly git: Pick<Git, 'branches'>;
  readonly store: Pick<Store, 'records' | 'know' | 'pullRequests' | 'notePullRequest' | 'allAside' | 'allPaths'>;
  readonly forks: Pick<Forks, 'all' | 'approvals' | 'note'>;
  readonly engine: Pick<
    Engine,
    'stop' | 'removeContainer' | 'removeNetwork' | 'removeVolume' | 'removeImage' | 'image'
  >;
  inventory(): Promise<Inventory>;
  readonly gateway: Pick<Gateway, 'routes' | 'setRoutes'>;
  /** Beside engine and gateway. */
  readonly places: readonly Place[];
  /** Every branch's, by `branchKey`. */
  allPullRequests(): Promise<ReadonlyMap<string, readonly PullRequestFact[]>>;
  /** Undefined without credentials: then nothing is asked. */
  readonly forge?: ForgeSide | undefined;
  readonly hints: Hints & { later(): Promise<ReadonlySet<PreviewId>> };
  readonly worker: {
    atWork(): Promise<readonly { readonly id: PreviewId }[]>;
    hold(id: PreviewId, work: () => Promise<void>): Promise<boolean>;
  };
  /** Told of the branches that a sweep saw and hinted where they had moved. */
  onHeads?(repository: Repository, heads: ReadonlyMap<Branch, Commit>): void;
  /** Told of what was done, and what could not be. */
  onSwept?(lines: readonly SweepLine[]): void;
  readonly log: Logger;
}
