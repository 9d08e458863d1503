/** Puts what the forge told where webhooks put what they tell. */
import { messageOf } from '../errors.ts';
import type { ForgeSeen } from './ask-forge.ts';
import type { SweepDeps } from './deps.ts';
import { branchOf } from './news.ts';

/** @returns of which repositories not all could be noted, and why */
export async function noteAnswers(
  deps: Pick<SweepDeps, 'store' | 'forks'>,
  seen: ForgeSeen,
): Promise<ReadonlyMap<string, string>> {
  const unnoted = new Map<string, string>();
  for (const one of seen.replies) {
    if ('fault' in one) continue;
    const { name } = one.repository;
    for (const learnt of one.learnt) {
      try {
        // Each keeps the later of two facts: one that was heard while the forge was asked stays.
        if (learnt.kind === 'fork') await deps.forks.note(name, learnt.fact);
        await deps.store.notePullRequest(name, branchOf(learnt), learnt.fact);
      } catch (error) {
        unnoted.set(name, messageOf(error));
      }
    }
  }
  return unnoted;
}
