/** Reads the streams that the event writer fills: the end of one, a page of one, or one as it grows. */
import type { Redis } from 'ioredis';
import type { BuildEvent, StoredEvent } from '../domain/events.ts';
import type { BuildId, PreviewId } from '../domain/names.ts';
import type { Connections, StoreKeys } from './redis-keys.ts';

export interface FollowOptions {
  readonly signal: AbortSignal;
  /** Cursor of the last event already seen. */
  readonly after?: string;
}

const PAGE = 500;
/** So that a connection that broke silently is noticed. */
const BLOCK_MS = 5_000;

type Entry = readonly [id: string, fields: readonly string[]];

export async function tailOf(redis: Redis, key: string, count: number): Promise<readonly string[]> {
  const lines: string[] = [];
  let end = '+';
  while (lines.length < count) {
    const page = (await redis.xrevrange(key, end, '-', 'COUNT', PAGE)) as Entry[];
    for (const entry of page) {
      const { event } = stored(entry);
      if (event.type === 'log' && lines.length < count) lines.push(event.line);
    }
    const last = page.at(-1);
    if (!last || page.length < PAGE) break;
    end = `(${last[0]}`;
  }
  return lines.reverse();
}

export async function pageOf(
  redis: Redis,
  key: string,
  page: { readonly after?: string; readonly count: number },
): Promise<readonly StoredEvent[]> {
  const start = page.after === undefined ? '-' : `(${page.after}`;
  return ((await redis.xrange(key, start, '+', 'COUNT', page.count)) as Entry[]).map(stored);
}

export async function lastOf(redis: Redis, key: string, count: number): Promise<readonly StoredEvent[]> {
  return ((await redis.xrevrange(key, '+', '-', 'COUNT', count)) as Entry[]).reverse().map(stored);
}

/** Every event of the common stream from now on, or after `after`; ends when the signal aborts. */
export function followEvents(redis: Connections, keys: StoreKeys, options: FollowOptions): AsyncGenerator<StoredEvent> {
  return follow(redis, keys.events, { from: 'now', ...options });
}

/** A build's events from its first, or after `after`; ends with the build's last event or when the signal aborts. */
export async function* followBuild(
  redis: Connections,
  keys: StoreKeys,
  options: FollowOptions & { readonly preview: PreviewId; readonly build: BuildId },
): AsyncGenerator<StoredEvent> {
  const { preview, build, ...rest } = options;
  for await (const one of follow(redis, keys.build(preview, build), { from: 'start', ...rest })) {
    yield one;
    const { type } = one.event;
    if (type === 'build.live' || type === 'build.failed' || type === 'build.superseded') return;
  }
}

async function* follow(
  redis: Connections,
  key: string,
  options: FollowOptions & { readonly from: 'start' | 'now' },
): AsyncGenerator<StoredEvent> {
  const { signal } = options;
  if (signal.aborted) return;
  const connection = redis.patient();
  const hangUp = () => connection.disconnect();
  signal.addEventListener('abort', hangUp, { once: true });
  try {
    let cursor = options.after ?? (options.from === 'start' ? '0-0' : await lastId(connection, key));
    while (!signal.aborted) {
      const reply = await connection.xread('COUNT', PAGE, 'BLOCK', BLOCK_MS, 'STREAMS', key, cursor);
      for (const entry of (reply?.[0]?.[1] ?? []) as Entry[]) {
        cursor = entry[0];
        yield stored(entry);
        if (signal.aborted) return;
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', hangUp);
    connection.disconnect();
  }
}

async function lastId(redis: Redis, key: string): Promise<string> {
  const [last] = (await redis.xrevrange(key, '+', '-', 'COUNT', 1)) as Entry[];
  return last?.[0] ?? '0-0';
}

function stored([cursor, fields]: Entry): StoredEvent {
  // Only the event writer writes here.
  return { cursor, event: JSON.parse(fields[1] ?? '') as BuildEvent };
}
