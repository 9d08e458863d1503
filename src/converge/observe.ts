/** Reads the world for one preview: git, what was heard of pull requests, the engine, the gateway. */
import { type Desired, desiredState, excludedBecause } from '../domain/desired.ts';
import { type LiveBuild, liveBuild } from '../domain/live.ts';
import type { ObservedStack } from '../domain/observed.ts';
import type { Repository, Route } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { ConvergeDeps } from './deps.ts';

export interface World {
  readonly desired: Desired;
  readonly stack: ObservedStack;
  readonly routes: readonly Route[];
  /** The build that serves, or would if its containers ran. */
  readonly live: LiveBuild | undefined;
}

/** What should run. Asks the remote. */
export async function observeDesired(
  deps: Pick<ConvergeDeps, 'git' | 'store'>,
  preview: PreviewKey,
  repository: Repository | undefined,
  signal: AbortSignal,
): Promise<Desired> {
  const excluded = excludedBecause(preview, repository);
  if (excluded !== undefined || !repository) return { kind: 'absent', cause: excluded ?? '' };
  const head = await deps.git.head(repository, preview.branch, signal);
  const [pullRequests, aside] = await Promise.all([
    deps.store.pullRequests(preview.repository, preview.branch),
    deps.store.aside(preview.id),
  ]);
  return desiredState({ head, pullRequests, excluded: undefined, aside });
}

export async function observeWorld(
  deps: Pick<ConvergeDeps, 'git' | 'store' | 'engine' | 'gateway'>,
  preview: PreviewKey,
  repository: Repository | undefined,
  signal: AbortSignal,
): Promise<World> {
  const [desired, stack, routes] = await Promise.all([
    observeDesired(deps, preview, repository, signal),
    deps.engine.observe(preview.id),
    deps.gateway.routesOf(preview.id),
  ]);
  return { desired, stack, routes, live: liveBuild(stack, routes) };
}
