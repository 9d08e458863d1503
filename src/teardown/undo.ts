/** A build that did not get to serve is taken back: what it made goes, what it stopped starts again. */

import path from 'node:path';
import { tagPrefix } from '../domain/images.ts';
import type { BuildId, Commit } from '../domain/names.ts';
import type { ObservedStack } from '../domain/observed.ts';
import type { Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { removeBuild, removeVolumes } from './remove.ts';
import { type RetireDeps, removeIdleImages, removeImage } from './retire.ts';

interface Failed {
  readonly preview: PreviewKey;
  readonly repository: Repository;
  readonly build: BuildId;
  readonly commit: Commit;
  /** What there was when it began. */
  readonly before: ObservedStack;
  /** Ids of the containers that served then. */
  readonly live: readonly string[];
  /** The same commit is not built again. */
  readonly isForGood: boolean;
}

export async function undoBuild(deps: RetireDeps, failed: Failed): Promise<void> {
  try {
    await undoOnEngine(deps, failed);
  } finally {
    // Also where the engine is away: nothing but a later build would find it.
    await deps.git.removeCheckout(failed.repository, path.join(deps.builds, failed.preview.id, failed.build));
  }
}

async function undoOnEngine(deps: RetireDeps, failed: Failed): Promise<void> {
  const { preview, build, before, live } = failed;
  await removeBuild(deps.engine, preview, build, 'app');
  await removeBuild(deps.engine, preview, build, 'test');
  await restartStopped(deps, before, live);
  const now = await deps.engine.observe(preview.id);
  // Data of a service that never ran right would be found by the next try.
  const had = new Set(before.volumes.map((one) => one.name));
  const volumes = now.volumes.filter((one) => !had.has(one.name));
  await removeVolumes(deps.engine, volumes);
  if (failed.isForGood) return removeIdleImages(deps, now, now.containers);
  // The images by source stay: the same sources need not be built again. They go once a build ends, well or for good, or none is wanted.
  const known = new Set(before.images.map((one) => one.reference));
  for (const image of now.images) {
    if (known.has(image.reference) || image.reference.includes(`:${tagPrefix(preview)}src-`)) continue;
    await removeImage(deps, image.reference);
  }
}

/** Containers that were stopped for their successors. */
async function restartStopped(deps: RetireDeps, before: ObservedStack, live: readonly string[]): Promise<void> {
  for (const old of before.containers) {
    if (!live.includes(old.id) || !old.running) continue;
    const now = await deps.engine.container(old.id);
    if (now && !now.running && !now.restarting) await deps.engine.start(old.id);
  }
}
