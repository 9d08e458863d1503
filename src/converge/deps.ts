/** What the stages of a converge are given. */

import type { BuildId } from '../domain/names.ts';
import type {
  Builder,
  Clock,
  Composer,
  Engine,
  Gateway,
  Git,
  Probe,
  Registry,
  Repository,
  Store,
} from '../domain/ports.ts';
import type { Logger } from '../log.ts';

export interface ConvergeDeps {
  readonly clock: Clock;
  readonly git: Git;
  readonly engine: Engine;
  readonly composer: Composer;
  readonly builder: Builder;
  readonly gateway: Gateway;
  /** Undefined: nothing is pushed. */
  readonly registry: Registry | undefined;
  readonly store: Store;
  readonly probe: Probe;
  readonly log: Logger;
  readonly repositories: readonly Repository[];
  newBuild(): BuildId;
  /** The whole host name of a host label, and its URL. */
  hostOf(label: string): string;
  urlOf(label: string): string;
  /** Folder of the checkouts, absolute. */
  readonly builds: string;
  /** Folder of the templates for repositories without a compose file, absolute. */
  readonly templates: string;
  /** Milliseconds that a stack may take to become healthy. */
  readonly startLimit: number;
}
