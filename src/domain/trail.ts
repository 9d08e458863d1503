/** The audit trail: who did what to what, and when. */
import type { PreviewId, RepositoryName } from './names.ts';

export interface TrailEntry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Name of the token, or of the part of Treehouse. */
  readonly who: string;
  /** Its id, since two may have one name. */
  readonly token: string;
  readonly act: string;
  /** A preview, a repository, or what else it was done to. */
  readonly to: string;
  /** The repository that it concerns, where it is of one. */
  readonly repository?: RepositoryName;
  readonly preview?: PreviewId;
  /** Of a command that was run: in which service, and its words. */
  readonly service?: string;
  readonly command?: readonly string[];
  /** Status of the answer. */
  readonly status: number;
}

export interface Trail {
  note(entry: TrailEntry): Promise<void>;
  /** The newest first, older than `before`. */
  read(page: { readonly before?: number; readonly count: number }): Promise<readonly TrailEntry[]>;
}
