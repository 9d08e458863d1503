/** What should run of a fork's pull request: nothing that nobody approved, and nothing of it is fetched before. */
import type { Desired } from '../domain/desired.ts';
import { desiredFork, forkState } from '../domain/forks.ts';
import type { Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { ConvergeDeps } from './deps.ts';

/** @param pullRequest its number */
export async function observeFork(
  deps: Pick<ConvergeDeps, 'git' | 'store' | 'forge' | 'forks'>,
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
  if (!fact) return unheard(deps, input);
  const { selection } = repository;
  const isApproved = forkState(fact, approvals, selection).kind === 'approved';
  const head = isApproved ? await deps.git.head(repository, preview.branch, signal) : fact.head;
  return desiredFork({ fact, head, approvals, selection, aside });
}

/** Redis may have been wiped: of one that is open a delivery or the sweep tells, of one that is closed nobody does any more. */
async function unheard(
  { forge }: Pick<ConvergeDeps, 'forge'>,
  { repository, pullRequest, signal }: Parameters<typeof observeFork>[2],
): Promise<Desired> {
  const [now] = forge ? await forge.pullRequestsNow(repository.name, [pullRequest], signal) : [];
  const number = `pull request #${pullRequest}`;
  if (now && now.state !== 'open') return { kind: 'absent', cause: `${number} was ${now.state}` };
  return { kind: 'as-is', cause: `nothing was heard yet of ${number}` };
}
