/** Why a branch with open pull requests has no preview by what an admin asks of branches, rather than by what became of it. Pure. */
import { desiredState, excludedBecause } from '../domain/desired.ts';
import type { Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { PullRequestFact } from '../domain/pull-requests.ts';

/**
 * As a converge decides it, from the settings of now and not from the record's reason: who is set aside by a limit, or by hand, is
 * not left out, and neither is one of which something was not heard. Undefined where it is not.
 */
export function leftOutBecause(
  preview: PreviewKey,
  repository: Repository | undefined,
  pullRequests: readonly PullRequestFact[],
): string | undefined {
  const open = pullRequests.find((one) => one.open);
  if (!open || !repository) return undefined;
  const excluded = excludedBecause(preview, repository);
  const desired = desiredState({ head: open.head, pullRequests, excluded, selection: repository.selection });
  return desired.kind === 'absent' ? desired.cause : undefined;
}
