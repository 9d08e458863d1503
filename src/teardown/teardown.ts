/** Takes a whole preview away: after it, nothing labelled or named for it is left. Run twice, it does nothing. */
import { tagPrefix } from '../domain/images.ts';
import type { ObservedStack } from '../domain/observed.ts';
import type { Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { removeAllCheckouts } from './checkouts.ts';
import { removeNetwork, removeVolumes } from './remove.ts';
import type { RetireDeps } from './retire.ts';

/** Seconds for a container to end by itself; its preview is gone, so there is little to save. */
const STOP_GRACE = 2;

/** @returns whether there was anything to take away. */
export async function teardown(
  deps: RetireDeps,
  preview: PreviewKey,
  repository: Repository | undefined,
): Promise<boolean> {
  const routed = await deps.gateway.setRoutes(preview.id, []);
  const stack = await deps.engine.observe(preview.id);
  const found = routed || isAnything(stack);
  await Promise.all(
    stack.containers.map(async (one) => {
      await deps.engine.stop(one.id, STOP_GRACE);
      await deps.engine.removeContainer(one.id);
    }),
  );
  await Promise.all(stack.networks.map((one) => removeNetwork(deps.engine, one, [])));
  await removeVolumes(deps.engine, stack.volumes);
  // One after the other: two tags of one image are in each other's way.
  for (const image of stack.images) await deps.engine.removeImage(image.reference);
  await removeTags(deps, preview, repository);
  await removeAllCheckouts(deps, preview, repository);
  if (repository) await deps.git.forget(repository, preview.branch);
  return found;
}

function isAnything(stack: ObservedStack): boolean {
  return stack.containers.length + stack.networks.length + stack.volumes.length + stack.images.length > 0;
}

async function removeTags(deps: RetireDeps, preview: PreviewKey, repository: Repository | undefined): Promise<void> {
  const { registry } = deps;
  if (!registry || !repository) return;
  const owner = `${preview.repository.slice(0, preview.repository.indexOf('/')).toLowerCase()}/`;
  for (const path of await registry.paths()) {
    if (!path.startsWith(owner.slice(0, -1))) continue;
    const tags = (await registry.tags(path)).filter((tag) => tag.startsWith(tagPrefix(preview)));
    for (const tag of tags) await registry.remove(path, tag);
  }
}
