/** What a build says, as it says it: the log, the terminal, the API and the reports all read this one stream. */
import type { Purpose, Wait } from './admission.ts';
import type { BuildId, Commit, PreviewId } from './names.ts';
import type { PreviewState } from './preview.ts';

/** The stages of a build, in order; `push` and `start` overlap. */
export const STAGES = ['checkout', 'plan', 'build', 'test', 'push', 'start', 'seed', 'route'] as const;
export type Stage = (typeof STAGES)[number];

interface Base {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly preview: PreviewId;
}

interface OfBuild extends Base {
  readonly build: BuildId;
}

/** What is told of URLs beside them; absent in events that were written before. */
export interface Shown {
  /** Whose they are, in their order. */
  readonly services?: readonly string[];
  /** How to sign in, as the compose file says it: a line each. */
  readonly login?: readonly string[];
}

export type BuildEvent =
  | (OfBuild & {
      readonly type: 'build.started';
      readonly commit: Commit;
      readonly cause: string;
      /** Set where its data is made anew. */
      readonly resets?: true;
    })
  | (OfBuild & { readonly type: 'stage.started'; readonly stage: Stage })
  | (OfBuild & { readonly type: 'stage.finished'; readonly stage: Stage; readonly ms: number; readonly note?: string })
  /** One line of output; `source` is a service, `git`, `treehouse` or a tool. */
  | (OfBuild & { readonly type: 'log'; readonly stage: Stage; readonly source: string; readonly line: string })
  /** Something of the compose file that policy changed. */
  | (OfBuild & { readonly type: 'change'; readonly path: string; readonly message: string })
  | (OfBuild & {
      readonly type: 'build.live';
      readonly commit: Commit;
      readonly urls: readonly string[];
      readonly ms: number;
    } & Shown)
  | (OfBuild & {
      readonly type: 'build.failed';
      readonly stage: Stage;
      readonly code: string;
      readonly kind: 'terminal' | 'transient';
      readonly message: string;
      readonly ms: number;
    })
  | (OfBuild & {
      readonly type: 'build.superseded';
      readonly message: string;
      readonly ms: number;
      /** Set where the same commit is built again: Treehouse stopped. */
      readonly again?: true;
    })
  | (Base & { readonly type: 'preview.removing'; readonly cause: string })
  | (Base & { readonly type: 'preview.removed'; readonly cause: string; readonly ms: number })
  /** The world was found to be so, with no build: after a restart, a repair or a wiped history. */
  | (Base & {
      readonly type: 'preview.observed';
      readonly state: PreviewState;
      readonly cause: string;
      readonly serving?: { readonly build: BuildId; readonly commit: Commit; readonly since: number };
      readonly urls: readonly string[];
      /** Where it could not be woken: the last lines of what did not come up. */
      readonly unwoken?: readonly string[];
    } & Shown)
  /** Nobody used it for long: when it goes; absent where somebody did, or pinned it. */
  | (Base & { readonly type: 'preview.expiring'; readonly expiresAt?: number })
  /** It cannot be built or woken yet; said again whenever that changes. */
  | (Base &
      Omit<Wait, 'kind'> & {
        readonly type: 'preview.waiting';
        readonly purpose: Purpose;
        /** What is to be built. */
        readonly commit?: string;
      });

export type EventType = BuildEvent['type'];

/** An event and its place in its stream. */
export interface StoredEvent {
  /** Given as `after`, reading goes on behind this event. */
  readonly cursor: string;
  readonly event: BuildEvent;
}
