/** Checkouts go with the builds that they were made for. */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { BuildId } from '../domain/names.ts';
import type { Git, Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';

export interface CheckoutDeps {
  readonly git: Pick<Git, 'removeCheckout'>;
  /** Folder of the checkouts, absolute. */
  readonly builds: string;
}

/** Removes the preview's checkouts but for those of the builds in `keep`. */
export async function removeCheckouts(
  deps: CheckoutDeps,
  preview: PreviewKey,
  repository: Repository,
  keep: readonly BuildId[],
): Promise<void> {
  const folder = path.join(deps.builds, preview.id);
  const kept = new Set<string>(keep);
  for (const build of await readdir(folder).catch(() => [])) {
    if (!kept.has(build)) await deps.git.removeCheckout(repository, path.join(folder, build));
  }
}

/** Removes every checkout of a preview, also where its repository is not known any more. */
export async function removeAllCheckouts(
  deps: CheckoutDeps,
  preview: PreviewKey,
  repository: Repository | undefined,
): Promise<void> {
  if (repository) await removeCheckouts(deps, preview, repository, []);
  await rm(path.join(deps.builds, preview.id), { recursive: true, force: true });
}
