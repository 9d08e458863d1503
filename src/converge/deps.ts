/** What the stages of a converge are given. */

import type { Fullest } from '../domain/disk.ts';
import type { Forge } from '../domain/forge.ts';
import type { Forks } from '../domain/forks.ts';
import type { SharedLinks } from '../domain/links.ts';
import type { BuildId } from '../domain/names.ts';
import type {
  Admission,
  Builder,
  Clock,
  Composer,
  Engine,
  Gateway,
  Git,
  Maker,
  Probe,
  Registry,
  Repository,
  Store,
  Walls,
} from '../domain/ports.ts';
import type { SecretSource } from '../domain/secrets.ts';
import type { ImageStore, LookUp, ScanImage } from '../domain/supply.ts';
import type { Logger } from '../log.ts';
import type { Drains } from '../teardown/drain.ts';
import type { Patience } from './patience.ts';

export interface ConvergeDeps {
  readonly clock: Clock;
  readonly admission: Admission;
  readonly git: Git;
  /** Undefined: there are no credentials. */
  readonly forge?: Pick<Forge, 'changedPaths' | 'pullRequestsNow'> | undefined;
  readonly forks: Pick<Forks, 'all' | 'approvals'>;
  readonly engine: Engine;
  readonly images: ImageStore;
  readonly scan: ScanImage;
  readonly lookUp: LookUp;
  /** Whether a Dockerfile may add files from private networks. */
  readonly allowsPrivate: boolean;
  readonly secrets: SecretSource;
  readonly composer: Composer;
  readonly maker: Maker;
  readonly builder: Builder;
  readonly gateway: Gateway;
  readonly links: Pick<SharedLinks, 'revokeAll'>;
  /** Undefined: nothing is pushed. */
  readonly registry: Registry | undefined;
  readonly store: Store;
  readonly probe: Probe;
  readonly walls: Walls;
  readonly log: Logger;
  /** As they are now. */
  repositories(): readonly Repository[];
  /** See LABEL.instance. */
  readonly instance: string;
  newBuild(): BuildId;
  /** The whole host name of a host label, and its URL. */
  hostOf(label: string): string;
  urlOf(label: string): string;
  /** What nginx-proxy is told of each preview beside its host. */
  readonly gatewayVariables: Readonly<Record<string, string>>;
  /** Folder of the checkouts, absolute. */
  readonly builds: string;
  /** Folder of the templates for repositories without a compose file, absolute. */
  readonly templates: string;
  /** The seccomp profile's file, absolute. */
  readonly seccomp: string;
  readonly patience: Patience;
  /** Milliseconds that a stack may take to become healthy. */
  readonly startLimit: number;
  /** For what finds no room on a disk to name it; undefined where it is not known. */
  fullest(): Promise<Fullest | undefined>;
  /** Containers that serve what is still open to them. */
  readonly drains: Drains;
}
