/** What a build's events come to, read once and then only what is new: pages ask for it at every change. */
import type { BuildReader } from '../api/builds.ts';
import type { BuildEvent, StoredEvent } from '../domain/events.ts';
import type { BuildId } from '../domain/names.ts';
import { type Attempt, newRecord, type PreviewKey, type PreviewRecord, transition } from '../domain/preview.ts';

export interface Digest {
  readonly attempt: Attempt | undefined;
  readonly cause: string | undefined;
  /** What policy changed of the compose file. */
  readonly changes: readonly Extract<BuildEvent, { type: 'change' }>[];
  /** But for lines and changes. */
  readonly events: readonly BuildEvent[];
}

export interface Digests {
  of(key: PreviewKey, build: BuildId): Promise<Digest>;
}

interface Kept {
  digest: Digest;
  record: PreviewRecord;
  cursor: string | undefined;
  reading: Promise<void> | undefined;
}

const PAGE = 1_000;
/** Of a build that printed more than this, the middle is not looked through. */
const HEAD_PAGES = 3;
const BUILDS_MAX = 500;
const CHANGES_MAX = 500;
const EVENTS_MAX = 200;

export interface DigestStore extends Pick<BuildReader, 'read'> {
  last(preview: PreviewKey['id'], build: BuildId, count: number): Promise<readonly StoredEvent[]>;
}

export function openDigests(store: DigestStore): Digests {
  const all = new Map<string, Kept>();

  function keptOf(key: PreviewKey, build: BuildId): Kept {
    const name = `${key.id} ${build}`;
    const found = all.get(name);
    all.delete(name);
    const kept = found ?? {
      digest: { attempt: undefined, cause: undefined, changes: [], events: [] },
      record: newRecord(key, 0),
      ...{ cursor: undefined, reading: undefined },
    };
    all.set(name, kept);
    const oldest = all.size > BUILDS_MAX ? all.keys().next().value : undefined;
    if (oldest !== undefined) all.delete(oldest);
    return kept;
  }

  async function readOn(kept: Kept, key: PreviewKey, build: BuildId): Promise<void> {
    for (let page = 0; page < HEAD_PAGES; page += 1) {
      const after = kept.cursor;
      const some = await store.read(key.id, build, { count: PAGE, ...(after === undefined ? {} : { after }) });
      take(kept, some);
      if (some.length < PAGE) return;
    }
    const end = await store.last(key.id, build, PAGE);
    take(
      kept,
      end.filter(({ cursor }) => kept.cursor === undefined || isLater(cursor, kept.cursor)),
    );
  }

  return {
    async of(key, build) {
      const kept = keptOf(key, build);
      // What ended says nothing more.
      if (kept.digest.attempt?.outcome !== undefined) return kept.digest;
      kept.reading ??= readOn(kept, key, build).finally(() => {
        kept.reading = undefined;
      });
      await kept.reading;
      return kept.digest;
    },
  };
}

function take(kept: Kept, some: readonly StoredEvent[]): void {
  const changes = [...kept.digest.changes];
  const events = [...kept.digest.events];
  let { cause } = kept.digest;
  for (const { cursor, event } of some) {
    kept.cursor = cursor;
    if (event.type === 'log') continue;
    kept.record = transition(kept.record, event);
    if (event.type === 'build.started') cause = event.cause;
    if (event.type !== 'change') events.push(event);
    else if (changes.length < CHANGES_MAX) changes.push(event);
  }
  kept.digest = { attempt: kept.record.attempt, cause, changes, events: events.slice(-EVENTS_MAX) };
}

/** Whether a cursor of Redis's streams is behind another. */
export function isLater(one: string, other: string): boolean {
  const [a = 0n, aNext = 0n] = one.split('-').map(BigInt);
  const [b = 0n, bNext = 0n] = other.split('-').map(BigInt);
  return a === b ? aNext > bNext : a > b;
}
