/** Carries commands out, one after the other, each until it was answered. */
import { type Job, UnrecoverableError, Worker } from 'bullmq';
import type { CommandOrder } from '../domain/comment-commands.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { DEFAULT_PREFIX } from '../queue/names.ts';
import { timeLimit, within } from '../time-limit.ts';
import type { Answer } from './answer.ts';
import { carryOut } from './carry-out.ts';
import type { CommandDeps } from './deps.ts';
import { COMMANDS, type CommandQueueOptions } from './queue.ts';

/** Of one command. */
const LIMIT_MS = 60_000;
const CLOSE_MS = 3_000;

/** @returns the function that ends it: what is under way is broken off, and done at the next start */
export function startCommands(
  deps: CommandDeps & { readonly log: Logger },
  options: CommandQueueOptions,
): { stop(): Promise<void> } {
  const { log } = deps;
  const over = new AbortController();
  const connection = options.redis.patient();
  const worker = new Worker<CommandOrder>(COMMANDS, perform, {
    ...{ connection, prefix: options.prefix ?? DEFAULT_PREFIX, concurrency: 1, maxStalledCount: 1_000 },
  });
  worker.on('error', () => {}); // The connections log an outage themselves, once.

  async function perform(job: Job<CommandOrder>): Promise<void> {
    const { repository, pullRequest, author, command } = job.data;
    const fields = { repository, pullRequest, login: author.login, command: command.name };
    const late = new TreehouseError('stopped', `it took longer than ${LIMIT_MS / 1_000} s`, { kind: 'transient' });
    const limit = timeLimit(over.signal, LIMIT_MS, late);
    try {
      const answer = await carryOut(deps, job.data, {
        signal: limit.signal,
        before: answerIn(job.progress),
        onAnswer: async (given) => job.updateProgress({ ...given }),
      });
      log.info({ ...fields, status: answer?.status }, 'a command of a comment was answered');
    } catch (error) {
      const isOver = error instanceof TreehouseError && error.kind === 'terminal';
      log.warn({ ...fields, reason: messageOf(error), again: !isOver }, 'a command of a comment failed');
      throw isOver ? new UnrecoverableError(messageOf(error)) : error;
    } finally {
      limit.clear();
    }
  }

  return {
    async stop() {
      over.abort(new TreehouseError('stopped', 'Treehouse is stopping', { kind: 'transient' }));
      // BullMQ waits for ever for the end of a connection that was already lost.
      await within(CLOSE_MS, worker.close(), () => new Error('late')).catch(() => undefined);
      connection.disconnect();
    },
  };
}

/** What an earlier try came to, before it broke off. */
function answerIn(progress: Job['progress']): Answer | undefined {
  return typeof progress === 'object' && 'reaction' in progress ? (progress as Answer) : undefined;
}
