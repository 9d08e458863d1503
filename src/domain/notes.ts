/** Words for people on a pull request that are no state of its preview: the answer to what somebody asked for in a comment. */
import type { RepositoryName } from './names.ts';

export interface Note {
  /** A few sentences, in which words of strangers may stand: to be shown as they are. */
  readonly text: string;
  /** Below it, in the forge's Markdown: Treehouse's own words alone. */
  readonly markdown?: string;
  /** Lines of output below it, as they were printed: to be shown as code, and not to be trusted. */
  readonly lines?: readonly string[];
  /** The forge's name of who asked. */
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The last note of each pull request, for about a day; may be lost. */
export interface Notes {
  put(repository: RepositoryName, pullRequest: number, note: Note): Promise<void>;
  of(repository: RepositoryName, pullRequest: number): Promise<Note | undefined>;
}
