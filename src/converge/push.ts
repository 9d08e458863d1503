/** Stage 5: every image that was built here goes to the registry; its digest is the log's. */
import { forkNumber } from '../domain/names.ts';
import type { Images } from './build.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';

/** @returns how many images were pushed. */
export async function pushImages(
  deps: ConvergeDeps,
  run: BuildRun,
  images: Images,
  signal: AbortSignal,
): Promise<number> {
  if (!deps.registry) return 0;
  if (forkNumber(run.preview.branch) !== undefined) {
    run.lines('push', 'treehouse')('nothing: what is built of a fork stays on this host');
    return 0;
  }
  const built = [...images].filter(([, image]) => image.names);
  await Promise.all(
    built.map(async ([service, image]) => {
      const digest = await deps.engine.push(image.reference, () => undefined, signal);
      run.lines('push', service)(`${image.reference} ${digest}`);
    }),
  );
  return built.length;
}
