/** Sweeps that are asked for in one process and done by another, the one that leads; over BullMQ, as all that is asked. */
import { QueueEvents, Worker } from 'bullmq';
import type { Sweep, SweepReport } from '../domain/sweep.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { settledWithin } from '../time-limit.ts';
import { DEFAULT_PREFIX } from './names.ts';
import { openQueue } from './open-queue.ts';
import type { RedisConnections } from './redis.ts';

export interface SweepsOptions {
  readonly redis: RedisConnections;
  readonly prefix?: string;
}

interface SweepJob {
  readonly dryRun: boolean;
}

/** BullMQ's own keys begin with `{prefix}:sweeps:`. */
const SWEEPS = 'sweeps';
/** Many remotes, one after the other. */
const SWEEP_MS = 300_000;
const CLOSE_MS = 3_000;
const KEPT = { age: 60, count: 20 };

/** @throws transient `queue-away` where no process that leads answers */
export function askForSweeps(options: SweepsOptions): { readonly sweep: Sweep; close(): Promise<void> } {
  const prefix = options.prefix ?? DEFAULT_PREFIX;
  const { queue, close } = openQueue<SweepJob>({
    ...{ redis: options.redis, prefix, name: SWEEPS, jobs: { removeOnComplete: KEPT, removeOnFail: KEPT } },
  });
  const listening = options.redis.patient();
  let events: QueueEvents | undefined;
  return {
    async sweep({ dryRun }) {
      try {
        const open = await queue();
        // Each try's own error says what is wrong.
        events ??= new QueueEvents(SWEEPS, { connection: listening, prefix }).on('error', () => undefined);
        await events.waitUntilReady();
        const job = await open.add('sweep', { dryRun });
        return (await job.waitUntilFinished(events, SWEEP_MS)) as SweepReport;
      } catch (error) {
        throw new TreehouseError('queue-away', `asking for a sweep: ${messageOf(error)}`, {
          ...{ kind: 'transient', cause: error },
        });
      }
    },
    async close() {
      // It reads without end.
      listening.disconnect();
      // BullMQ waits for the end of a connection that was already lost.
      if (events) await settledWithin(CLOSE_MS, events.close());
      await close();
    },
  };
}

/** Does what is asked for, one after the other. @returns what ends it */
export function answerSweeps(options: SweepsOptions, sweep: Sweep): () => Promise<void> {
  const connection = options.redis.patient();
  const worker = new Worker<SweepJob, SweepReport>(SWEEPS, async ({ data }) => sweep({ dryRun: data.dryRun }), {
    ...{ connection, prefix: options.prefix ?? DEFAULT_PREFIX, runRetryDelay: 1_000 },
  });
  worker.on('error', () => undefined);
  return async () => {
    await worker.close(true);
    connection.disconnect();
  };
}
