/** Starts the stopped containers of a live build again. */
import type { ObservedContainer } from '../domain/observed.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { StackService } from '../domain/stack.ts';
import { bringUp } from './bring-up.ts';
import type { ConvergeDeps } from './deps.ts';
import { laySecretsAgain } from './secrets.ts';

/**
 * What depends on what is not known without the model, so all start at once; a container that ended well by itself and is not
 * exposed was a one-shot and stays ended.
 */
export async function bringUpAgain(
  deps: ConvergeDeps,
  preview: PreviewKey,
  containers: readonly ObservedContainer[],
  signal: AbortSignal,
): Promise<readonly ObservedContainer[]> {
  const wanted = containers.filter((one) => one.exposed || one.running || one.restarting || one.exitCode !== 0);
  const redact = await laySecretsAgain(deps, preview, wanted, signal);
  return bringUp({
    engine: deps.engine,
    probe: deps.probe,
    preview,
    items: wanted.map((container) => ({ service: alone(container.service), container })),
    limit: deps.startLimit,
    onLine: (line) => deps.log.info({ preview: preview.id, line: redact(line) }, 'mending'),
    signal,
  });
}

function alone(name: string): StackService {
  return {
    name,
    definition: {},
    environment: {},
    dependsOn: [],
    networks: {},
    mounts: [],
    files: [],
    ports: [],
  };
}
