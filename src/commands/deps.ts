/** What carrying commands out takes of the rest of the house. */
import type { ActDeps } from '../api/acts.ts';
import type { Forge } from '../domain/forge.ts';
import type { Forks } from '../domain/forks.ts';
import type { RepositoryName } from '../domain/names.ts';
import type { Notes } from '../domain/notes.ts';
import type { ObservedContainer } from '../domain/observed.ts';
import type { Clock, Engine, Pins, Repository, Store } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { Trail } from '../domain/trail.ts';

export interface CommandDeps extends ActDeps {
  readonly forge: Pick<Forge, 'pullRequests' | 'permission' | 'react'>;
  readonly store: ActDeps['store'] & Pick<Store, 'record' | 'know' | 'notePullRequest' | 'pullRequests'>;
  readonly pins: Pick<Pins, 'pin' | 'unpin'>;
  readonly forks: Forks;
  readonly notes: Pick<Notes, 'put'>;
  /** Told once there is a note, so that it is shown. */
  onNoted?(repository: RepositoryName, pullRequest: number): void;
  readonly trail: Pick<Trail, 'note'>;
  readonly engine: Pick<Engine, 'observe' | 'logs'>;
  /** What takes the secrets of these containers out of a text. */
  redactor(
    preview: PreviewKey,
    containers: readonly ObservedContainer[],
    signal: AbortSignal,
  ): Promise<(text: string) => string>;
  readonly clock: Clock;
  /** As they are now. */
  repositories(): readonly Repository[];
}
