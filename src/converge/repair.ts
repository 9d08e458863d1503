/** What should serve is there but does not answer (a restarted engine, a container that ended, another address): mended without a build. */

import type { PreviewKey } from '../domain/preview.ts';
import { messageOf } from '../errors.ts';
import { bringUpAgain } from './bring-up-again.ts';
import type { ConvergeDeps } from './deps.ts';
import type { World } from './observe.ts';

/**
 * What runs and could not be mended is no good to a build either: the exposed services of `world` count as unhealthy. Where services
 * were removed it is those that could not be mended, and the others may be well.
 */
export function withoutTrust(world: World): World {
  const { live } = world;
  if (!live || live.missing.length > 0) return world;
  const containers = live.containers.map((one) => (one.exposed ? { ...one, health: 'unhealthy' as const } : one));
  return { ...world, live: { ...live, containers } };
}

/** @returns whether the live build serves now. */
export async function repair(
  deps: ConvergeDeps,
  preview: PreviewKey,
  world: World,
  signal: AbortSignal,
): Promise<boolean> {
  const { live } = world;
  if (!live?.containers.some((one) => one.exposed)) return false;
  if (live.missing.length > 0) {
    deps.log.warn({ preview: preview.id, missing: live.missing }, 'what ran has services removed, and is built again');
    return false;
  }
  try {
    // One that ended well by itself and is not exposed was a one-shot and stays ended.
    const wanted = live.containers.filter(
      (one) => one.exposed || one.running || one.isPaused || one.restarting || one.exitCode !== 0,
    );
    await bringUpAgain(deps, preview, { build: live.build, containers: wanted, signal });
    deps.log.info({ preview: preview.id, build: live.build }, 'what ran was mended');
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    deps.log.warn({ preview: preview.id, reason: messageOf(error) }, 'what ran could not be mended');
    return false;
  }
}
