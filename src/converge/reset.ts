/** A reset's point of no return: the new images are there, so what ran and all of its data go. */
import type { ObservedContainer } from '../domain/observed.ts';
import { removeNetwork } from '../teardown/remove.ts';
import { STOP_GRACE } from '../teardown/retire.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';
import type { World } from './observe.ts';

/**
 * First the routes, so that visitors get Treehouse's own page; of what runs first what could serve, so that nothing half
 * taken away is ever found to be live; the request last. Killed in between it is done again, from the start of a build.
 * @returns the world that is left
 */
export async function clearOut(deps: ConvergeDeps, run: BuildRun, world: World): Promise<World> {
  const { preview, build } = run;
  run.lines('start', 'treehouse')('reset: what ran is stopped, its volumes go');
  await deps.gateway.setRoutes(preview.id, []);
  await deps.store.append({
    type: 'preview.observed',
    at: deps.clock.now(),
    preview: preview.id,
    state: 'building',
    cause: 'it is being reset: its data is made anew',
    urls: [],
  });
  const stack = await deps.engine.observe(preview.id);
  const old = stack.containers.filter((one) => one.build !== build);
  await stopAndRemove(
    deps,
    old.filter((one) => one.exposed),
  );
  await stopAndRemove(
    deps,
    old.filter((one) => !one.exposed),
  );
  await Promise.all(stack.volumes.map((one) => deps.engine.removeVolume(one.name)));
  await Promise.all(
    stack.networks.filter((one) => one.build !== build).map((one) => removeNetwork(deps.engine, one, [])),
  );
  await deps.store.forgetReset(preview.id);
  return { ...world, live: undefined, routes: [], stack: { ...world.stack, containers: [], volumes: [] } };
}

async function stopAndRemove(deps: ConvergeDeps, containers: readonly ObservedContainer[]): Promise<void> {
  await Promise.all(
    containers.map(async (one) => {
      await deps.engine.stop(one.id, STOP_GRACE);
      await deps.engine.removeContainer(one.id);
    }),
  );
}
