/** When and how a preview sleeps: its containers are stopped or paused, its next visitor wakes it. */
import type { PreviewId } from './names.ts';
import type { PreviewRecord } from './preview.ts';

/** Paused containers wake in no time and keep their memory, in both senses; stopped ones give it back. */
export type SleepMode = 'stop' | 'pause';

/** What is kept of a preview's sleep. */
export interface Rest {
  /** It is to sleep: nobody visited it, or someone said so. */
  readonly wanted: boolean;
  /** Its memory is wanted too: it is stopped, also where others of its repository are paused. */
  readonly deep: boolean;
  /** Ids of the containers that ran when it was put to sleep; undefined while it is awake. */
  readonly slept: readonly string[] | undefined;
}

/** A branch may ask to sleep sooner than the admin wants it to, not later; undefined: never. */
export function soonestIdle(admin: number | undefined, asked: number | undefined): number | undefined {
  if (admin === undefined || asked === undefined) return admin ?? asked;
  return Math.min(admin, asked);
}

export interface IdleInput {
  readonly records: readonly PreviewRecord[];
  /** Milliseconds since the epoch at which a preview was last visited, as far as the gateway remembers. */
  readonly visited: ReadonlyMap<PreviewId, number>;
  /** Previews that are pinned. */
  readonly kept: ReadonlySet<PreviewId>;
  /** Milliseconds after which a preview sleeps; undefined where it never does. */
  idleOf(record: PreviewRecord): number | undefined;
  /** When the gateway began to remember. */
  readonly since: number;
  readonly now: number;
}

/** Previews that nobody visited for as long as is allowed; some may have a connection open all that time. */
export function idlePreviews({ records, visited, kept, idleOf, since, now }: IdleInput): readonly PreviewRecord[] {
  return records.filter((one) => {
    if ((one.state !== 'live' && one.state !== 'outdated') || kept.has(one.id)) return false;
    const idle = idleOf(one);
    const last = Math.max(visited.get(one.id) ?? 0, one.changedAt, one.serving?.since ?? 0, since);
    return idle !== undefined && now - last >= idle;
  });
}
