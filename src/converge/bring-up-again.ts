/** Starts the stopped containers of a live build again, and leads the gateway to where they are now. */
import { routesTo } from '../domain/live.ts';
import type { BuildId } from '../domain/names.ts';
import type { ObservedContainer } from '../domain/observed.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { StackService } from '../domain/stack.ts';
import { bringUp } from './bring-up.ts';
import type { ConvergeDeps } from './deps.ts';
import { laySecretsAgain } from './secrets.ts';

/** In the order that the model had; the build's own limit holds. */
export async function bringUpAgain(
  deps: ConvergeDeps,
  preview: PreviewKey,
  build: BuildId,
  containers: readonly ObservedContainer[],
  signal: AbortSignal,
): Promise<void> {
  const redact = await laySecretsAgain(deps, preview, containers, signal);
  const running = await bringUp({
    engine: deps.engine,
    probe: deps.probe,
    preview,
    items: containers.map((container) => ({ service: serviceOf(container), container })),
    limit: deps.startLimit,
    onLine: (line) => deps.log.info({ preview: preview.id, line: redact(line) }, 'mending'),
    signal,
  });
  await deps.gateway.setRoutes(preview.id, routesTo(preview, build, running));
}

function serviceOf(container: ObservedContainer): StackService {
  return {
    name: container.service,
    definition: {},
    environment: {},
    dependsOn: container.after,
    networks: {},
    mounts: [],
    files: [],
    ports: [],
  };
}
