/** What does run, as the engine tells it by labels. */
import type { BuildId, Commit, PreviewId } from './names.ts';
import type { Dependency } from './stack.ts';

export interface ObservedContainer {
  readonly id: string;
  readonly name: string;
  readonly service: string;
  readonly role: 'app' | 'test';
  readonly build: BuildId;
  readonly commit: Commit;
  /** See LABEL.config. */
  readonly config: string;
  /** It does something: neither ended nor paused nor between two starts. */
  readonly running: boolean;
  readonly restarting: boolean;
  /** It is frozen as it ran. */
  readonly isPaused?: boolean;
  readonly exitCode: number;
  /** `none` where no health check is defined. */
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  readonly restarts: number;
  /** Engine network name → address there ('' while not running). */
  readonly networks: ReadonlyMap<string, string>;
  readonly image: string;
  readonly imageId: string;
  /** What is started before it; see LABEL.after. */
  readonly after: readonly Dependency[];
  /** Where the gateway should lead, on exposed containers. */
  readonly exposed: { readonly host: string; readonly port: number } | undefined;
  /** Whether its build was to run seeds before it served; see LABEL.seed. */
  readonly isSeeded?: boolean;
}

export interface ObservedNetwork {
  readonly id: string;
  readonly name: string;
  readonly build: BuildId;
  readonly commit: Commit;
  /** Which network of the model. */
  readonly key: string;
  readonly role: 'app' | 'test';
  /** What its build runs; absent where that was not noted. */
  readonly services?: readonly string[];
  /** How to sign in to what its build runs; absent where nothing is said of it. */
  readonly login?: readonly string[];
}

export interface ObservedStack {
  readonly preview: PreviewId;
  readonly containers: readonly ObservedContainer[];
  readonly networks: readonly ObservedNetwork[];
  readonly volumes: readonly ObservedVolume[];
  readonly images: readonly ObservedImage[];
}

export interface ObservedVolume {
  readonly name: string;
  /** The build whose seeds fill it; undefined where none do. */
  readonly seededBy?: BuildId;
  /** It holds nothing, but says that the seeds of that build ended well, or that all data of the preview is of builds that never served. */
  readonly mark?: 'seeded' | 'unserved';
}

/** The name of the mark that what data there is belongs to builds of which none served, and is nobody's; undefined where one did. */
export function unservedMark(volumes: ObservedStack['volumes']): string | undefined {
  return volumes.find((one) => one.mark === 'unserved')?.name;
}

export interface ObservedImage {
  /** `name:tag`, or the id where it has none. */
  readonly reference: string;
  readonly id: string;
}
