/** Pull requests from forks and their approvals, in Redis. */
import { type Approval, type ForkFact, type Forks, laterFork } from '../domain/forks.ts';
import type { Clock } from '../domain/ports.ts';
import { asker, type Connections, editField } from './redis-keys.ts';

/** One that was closed so long ago is forgotten with its approvals. */
const CLOSED_MS = 30 * 86_400_000;

export function redisForks(options: {
  readonly redis: Connections;
  readonly clock: Clock;
  readonly prefix?: string;
}): Forks & { close(): void } {
  const prefix = options.prefix ?? 'treehouse';
  const connection = options.redis.quick();
  const asking = asker(options.redis, connection);
  /** Hash: number of a pull request → fact as JSON. */
  const forksOf = (repository: string) => `${prefix}:forks:${repository}`;
  /** Hash: `number:commit` → approval as JSON. */
  const approvalsOf = (repository: string) => `${prefix}:approvals:${repository}`;

  async function facts(repository: string): Promise<readonly ForkFact[]> {
    const all = (await connection.hvals(forksOf(repository))).map((text) => JSON.parse(text) as ForkFact);
    return all.sort((a, b) => a.number - b.number);
  }

  async function approvals(repository: string): Promise<readonly Approval[]> {
    return (await connection.hvals(approvalsOf(repository))).map((text) => JSON.parse(text) as Approval);
  }

  async function note(repository: string, fact: ForkFact): Promise<void> {
    const at = { hash: forksOf(repository), field: String(fact.number) };
    const isNew = await editField<ForkFact>(connection, at, (before) => laterFork(before, fact));
    if (isNew) await forgetClosed(repository);
  }

  async function forgetClosed(repository: string): Promise<void> {
    const since = options.clock.now() - CLOSED_MS;
    const old = (await facts(repository)).filter((one) => !one.open && one.updatedAt < since).map((one) => one.number);
    if (old.length === 0) return;
    const spent = (await approvals(repository)).filter((one) => old.includes(one.pullRequest));
    const change = connection.multi().hdel(forksOf(repository), ...old.map(String));
    if (spent.length > 0) change.hdel(approvalsOf(repository), ...spent.map(fieldOf));
    await change.exec();
  }

  return {
    note: (repository, fact) =>
      asking(`noting pull request #${fact.number} of ${repository}`, () => note(repository, fact)),
    all: (repository) => asking(`reading the forks of ${repository}`, () => facts(repository)),
    approve: (repository, approval) =>
      asking(`noting an approval of ${repository}`, async () => {
        // Who said it first is remembered.
        await connection.hsetnx(approvalsOf(repository), fieldOf(approval), JSON.stringify(approval));
      }),
    approvals: (repository) => asking(`reading the approvals of ${repository}`, () => approvals(repository)),
    close: () => connection.disconnect(),
  };
}

function fieldOf({ pullRequest, commit }: Approval): string {
  return `${pullRequest}:${commit}`;
}
