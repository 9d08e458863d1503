/** Wires what carries out commands in comments. Without a forge there are none. */
import type { CommandDeps } from './commands/deps.ts';
import { startCommands } from './commands/worker.ts';
import type { ConvergeDeps } from './converge/deps.ts';
import { laySecretsAgain } from './converge/secrets.ts';
import type { Forge } from './domain/forge.ts';
import type { Notes } from './domain/notes.ts';
import type { RedisConnections } from './queue/redis.ts';

export interface CommentsInput extends Pick<CommandDeps, 'hints' | 'pins' | 'wake' | 'forks' | 'trail' | 'onNoted'> {
  readonly forge: Forge;
  readonly connections: RedisConnections;
  readonly deps: ConvergeDeps;
  readonly notes: Notes;
}

export function startComments(input: CommentsInput): { stop(): Promise<void> } {
  const { connections, deps, ...rest } = input;
  const { store, engine, clock, log, repositories } = deps;
  const redactor: CommandDeps['redactor'] = (preview, containers, signal) =>
    laySecretsAgain(deps, preview, containers, signal);
  return startCommands({ ...rest, store, engine, clock, log, repositories, redactor }, { redis: connections });
}
