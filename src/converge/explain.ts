/** Why a preview is as it is; nothing is changed. */
import { settled } from '../domain/desired.ts';
import { type Explanation, explanation } from '../domain/explanation.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { ConvergeDeps } from './deps.ts';
import { observeWorld } from './observe.ts';

/** Asks the remote. @throws transient where it, the engine or the gateway does not answer. */
export async function explain(
  deps: Pick<ConvergeDeps, 'git' | 'store' | 'forge' | 'forks' | 'engine' | 'gateway' | 'repositories'>,
  record: PreviewRecord,
  signal: AbortSignal,
): Promise<Explanation> {
  const repository = deps.repositories().find((one) => one.name === record.repository);
  const { desired, ...there } = await observeWorld(deps, record, repository, signal);
  const now = { serving: there.live?.commit, isAsked: false };
  return explanation({ ...there, desired: settled(desired, now) }, record);
}
