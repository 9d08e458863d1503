/** The networks of a build; made while its images are built, since it takes as long as starting half a container. */
import { bridgeName, labelsFor, projectName } from '../domain/compose-file.ts';
import { LABEL } from '../domain/labels.ts';
import type { Stack } from '../domain/stack.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';

type Deps = Pick<ConvergeDeps, 'engine' | 'instance' | 'walls'>;
type Wanted = Pick<Stack, 'networks' | 'idle' | 'login' | 'services'>;
/** Key of the compose file → the engine's name. */
export type Networks = ReadonlyMap<string, string>;

/** Makes them, behind the walls. @throws `networks-exhausted` */
export async function makeNetworks(deps: Deps, run: BuildRun, wanted: Wanted, role: 'app' | 'test'): Promise<Networks> {
  const { networks, idle, login } = wanted;
  const services = wanted.services.map((one) => one.name).join(' ');
  const names = new Map(Object.keys(networks).map((key) => [key, networkName(run, role, key)]));
  await Promise.all([
    deps.walls.stand(),
    ...[...names].map(([key, name]) =>
      deps.engine.createNetwork({
        name,
        bridge: bridgeName(name),
        internal: networks[key]?.internal === true,
        labels: labelsFor(deps.instance, run.preview, role === 'app' ? 'network' : 'test', {
          [LABEL.build]: run.build,
          [LABEL.commit]: run.commit,
          [LABEL.network]: key,
          ...(role === 'app' ? { [LABEL.services]: services } : {}),
          ...(idle === undefined ? {} : { [LABEL.idle]: String(idle) }),
          ...(login === undefined ? {} : { [LABEL.login]: JSON.stringify(login) }),
        }),
      }),
    ),
  ]);
  return names;
}

function networkName(run: BuildRun, role: 'app' | 'test', key: string): string {
  return `${projectName(run.preview, role)}-${run.build}-${key}`;
}
