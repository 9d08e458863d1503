/** One attempt at one commit: it times the stages and says what happens as events. */
import path from 'node:path';
import type { BuildEvent, Stage } from '../domain/events.ts';
import type { BuildId, Commit } from '../domain/names.ts';
import type { Clock, OnLine, Repository, Store } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { type KnownSecrets, NO_SECRETS } from '../domain/secrets.ts';

export interface BuildRun {
  readonly preview: PreviewKey;
  readonly repository: Repository;
  readonly build: BuildId;
  readonly commit: Commit;
  /** Where the commit is laid out. */
  readonly checkout: string;
  /** Aborted when a newer commit is known or Treehouse stops. */
  readonly signal: AbortSignal;
  readonly startedAt: number;
  /** Start every service anew and build every image, changed or not. */
  readonly anew: boolean;
  /** Runs a stage, between its events. What it returns under `note` is shown beside its time. */
  stage<T>(stage: Stage, work: () => Promise<T>, note?: (result: T) => string | undefined): Promise<T>;
  /** A function that logs lines of one stage. */
  lines(stage: Stage, source: string): OnLine;
  emit(event: Omitted<BuildEvent>): Promise<void>;
  /** The first stage that failed, or the last that began. */
  failedStage(): Stage;
  /** What its services are told; whatever is said after `know` is redacted of it. */
  secrets(): KnownSecrets;
  know(secrets: KnownSecrets): void;
}

/** An event without what a run knows itself. */
type Omitted<E> = E extends { build: BuildId } ? Omit<E, 'at' | 'preview' | 'build'> : never;

export interface RunInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly builds: string;
  readonly preview: PreviewKey;
  readonly repository: Repository;
  readonly build: BuildId;
  readonly commit: Commit;
  readonly anew: boolean;
  readonly signal: AbortSignal;
}

export function beginRun(input: RunInput): BuildRun {
  const { store, clock, preview, build } = input;
  let failed: Stage | undefined;
  let last: Stage = 'checkout';
  let secrets = NO_SECRETS;
  const emit = (event: Omitted<BuildEvent>) =>
    store.append({ ...redacted(event, secrets), at: clock.now(), preview: preview.id, build } as BuildEvent);
  return {
    preview,
    repository: input.repository,
    build,
    commit: input.commit,
    checkout: path.join(input.builds, preview.id, build),
    signal: input.signal,
    startedAt: clock.now(),
    anew: input.anew,
    emit,
    lines: (stage, source) => (line, from) => void emit({ type: 'log', stage, source: from ?? source, line }),
    failedStage: () => failed ?? last,
    secrets: () => secrets,
    know(known) {
      secrets = known;
    },
    async stage(stage, work, note) {
      input.signal.throwIfAborted();
      last = stage;
      const began = clock.now();
      await emit({ type: 'stage.started', stage });
      try {
        const result = await work();
        const said = note?.(result);
        await emit({
          type: 'stage.finished',
          stage,
          ms: clock.now() - began,
          ...(said === undefined ? {} : { note: said }),
        });
        return result;
      } catch (error) {
        failed ??= stage;
        throw error;
      }
    },
  };
}

/** What people or programs wrote: all else of an event is Treehouse's own. */
const WRITTEN: ReadonlySet<string> = new Set(['line', 'message', 'note', 'cause', 'path']);

function redacted(event: object, secrets: KnownSecrets): object {
  if (secrets === NO_SECRETS) return event;
  return Object.fromEntries(
    Object.entries(event).map(([key, value]) => [
      key,
      WRITTEN.has(key) && typeof value === 'string' ? secrets.redact(value) : value,
    ]),
  );
}
