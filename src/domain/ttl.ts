/** When a preview that nobody uses goes, and when that is said before. Pure. */
import type { PreviewId } from './names.ts';
import type { PreviewRecord } from './preview.ts';

const DAY_MS = 86_400_000;

export interface TtlInput {
  readonly records: readonly PreviewRecord[];
  /** Milliseconds since the epoch at which a preview was last visited, by all that is remembered. */
  readonly visited: ReadonlyMap<PreviewId, number>;
  /** Previews that are pinned. */
  readonly kept: ReadonlySet<PreviewId>;
  /** Milliseconds; undefined where it never goes. */
  ttlOf(record: PreviewRecord): number | undefined;
  /** When this Treehouse began: what it remembers of before may be lost. */
  readonly since: number;
  readonly now: number;
}

export interface Ageing {
  readonly record: PreviewRecord;
  /** When it was last visited, pushed to or asked for; milliseconds since the epoch. */
  readonly lastUsed: number;
  /** When it goes, from when that is said; undefined: not soon. */
  readonly expiresAt: number | undefined;
  readonly isOver: boolean;
}

/**
 * Of every preview that is there and not at work. The warning comes a quarter of the time before, a day at most, and no preview
 * goes without one, however old it is found.
 */
export function ageing({ records, visited, kept, ttlOf, since, now }: TtlInput): readonly Ageing[] {
  return records.filter(isStill).map((record): Ageing => {
    const { id, serving, attempt } = record;
    const ttl = ttlOf(record);
    // When its pin is taken away it has all of its time.
    if (kept.has(id)) return { record, lastUsed: now, expiresAt: undefined, isOver: false };
    const lastUsed = Math.max(visited.get(id) ?? since, serving?.since ?? 0, attempt?.startedAt ?? 0);
    const warning = Math.min((ttl ?? 0) / 4, DAY_MS);
    if (ttl === undefined || now < lastUsed + ttl - warning) {
      return { record, lastUsed, expiresAt: undefined, isOver: false };
    }
    const isSaid = record.expiresAt !== undefined && record.expiresAt >= lastUsed + ttl;
    const expiresAt = isSaid ? record.expiresAt : now + warning;
    return { record, lastUsed, expiresAt, isOver: isSaid && now >= (expiresAt ?? 0) };
  });
}

function isStill({ state }: PreviewRecord): boolean {
  return state === 'live' || state === 'outdated' || state === 'asleep' || state === 'failed';
}
