/** Why a preview is as it is; nothing is changed. */
import { type Explanation, explanation } from '../domain/explanation.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { ConvergeDeps } from './deps.ts';
import { observeWorld } from './observe.ts';

/** Asks the remote. @throws transient where it, the engine or the gateway does not answer. */
export async function explain(
  deps: Pick<ConvergeDeps, 'git' | 'store' | 'engine' | 'gateway' | 'repositories'>,
  record: PreviewRecord,
  signal: AbortSignal,
): Promise<Explanation> {
  const repository = deps.repositories().find((one) => one.name === record.repository);
  return explanation(await observeWorld(deps, record, repository, signal), record);
}
