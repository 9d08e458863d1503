/** What is known of one branch's preview, for people; decisions are taken from observation, never from this. */
import type { Wait } from './admission.ts';
import { type BuildEvent, type Shown, STAGES, type Stage } from './events.ts';
import { type Branch, type BuildId, type Commit, type PreviewId, previewId, type RepositoryName } from './names.ts';
import { waitText } from './waiting.ts';

/** Which branch of which repository a preview id stands for. */
export interface PreviewKey {
  readonly id: PreviewId;
  readonly repository: RepositoryName;
  readonly branch: Branch;
}

/** That of a branch, or of what stands for one. */
export function previewKey(
  { name, slug }: { readonly name: RepositoryName; readonly slug: string },
  branch: Branch,
): PreviewKey {
  return { id: previewId(slug, branch), repository: name, branch };
}

/**
 * `live` serves the branch's head, `outdated` an earlier commit because the newest failed or waits to be built, `failed`
 * nothing; `asleep` is stopped or paused until somebody visits it, `waking` on its way back.
 */
export type PreviewState =
  | 'waiting'
  | 'building'
  | 'live'
  | 'outdated'
  | 'failed'
  | 'asleep'
  | 'waking'
  | 'removing'
  | 'removed';

export interface PreviewRecord extends PreviewKey, Shown {
  readonly state: PreviewState;
  /** Why it is in this state, in one sentence. */
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly changedAt: number;
  /** What answers at the preview's URLs. */
  readonly serving?: { readonly build: BuildId; readonly commit: Commit; readonly since: number };
  /** URLs, the main one first. */
  readonly urls: readonly string[];
  /** There while it waits to be built (the commit) or woken; what serves goes on meanwhile. */
  readonly wait?: Omit<Wait, 'kind'> & { readonly commit?: string };
  /** When it goes because nobody uses it, from some time before; milliseconds since the epoch. */
  readonly expiresAt?: number;
  /** The last lines of what did not come up when it was to be woken; absent once anything else became of it. */
  readonly unwoken?: readonly string[];
  /** The newest build, whatever became of it. */
  readonly attempt?: Attempt;
  /** What it took so far, in all its lives. */
  readonly spent?: Spent;
}

/** Milliseconds; of builds that ended, and for which its containers were up until `at`. */
export interface Spent {
  readonly builds: number;
  readonly building: number;
  readonly awake: number;
  /** When it was last counted; milliseconds since the epoch. */
  readonly at: number;
}

/** What a preview took up to a time. */
export function spentUntil(record: PreviewRecord, now: number): Spent {
  const { builds, building, awake, at } = record.spent ?? { builds: 0, building: 0, awake: 0, at: now };
  const isUp = record.serving !== undefined && record.state !== 'asleep';
  // A clock that was set back takes nothing away.
  return { builds, building, awake: awake + (isUp ? Math.max(0, now - at) : 0), at: now };
}

export interface Attempt {
  readonly build: BuildId;
  readonly commit: Commit;
  readonly startedAt: number;
  /** Set where its data is made anew. */
  readonly resets?: true;
  readonly stage?: Stage;
  readonly stages: Readonly<Partial<Record<Stage, { readonly startedAt: number; readonly ms?: number }>>>;
  readonly outcome?: 'live' | 'failed' | 'superseded';
  /** Whether trying the same commit again could help. */
  readonly kind?: 'terminal' | 'transient';
  readonly message?: string;
}

/** A preview that was only just heard of. */
export function newRecord(key: PreviewKey, now: number): PreviewRecord {
  return { ...key, state: 'waiting', reason: 'waiting to be looked at', changedAt: now, urls: [] };
}

/** The branch's head, as far as the record tells; a branch that went back to what serves had no build of it. */
export function knownHead({ state, serving, attempt }: PreviewRecord): Commit | undefined {
  return state === 'live' ? serving?.commit : (attempt?.commit ?? serving?.commit);
}

/** A red commit stays red: it is tried again when someone asks, or when there is another. */
export function hasFailed(record: PreviewRecord | undefined, commit: Commit): boolean {
  const last = record?.attempt;
  return last?.commit === commit && last.outcome === 'failed' && last.kind === 'terminal';
}

/** The one place where a record changes: what `event` makes of it. */
export function transition(before: PreviewRecord, event: BuildEvent): PreviewRecord {
  const after = become(before, event);
  if (after === before) return before;
  const spent = spentUntil(before, event.at);
  const isOver = event.type === 'build.live' || event.type === 'build.failed' || event.type === 'build.superseded';
  if (!isOver) return { ...after, spent };
  return { ...after, spent: { ...spent, builds: spent.builds + 1, building: spent.building + event.ms } };
}

