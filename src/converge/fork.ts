/** What should run of a fork's pull request: nothing that nobody approved, and nothing of it is fetched before. */
import type { Desired } from '../domain/desired.ts';
import { desiredFork, forkState } from '../domain/forks.ts';
import type { Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { ConvergeDeps } from './deps.ts';

/** @param pullRequest its number */
export async function observeFork(
  deps: Pick<ConvergeDeps, 'git' | 'store' | 'forks'>,
  preview: PreviewKey,
  input: { readonly repository: Repository; readonly pullRequest: number; readonly signal: AbortSignal },
): Promise<Desired> {
  const { repository, pullRequest, signal } = input;
  const [facts, approvals, aside] = await Promise.all([
    deps.forks.all(repository.name),
    deps.forks.approvals(repository.name),
    deps.store.aside(preview.id),
  ]);
  const fact = facts.find((one) => one.number === pullRequest);
  if (!fact) return { kind: 'as-is', cause: `nothing was heard yet of pull request #${pullRequest}` };
  const { selection } = repository;
  const isApproved = forkState(fact, approvals, selection).kind === 'approved';
  const head = isApproved ? await deps.git.head(repository, preview.branch, signal) : fact.head;
  return desiredFork({ fact, head, approvals, selection, aside });
}
