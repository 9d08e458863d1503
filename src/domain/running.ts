/** What runs of a preview, as far as it takes to start the same somewhere else. */
import type { BuildId, Commit } from './names.ts';
import type { Dependency } from './stack.ts';

/** What a container has from its image or in its place. */
export interface ProcessFacts {
  readonly command: readonly string[];
  readonly entrypoint: readonly string[];
  /** `NAME=value`. */
  readonly environment: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly user: string;
  readonly workingDir: string;
  readonly stopSignal: string;
  /** Undefined where nothing is said of one. */
  readonly health: HealthFacts | undefined;
}

/** Times are nanoseconds, as the engine counts them; 0 where it is to choose. */
export interface HealthFacts {
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly retries: number;
}

export type RunningMount =
  | { readonly kind: 'volume'; readonly volume: string; readonly target: string; readonly readOnly: boolean }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly sizeBytes?: number }
  /** `source` is absolute, of the host. */
  | { readonly kind: 'bind'; readonly source: string; readonly target: string };

/** A container that serves, or sleeps, and the image that it was made from. */
export interface RunningService {
  readonly name: string;
  readonly container: { readonly id: string; readonly name: string };
  readonly build: BuildId;
  readonly commit: Commit;
  readonly image: {
    /** As the container was made from it. */
    readonly reference: string;
    /** `sha256:…`, the hash of its configuration. */
    readonly id: string;
    /** `name@sha256:…`, as registries know it; empty where none does. */
    readonly digests: readonly string[];
  };
  readonly own: ProcessFacts;
  readonly fromImage: ProcessFacts;
  /** Empty where the engine chose it. */
  readonly hostname: string;
  readonly domainname: string;
  readonly tty: boolean;
  readonly stdinOpen: boolean;
  readonly init: boolean;
  /** Seconds; undefined: the engine's usual. */
  readonly stopSeconds: number | undefined;
  /** `no`, `always`, `on-failure:3`. */
  readonly restart: string;
  /** Key of the network → further names there. */
  readonly networks: ReadonlyMap<string, readonly string[]>;
  readonly mounts: readonly RunningMount[];
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly extraHosts: readonly string[];
  readonly groups: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  /** Paths on the host. */
  readonly devices: readonly string[];
  readonly ulimits: Readonly<Record<string, { readonly soft: number; readonly hard: number }>>;
  readonly capAdd: readonly string[];
  readonly readOnly: boolean;
  /** Bytes, cores and counts, as it may use them when nobody else wants them; 0: without bounds. */
  readonly memory: number;
  readonly cpus: number;
  readonly pids: number;
  readonly shm: number;
  readonly after: readonly Dependency[];
  /** The port that the gateway leads to. */
  readonly port: number | undefined;
}

export interface RunningStack {
  readonly services: readonly RunningService[];
  /** Key → whether it has no way out. */
  readonly networks: ReadonlyMap<string, { readonly internal: boolean }>;
}
