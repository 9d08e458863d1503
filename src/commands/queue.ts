/** Where commands wait until they are carried out: in BullMQ, so that neither a crash nor a forge that is away loses one. */
import type { CommandOrder, CommandOrders } from '../domain/comment-commands.ts';
import { DEFAULT_PREFIX } from '../queue/names.ts';
import { inTime, openQueue } from '../queue/open-queue.ts';
import type { RedisConnections } from '../queue/redis.ts';

export interface CommandQueueOptions {
  readonly redis: RedisConnections;
  readonly prefix?: string;
}

/** BullMQ's own keys begin with `{prefix}:commands:`. */
export const COMMANDS = 'commands';
/** 5 s, 10 s, 20 s …, 20 minutes in all: after that nobody expects that it is still done. */
const TRIES = { attempts: 9, backoff: { type: 'exponential', delay: 5_000 } };
/** For which a comment that is delivered again is known. */
const KEPT = { age: 14 * 86_400, count: 2_000 };

function idOf({ comment, repository, pullRequest, at }: CommandOrder): string {
  return comment === undefined ? `label-${repository}-${pullRequest}-${at}` : `comment-${comment}`;
}

export function openCommands(options: CommandQueueOptions): CommandOrders & { close(): Promise<void> } {
  const { queue, close } = openQueue<CommandOrder>({
    ...{ redis: options.redis, prefix: options.prefix ?? DEFAULT_PREFIX, name: COMMANDS },
    jobs: { ...TRIES, removeOnComplete: KEPT, removeOnFail: KEPT },
  });

  async function add(order: CommandOrder): Promise<void> {
    // Of one id there is one job, also once it is done.
    await (await queue()).add(order.command.name, order, { jobId: idOf(order) });
  }

  return {
    take: (order) => inTime(`keeping what ${order.author.login} asks for`, add(order)),
    close,
  };
}
