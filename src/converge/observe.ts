/** Reads the world for one preview: git, what was heard of pull requests, the engine, the gateway. */
import { branchSelected, type Desired, desiredState } from '../domain/desired.ts';
import { type BuildId, type Commit, previewId } from '../domain/names.ts';
import type { ObservedContainer, ObservedStack } from '../domain/observed.ts';
import type { Repository, Route } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { isUsable } from '../domain/start-plan.ts';
import type { ConvergeDeps } from './deps.ts';

export interface World {
  readonly desired: Desired;
  readonly stack: ObservedStack;
  readonly routes: readonly Route[];
  /** The build that serves, or would if its containers ran. */
  readonly live: LiveBuild | undefined;
}

export interface LiveBuild {
  readonly build: BuildId;
  readonly commit: Commit;
  /** All that it consists of, also what it kept from builds before. */
  readonly containers: readonly ObservedContainer[];
}

/** What should run. Asks the remote. */
export async function observeDesired(
  deps: Pick<ConvergeDeps, 'git' | 'store'>,
  preview: PreviewKey,
  repository: Repository | undefined,
  signal: AbortSignal,
): Promise<Desired> {
  if (!repository) return { kind: 'absent', cause: `${preview.repository} is not in the configuration any more` };
  if (!branchSelected(repository.branches, preview.branch)) {
    return { kind: 'absent', cause: `the configuration's branches leave '${preview.branch}' out` };
  }
  if (previewId(repository.slug, preview.branch) !== preview.id) {
    return { kind: 'absent', cause: "the configuration's `hostname` gives its branch another name" };
  }
  const head = await deps.git.head(repository, preview.branch, signal);
  const pullRequests = await deps.store.pullRequests(preview.repository, preview.branch);
  return desiredState({ head, pullRequests, excluded: undefined });
}

export async function observeWorld(
  deps: ConvergeDeps,
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

/**
 * The build that the gateway leads to; where its routes were lost, the newest whose exposed containers all work. What belongs
 * to it is what is attached to its networks.
 */
export function liveBuild(stack: ObservedStack, routes: readonly Route[]): LiveBuild | undefined {
  const networks = stack.networks.filter((one) => one.role === 'app');
  const builds = [...new Set(networks.map((one) => one.build))].sort().reverse();
  const routed = routes[0]?.build;
  const containersOf = (build: BuildId): ObservedContainer[] => {
    const names = new Set(networks.filter((one) => one.build === build).map((one) => one.name));
    return stack.containers.filter(
      (one) => one.role === 'app' && [...one.networks.keys()].some((name) => names.has(name)),
    );
  };
  const build =
    routed !== undefined && builds.includes(routed)
      ? routed
      : builds.find((one) => {
          const exposed = containersOf(one).filter((container) => container.exposed);
          return exposed.length > 0 && exposed.every((container) => isUsable(container, false));
        });
  const commit = networks.find((one) => one.build === build)?.commit;
  return build === undefined || commit === undefined ? undefined : { build, commit, containers: containersOf(build) };
}

/** The routes that lead to a build's exposed containers as they are now. */
export function routesTo(preview: PreviewKey, build: BuildId, containers: readonly ObservedContainer[]): Route[] {
  return containers.flatMap((one) => {
    const address = [...one.networks.values()].find((ip) => ip !== '');
    if (!one.exposed || address === undefined) return [];
    return [{ host: one.exposed.host, preview: preview.id, build, upstream: `${address}:${one.exposed.port}` }];
  });
}

/** Whether the live build is whole and the gateway leads to it. */
export function isServing(world: World, preview: PreviewKey): boolean {
  const { live, routes } = world;
  if (!live || routes.length === 0) return false;
  if (!live.containers.every((one) => isUsable(one, !one.exposed && one.exitCode === 0))) return false;
  const wanted = routesTo(preview, live.build, live.containers);
  return (
    wanted.length === routes.length &&
    wanted.every((one) => routes.some((two) => two.host === one.host && two.upstream === one.upstream))
  );
}
