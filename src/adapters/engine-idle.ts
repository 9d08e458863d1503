/** After how long without a visit the builds that are there ask to sleep: one question for all that do. */
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import type { BuildId } from '../domain/names.ts';
import { away } from './engine-errors.ts';

/** @returns what asks anew each time: milliseconds by build. @throws transient `engine-away` from it. */
export function engineIdle(docker: Docker, instance: string): () => Promise<ReadonlyMap<BuildId, number>> {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${instance}`, LABEL.idle] });
  return async () => {
    const networks = await docker.listNetworks({ filters }).catch((cause: unknown) => {
      throw away('looking at which previews ask to sleep', cause);
    });
    const found = networks.map(({ Labels: labels = {} }): [BuildId, number] => {
      return [(labels[LABEL.build] ?? '') as BuildId, Number(labels[LABEL.idle])];
    });
    return new Map(found.filter(([, idle]) => idle > 0));
  };
}
