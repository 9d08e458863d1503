/** What a way of deploying is to the measurement: something that is told of a push, and some time later serves it. */
import type { Commit } from '../src/domain/names.ts';
import type { Files } from '../test/support/repo.ts';
import type { Target } from './visitor.ts';

export type Way = 'treehouse' | 'script' | 'floor';

/** Milliseconds by name, in the order in which they passed. */
export type Parts = Readonly<Record<string, number>>;

export interface Contender {
  readonly way: Way;
  /** Where its page is asked for; undefined while there is nowhere to ask. */
  target(): Target | undefined;
  /** Commits and pushes; the time does not run yet. */
  push(files: Files): Promise<Commit>;
  /** Tells it of the push: from here the time runs. Rejects where it says that it failed. */
  announce(commit: Commit, signal: AbortSignal): Promise<void>;
  /** Resolves when nothing of the redeploy is under way any more; may tell where its time went. */
  settled(commit: Commit, signal: AbortSignal): Promise<Parts | undefined>;
  /** The branch is deleted: resolves when nothing of it runs any more. */
  remove(signal: AbortSignal): Promise<void>;
  /** Resident memory of what stands by between deployments, in bytes. */
  memory?(): Promise<number>;
}

/** Names that no other run on the same engine uses. */
export interface Naming {
  /** A branch, and a DNS label as it is. */
  readonly branch: string;
  /** A scratch folder. */
  readonly folder: string;
}
