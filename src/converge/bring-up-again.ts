/** Starts the stopped containers of a live build again, and leads the gateway to where they are now. */
import { routesTo } from '../domain/live.ts';
import type { BuildId } from '../domain/names.ts';
import type { ObservedContainer } from '../domain/observed.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { StackService } from '../domain/stack.ts';
import { bringUp } from './bring-up.ts';
import type { ConvergeDeps } from './deps.ts';
import { laySecretsAgain } from './secrets.ts';

export interface Again {
  readonly build: BuildId;
  readonly containers: readonly ObservedContainer[];
  readonly signal: AbortSignal;
  /** Takes the last lines of what does not come up, redacted. */
  onTail?(line: string): void;
}

/** In the order that the model had; the build's own limit holds. */
export async function bringUpAgain(
  deps: ConvergeDeps,
  preview: PreviewKey,
  { build, containers, signal, onTail }: Again,
): Promise<void> {
  const redact = await laySecretsAgain(deps, preview, containers, signal);
  const running = await bringUp({
    engine: deps.engine,
    probe: deps.probe,
    preview,
    items: containers.map((container) => ({ service: serviceOf(container), container })),
    limit: deps.startLimit,
    onLine: (line, service) => {
      const said = redact(line);
      deps.log.info({ preview: preview.id, line: said }, 'mending');
      // Only what services said themselves has a source.
      if (service !== undefined) onTail?.(`${service}: ${said}`);
    },
    signal,
  });
  await deps.gateway.setRoutes(preview.id, routesTo(preview, build, running));
  // The routes of before are no news to a gateway that holds visitors of what nobody knows to sleep any more.
  await deps.gateway.open(preview.id);
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
