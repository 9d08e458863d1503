/**
 * What was last said of each preview on the forge, so that it is said once. All of it may be lost: then the comment and the
 * deployments are found again there, and the rest is said anew.
 */
import type { Commit, PreviewId } from './names.ts';

export interface SaidOfCommit {
  /** Of what was said: as long as it is the same, nothing is said again. */
  readonly digest: string;
  /** It waits for a final word. */
  readonly isPending: boolean;
}

export interface SaidDeployment {
  /** Absent where it was asked for, and no answer came: it may be there. */
  readonly id?: number;
  readonly commit: Commit;
  /** Absent where it was found, and what was said of it is not known. */
  readonly digest?: string;
  /** When it was asked for; milliseconds since the epoch. */
  readonly askedAt?: number;
}

/** As above, of a comment. */
export interface SaidComment {
  readonly id?: number;
  readonly digest?: string;
  readonly askedAt?: number;
}

export interface Said {
  readonly commits: ReadonlyMap<Commit, SaidOfCommit>;
  /** Undefined where they are to be asked for. */
  readonly deployments: readonly SaidDeployment[] | undefined;
  /** By the number of the pull request. */
  readonly comments: ReadonlyMap<number, SaidComment>;
}

/** Where that is kept, beside the records. Each of these @throws transient `queue-away` */
export interface SaidBook {
  read(id: PreviewId): Promise<Said>;
  /** Undefined forgets it, here and below. */
  noteCommit(id: PreviewId, commit: Commit, said: SaidOfCommit | undefined): Promise<void>;
  noteDeployments(id: PreviewId, said: readonly SaidDeployment[] | undefined): Promise<void>;
  noteComment(id: PreviewId, pullRequest: number, said: SaidComment | undefined): Promise<void>;
  /** The last words were said. */
  forget(id: PreviewId): Promise<void>;
}
