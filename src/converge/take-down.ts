/** A preview goes: its links, its teardown, its secrets, and the word that it is gone. */
import type { Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { teardown } from '../teardown/teardown.ts';
import type { ConvergeDeps } from './deps.ts';
import { sweepSecrets } from './secrets.ts';

/** @param known whether anybody thinks that it is there: where not, only what is found is said to be gone */
export async function takeDown(
  deps: ConvergeDeps,
  preview: PreviewKey,
  repository: Repository | undefined,
  { cause, known }: { readonly cause: string; readonly known: boolean },
): Promise<void> {
  const began = deps.clock.now();
  // Before all else: whoever has one is not to meet what comes after.
  await deps.links.revokeAll(preview.id);
  const found = await teardown(deps, preview, repository);
  await sweepSecrets(deps, preview);
  if (!found && !known) return;
  const at = deps.clock.now();
  await deps.store.append({ type: 'preview.removed', at, preview: preview.id, cause, ms: at - began });
}
