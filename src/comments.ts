/** Wires commands in comments: where they wait, who carries them out, and where their answers lie. Without a forge there are none. */
import type { CommandDeps } from './commands/deps.ts';
import { openCommands } from './commands/queue.ts';
import { startCommands } from './commands/worker.ts';
import type { ConvergeDeps } from './converge/deps.ts';
import { laySecretsAgain } from './converge/secrets.ts';
import type { CommandOrders } from './domain/comment-commands.ts';
import type { Forge } from './domain/forge.ts';
import type { Notes } from './domain/notes.ts';
import type { RedisConnections } from './queue/redis.ts';

export interface CommentsInput extends Pick<CommandDeps, 'hints' | 'pins' | 'wake' | 'forks' | 'trail' | 'onNoted'> {
  readonly forge: Forge;
  readonly connections: RedisConnections;
  readonly deps: ConvergeDeps;
  readonly notes: Notes;
}

export interface Comments {
  readonly orders: CommandOrders;
  stop(): Promise<void>;
}

export function openComments(input: CommentsInput): Comments {
  const { connections, deps, ...rest } = input;
  const { store, engine, clock, log, repositories } = deps;
  const orders = openCommands({ redis: connections });
  const redactor: CommandDeps['redactor'] = (preview, containers, signal) =>
    laySecretsAgain(deps, preview, containers, signal);
  const worker = startCommands({ ...rest, store, engine, clock, log, repositories, redactor }, { redis: connections });
  return {
    orders,
    async stop() {
      await worker.stop();
      await orders.close();
    },
  };
}
