/** Takes things of a preview away, in the order in which the engine lets them go; what is gone already is no fault. */

import { projectName } from '../domain/compose-file.ts';
import type { BuildId } from '../domain/names.ts';
import { type ObservedContainer, type ObservedNetwork, type ObservedStack, unservedMark } from '../domain/observed.ts';
import type { Engine } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';

/** Removes containers, networks and (of tests) volumes of one build; others' containers leave the networks first. */
export async function removeBuild(
  engine: Engine,
  preview: PreviewKey,
  build: BuildId,
  role: 'app' | 'test',
): Promise<void> {
  const stack = await engine.observe(preview.id);
  const mine = stack.containers.filter((one) => one.build === build && one.role === role);
  await Promise.all(mine.map((one) => engine.removeContainer(one.id)));
  const others = stack.containers.filter((one) => !mine.includes(one));
  const networks = stack.networks.filter((one) => one.build === build && one.role === role);
  await Promise.all(networks.map((one) => removeNetwork(engine, one, others)));
  if (role === 'test') {
    const prefix = `${projectName(preview, 'test')}_${build}_`;
    await removeVolumes(engine, startingWith(prefix, stack));
  }
}

/** Lets whoever is still in the network out of it, then removes it. */
export async function removeNetwork(
  engine: Engine,
  network: ObservedNetwork,
  containers: readonly ObservedContainer[],
): Promise<void> {
  const inside = containers.filter((one) => one.networks.has(network.name));
  await Promise.all(inside.map((one) => engine.disconnect(network.name, one.id)));
  await engine.removeNetwork(network.name);
}

/**
 * Removes what builds left behind whose worker died: all that neither serves nor is a network of what serves.
 * Where nothing of the preview ever served, its data is theirs too.
 */
export async function removeOrphans(
  engine: Engine,
  preview: PreviewKey,
  stack: ObservedStack,
  live: readonly ObservedContainer[],
): Promise<void> {
  const keep = new Set(live.map((one) => one.id));
  const joined = new Set(live.flatMap((one) => [...one.networks.keys()]));
  const containers = stack.containers.filter((one) => !keep.has(one.id));
  await Promise.all(containers.map((one) => engine.removeContainer(one.id)));
  const networks = stack.networks.filter((one) => !joined.has(one.name));
  await Promise.all(networks.map((one) => removeNetwork(engine, one, [])));
  // No commit that comes may make something of them, and none may find another's data.
  const prefix =
    unservedMark(stack.volumes) !== undefined && live.length === 0 ? '' : `${projectName(preview, 'test')}_`;
  await removeVolumes(engine, startingWith(prefix, stack));
}

function startingWith(prefix: string, { volumes }: ObservedStack): ObservedStack['volumes'] {
  return volumes.filter((one) => one.name.startsWith(prefix));
}

/** A mark that they are nobody's goes last: who is killed in between finds the rest by it. */
export async function removeVolumes(
  engine: Pick<Engine, 'removeVolume'>,
  volumes: ObservedStack['volumes'],
): Promise<void> {
  const mark = unservedMark(volumes);
  await Promise.all(volumes.flatMap(({ name }) => (name === mark ? [] : [engine.removeVolume(name)])));
  if (mark !== undefined) await engine.removeVolume(mark);
}
