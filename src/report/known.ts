/** What is known of a preview beside its record, for those who read of it on the forge. */

import type { Note } from '../domain/notes.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { PullRequestFact } from '../domain/pull-requests.ts';
import type { Change } from '../domain/stack.ts';

export interface Known {
  /** Of its branch, as far as they were heard of. */
  readonly pullRequests: readonly PullRequestFact[];
  /** Why its open pull requests give it none, where settings leave it out. */
  readonly leftOut?: string | undefined;
  /** What policy changed of the compose file in the newest build. */
  readonly changes: readonly Change[];
  /** The end of the log of a build that failed, redacted; empty where none did. */
  readonly tail: readonly string[];
  /** The answer to the last command on each pull request that is open. */
  readonly notes?: ReadonlyMap<number, Note>;
  /** Bytes of the images that serve, where that is known. */
  readonly size?: number | undefined;
  /** Where the dashboard is, `https://treehouse.example.com/`; undefined where others cannot reach it. */
  readonly dashboard?: string | undefined;
}

/** Where the preview is on the dashboard, and one of its builds. */
export function dashboardPage({ dashboard }: Known, { id, attempt }: PreviewRecord): string | undefined {
  if (dashboard === undefined) return undefined;
  return `${dashboard}previews/${id}${attempt ? `?build=${attempt.build}` : ''}`;
}

/** Milliseconds from its beginning until it served; undefined where it does not, or that is not known. */
export function builtIn({ attempt, serving }: PreviewRecord): number | undefined {
  if (!attempt || serving?.build !== attempt.build) return undefined;
  return Math.max(0, serving.since - attempt.startedAt);
}