function become(before: PreviewRecord, event: BuildEvent): PreviewRecord {
  const at = event.at;
  const { wait: _wait, unwoken: _unwoken, ...record } = before;
  switch (event.type) {
    case 'build.started':
      return {
        ...record,
        state: 'building',
        reason: event.cause,
        changedAt: at,
        attempt: {
          build: event.build,
          commit: event.commit,
          startedAt: at,
          ...(event.resets ? { resets: true } : {}),
          stages: {},
        },
      };
    case 'stage.started':
      return withAttempt(record, event.build, (attempt) => ({
        ...attempt,
        stage: event.stage,
        stages: { ...attempt.stages, [event.stage]: { startedAt: at } },
      }));
    case 'stage.finished':
      return withAttempt(record, event.build, (attempt) => {
        const startedAt = attempt.stages[event.stage]?.startedAt ?? at - event.ms;
        const stages = { ...attempt.stages, [event.stage]: { startedAt, ms: event.ms } };
        // What began before it may go on, as a start does beside its push.
        const goesOn = STAGES.findLast((stage) => stages[stage] && stages[stage].ms === undefined);
        return { ...attempt, ...(goesOn ? { stage: goesOn } : {}), stages };
      });
    case 'build.live':
      return withAttempt(
        {
          ...unshown(record),
          state: 'live',
          reason: 'serves the newest commit',
          changedAt: at,
          serving: { build: event.build, commit: event.commit, since: at },
          urls: event.urls,
          ...shownIn(event),
        },
        event.build,
        (attempt) => ({ ...attempt, outcome: 'live' }),
      );
    case 'build.failed':
      return withAttempt(
        {
          ...record,
          state: record.serving ? 'outdated' : 'failed',
          reason: `${event.stage} failed: ${event.message}`,
          changedAt: at,
        },
        event.build,
        (attempt) => ({ ...attempt, outcome: 'failed', kind: event.kind, message: event.message, stage: event.stage }),
      );
    case 'build.superseded':
      return withAttempt(
        { ...record, state: record.serving ? 'outdated' : 'waiting', reason: event.message, changedAt: at },
        event.build,
        (attempt) => ({
          ...attempt,
          outcome: 'superseded',
          message: event.message,
          ...(event.again ? { kind: 'transient' } : {}),
        }),
      );
    case 'preview.removing':
      return { ...record, state: 'removing', reason: event.cause, changedAt: at };
    case 'preview.removed': {
      const { serving: _serving, expiresAt: _expiresAt, ...rest } = unshown(record);
      return { ...rest, state: 'removed', reason: event.cause, changedAt: at, urls: [] };
    }
    case 'preview.observed': {
      const serving = event.serving;
      const isSame = serving !== undefined && serving.build === record.serving?.build;
      const { serving: _serving, ...rest } = isSame ? record : unshown(record);
      return {
        ...rest,
        ...(serving ? { serving } : {}),
        state: event.state,
        reason: event.cause,
        changedAt: at,
        urls: event.urls,
        ...shownIn(event),
        ...(event.unwoken ? { unwoken: event.unwoken } : {}),
      };
    }
    case 'preview.waiting': {
      const { position, because, aboutMs, commit } = event;
      const wait = {
        ...{ position, because },
        ...(aboutMs === undefined ? {} : { aboutMs }),
        ...(commit === undefined ? {} : { commit }),
      };
      const state = stateOfWaiting(before, event);
      // How long it was not visited is counted from when its state changed.
      const changedAt = state === before.state ? before.changedAt : at;
      return { ...record, state, reason: waitText(wait), changedAt, wait };
    }
    case 'preview.expiring': {
      const { expiresAt: _expiresAt, ...rest } = before;
      return event.expiresAt === undefined ? rest : { ...rest, expiresAt: event.expiresAt };
    }
    case 'log':
    case 'change':
      return before;
    default:
      return event satisfies never;
  }
}

function unshown({ services: _services, login: _login, ...record }: PreviewRecord): PreviewRecord {
  return record;
}

function shownIn({ services, login }: Shown): Shown {
  return { ...(services ? { services } : {}), ...(login ? { login } : {}) };
}

function stateOfWaiting(
  record: PreviewRecord,
  { purpose, commit }: Extract<BuildEvent, { type: 'preview.waiting' }>,
): PreviewState {
  if (purpose === 'wake') return 'waking';
  if (!record.serving) return 'waiting';
  if (record.state === 'asleep') return 'asleep';
  return record.serving.commit === commit ? 'live' : 'outdated';
}

function withAttempt(record: PreviewRecord, build: BuildId, change: (attempt: Attempt) => Attempt): PreviewRecord {
  return record.attempt?.build === build ? { ...record, attempt: change(record.attempt) } : record;
}
