/** A BullMQ queue for answers that cannot wait: opened at its first use, and anew where that failed. */
import { type DefaultJobOptions, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { messageOf, TreehouseError } from '../errors.ts';
import { within } from '../time-limit.ts';
import type { RedisConnections } from './redis.ts';

export interface OpenQueue<Job> {
  /** Also for what is beside the queue. */
  readonly connection: Redis;
  /** @throws transient `queue-away` */
  queue(): Promise<Queue<Job>>;
  close(): Promise<void>;
}

/** The longest time that adding a job may take before it counts as lost. */
const ADD_MS = 1_900;

export function openQueue<Job>(options: {
  readonly redis: RedisConnections;
  readonly prefix: string;
  readonly name: string;
  readonly jobs: DefaultJobOptions;
}): OpenQueue<Job> {
  const connection = options.redis.quick();
  let opening: Promise<Queue<Job>> | undefined;

  /** BullMQ keeps a first look at Redis that failed for good: a queue whose look failed is replaced. */
  async function queue(): Promise<Queue<Job>> {
    await options.redis.ready(connection);
    opening ??= open();
    return opening;
  }

  async function open(): Promise<Queue<Job>> {
    const made = new Queue<Job>(options.name, {
      connection,
      prefix: options.prefix,
      streams: { events: { maxLen: 1_000 } },
      defaultJobOptions: options.jobs,
    });
    made.on('error', () => {}); // Each call's own error says it, and the connection logs the outage.
    try {
      await made.waitUntilReady();
      return made;
    } catch (error) {
      opening = undefined;
      await made.close().catch(() => {});
      throw error;
    }
  }

  return {
    connection,
    queue,
    close: async () => {
      const open = await opening?.catch(() => undefined);
      await open?.close();
      connection.disconnect();
    },
  };
}

/** @throws transient `queue-away` where it failed or took longer than a delivery can wait */
export async function inTime<T>(act: string, work: Promise<T>): Promise<T> {
  try {
    return await within(ADD_MS, work, () => new Error(`no answer within ${ADD_MS} ms`));
  } catch (error) {
    throw new TreehouseError('queue-away', `${act}: ${messageOf(error)}`, { kind: 'transient', cause: error });
  }
}
