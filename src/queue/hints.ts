/** The way into the queue: one waiting job a preview, however often it is hinted at. */
import type { Queue } from 'bullmq';
import type { PreviewId } from '../domain/names.ts';
import { parsePreviewId } from '../domain/names.ts';
import type { Hints } from '../domain/ports.ts';
import { DEFAULT_PREFIX, QUEUE, queueKeys } from './names.ts';
import { inTime, openQueue } from './open-queue.ts';
import type { RedisConnections } from './redis.ts';

/** All that a job carries: the worker reads what is true when it starts. */
export interface HintJob {
  readonly preview: PreviewId;
}

export interface QueueOptions {
  readonly redis: RedisConnections;
  /** Of every key, so that installations and tests can share one Redis. */
  readonly prefix?: string;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  /** To be hinted again at a later time. */
  readonly later: number;
}

export interface HintQueue extends Hints {
  counts(): Promise<QueueCounts>;
  /** Previews that are to be hinted again at a later time. */
  later(): Promise<ReadonlySet<PreviewId>>;
  /** BullMQ's own queue, to be looked at. */
  raw(): Promise<Queue<HintJob>>;
  close(): Promise<void>;
}

export function openHints(options: QueueOptions): HintQueue {
  const prefix = options.prefix ?? DEFAULT_PREFIX;
  const keys = queueKeys(prefix);
  const { connection, queue, close } = openQueue<HintJob>({
    ...{ redis: options.redis, prefix, name: QUEUE },
    jobs: { removeOnComplete: { count: 100 }, removeOnFail: { count: 100 } },
  });

  async function add(id: PreviewId): Promise<void> {
    const open = await queue();
    await open.add('hint', { preview: id }, { deduplication: { id, keepLastIfActive: true } });
    // For a run that is under way; the job is what counts, so a lost message only costs time.
    await connection.publish(keys.hinted, id).catch(() => {});
  }

  return {
    hint: (id) => inTime(`hinting ${id}`, add(id)),
    counts: async () => {
      const open = await queue();
      const [counts, later] = await Promise.all([open.getJobCounts('waiting', 'active'), connection.zcard(keys.later)]);
      return { waiting: counts.waiting ?? 0, active: counts.active ?? 0, later };
    },
    later: async () => {
      await queue();
      const members = await connection.zrange(keys.later, '0', '-1');
      return new Set(members.map(parsePreviewId).filter((one) => one !== undefined));
    },
    raw: queue,
    close,
  };
}

/**
 * Calls `onHint` for every hint, whoever gave it, and `onGap` where some may have been missed.
 * Returns the function that ends it.
 */
export function onHinted(
  options: QueueOptions & { readonly onHint: (id: PreviewId) => void; readonly onGap?: () => void },
): () => void {
  const connection = options.redis.patient();
  let subscribed = false;
  connection.on('message', (_channel: string, text: string) => {
    const id = parsePreviewId(text);
    if (id) options.onHint(id);
  });
  // ioredis subscribes again by itself after a break.
  connection.on('ready', () => {
    if (subscribed) options.onGap?.();
    subscribed = true;
  });
  connection.subscribe(queueKeys(options.prefix ?? DEFAULT_PREFIX).hinted).catch(() => {});
  return () => connection.disconnect();
}
