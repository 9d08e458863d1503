/** After a switch: what served before is let finish, then goes; with it go networks, images and checkouts that nothing uses. */
import type { BuildId } from '../domain/names.ts';
import type { ObservedContainer, ObservedStack } from '../domain/observed.ts';
import type { Engine, Gateway, Git, Registry, Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { idleMarks } from '../domain/seed.ts';
import { removeCheckouts } from './checkouts.ts';
import { type Drains, drained } from './drain.ts';
import { removeNetwork } from './remove.ts';

export interface RetireDeps {
  readonly engine: Engine;
  readonly gateway: Gateway;
  readonly registry: Registry | undefined;
  readonly git: Git;
  readonly builds: string;
  readonly drains: Drains;
}

/** Seconds for a container to end by itself. */
export const STOP_GRACE = 10;

/** What makes up the preview. */
export interface Current {
  readonly build: BuildId;
  readonly containers: readonly ObservedContainer[];
  /** `name:tag` of the images that the build named; undefined where that is not known any more. */
  readonly images?: ReadonlySet<string>;
}

/**
 * Removes all of the preview that does not belong to `build`. Run twice, it does nothing the second time.
 * @param hurry aborted where the next build waits: what is still draining then stays, for the next look
 */
export async function retire(
  deps: RetireDeps,
  preview: PreviewKey,
  repository: Repository,
  now: Current,
  hurry: AbortSignal,
): Promise<void> {
  const { build, containers: current } = now;
  const keep = new Set(current.map((one) => one.id));
  const before = await deps.engine.observe(preview.id);
  const old = before.containers.filter((one) => !keep.has(one.id));
  await Promise.all(old.map((one) => retireContainer(deps, one, hurry)));

  const stack = await deps.engine.observe(preview.id);
  await Promise.all(
    stack.networks.filter((one) => one.build !== build).map((one) => leaveNetwork(deps.engine, one, stack.containers)),
  );
  await Promise.all(idleMarks(stack).map((one) => deps.engine.removeVolume(one)));
  if (now.images) await removeUnusedImages(deps, stack, now.images);
  await removeCheckouts(deps, preview, repository, [build, ...stack.containers.map((one) => one.build)]);
}

async function retireContainer(deps: RetireDeps, container: ObservedContainer, hurry: AbortSignal): Promise<void> {
  if (container.running && container.exposed && !(await drained(deps, container, hurry))) return;
  deps.drains.end(container.id);
  await deps.engine.stop(container.id, STOP_GRACE);
  await deps.engine.removeContainer(container.id);
}

/** A container that was kept stays in the network it was born in, where its address is; others leave. */
async function leaveNetwork(
  engine: Engine,
  network: ObservedStack['networks'][number],
  containers: readonly ObservedContainer[],
): Promise<void> {
  const inside = containers.filter((one) => one.networks.has(network.name));
  const born = inside.filter((one) => one.build === network.build);
  if (born.length === 0) return removeNetwork(engine, network, inside);
  await Promise.all(inside.filter((one) => !born.includes(one)).map((one) => engine.disconnect(network.name, one.id)));
}

/** Of all images of the preview those stay that a container was made from or that the newest build named. */
async function removeUnusedImages(deps: RetireDeps, stack: ObservedStack, images: ReadonlySet<string>): Promise<void> {
  const names = new Set(stack.containers.map((one) => one.image));
  for (const { reference } of stack.images) {
    if (!names.has(reference) && !images.has(reference)) await removeImage(deps, reference);
  }
}

/** What was built for a commit that failed for good, or is not wanted any more: nothing builds on it, and of its layers the builder's cache knows. */
export async function removeIdleImages(
  deps: Pick<RetireDeps, 'engine' | 'registry'>,
  { images }: ObservedStack,
  containers: readonly ObservedContainer[],
): Promise<void> {
  const used = new Set(containers.map((one) => one.imageId));
  for (const one of images) if (!used.has(one.id)) await removeImage(deps, one.reference);
}

/** Takes one tag from the engine and from the registry; a manifest that another tag of the preview still needs stays. */
export async function removeImage(deps: Pick<RetireDeps, 'engine' | 'registry'>, reference: string): Promise<void> {
  await deps.engine.removeImage(reference);
  const { registry } = deps;
  const start = `${registry?.address ?? ''}/`;
  if (!registry || !reference.startsWith(start)) return;
  const colon = reference.lastIndexOf(':');
  const path = reference.slice(start.length, colon);
  const tag = reference.slice(colon + 1);
  const digest = await registry.digest(path, tag);
  if (digest === undefined) return;
  const others = (await registry.tags(path)).filter((one) => one !== tag);
  const digests = await Promise.all(others.map((one) => registry.digest(path, one)));
  // The registry's API deletes a manifest with all its tags.
  if (!digests.includes(digest)) await registry.remove(path, tag);
}
