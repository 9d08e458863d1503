/** What a compose file for somewhere else is written from: facts of the engine, and what was found out about them. */
import type { PreviewKey } from '../domain/preview.ts';
import type { RunningService, RunningStack } from '../domain/running.ts';
import type { SecretUse } from '../domain/stack.ts';

/** A text file of the repository, as it is mounted. */
export interface EmbeddedFile {
  /** Relative to the repository's root. */
  readonly path: string;
  readonly target: string;
  readonly content: string;
  readonly isExecutable: boolean;
}

/** What is mounted and not in the file. */
export interface LeftOut {
  /** Relative to the repository's root; undefined where it is not of the repository. */
  readonly path: string | undefined;
  readonly target: string;
  readonly why: string;
}

export interface PulledImage {
  /** For `image:`. */
  readonly reference: string;
  /** Undefined where a registry has it; else why not. */
  readonly missing?: string;
}

export interface PulledService {
  readonly facts: RunningService;
  readonly image: PulledImage;
  readonly files: readonly EmbeddedFile[];
  readonly secrets: readonly SecretUse[];
  readonly leftOut: readonly LeftOut[];
}

export interface PulledStack {
  readonly preview: PreviewKey;
  readonly commit: string;
  readonly services: readonly PulledService[];
  readonly networks: RunningStack['networks'];
  /** `host:port` of Treehouse's own registry, if there is one. */
  readonly registry: string | undefined;
}
