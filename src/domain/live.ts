/** Which build of a preview serves, and whether it does so as it should: read from what runs and the gateway's routes. */
import type { BuildId, Commit } from './names.ts';
import type { ObservedContainer, ObservedStack } from './observed.ts';
import type { Route } from './ports.ts';
import type { PreviewKey } from './preview.ts';
import { unseededBuilds } from './seed.ts';
import { isUsable } from './start-plan.ts';

export interface LiveBuild {
  readonly build: BuildId;
  readonly commit: Commit;
  /** All that it consists of, also what it kept from builds before. */
  readonly containers: readonly ObservedContainer[];
  /** Services of which nothing is there: somebody removed their containers. */
  readonly missing: readonly string[];
  /** How to sign in; absent where its compose file says nothing of it. */
  readonly login?: readonly string[];
}

/**
 * The build that the gateway leads to; where its routes were lost, the newest whose exposed containers all work, and whose seeds
 * did if it had any. What belongs to it is what is attached to its networks.
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
  const unseeded = unseededBuilds(stack);
  const build =
    routed !== undefined && builds.includes(routed)
      ? routed
      : builds.find((one) => {
          if (unseeded.has(one)) return false;
          const exposed = containersOf(one).filter((container) => container.exposed);
          return exposed.length > 0 && exposed.every((container) => isUsable(container, false));
        });
  const own = networks.find((one) => one.build === build);
  if (build === undefined || own === undefined) return undefined;
  const containers = containersOf(build);
  const there = new Set(containers.map((one) => one.service));
  const missing = (own.services ?? []).filter((one) => !there.has(one));
  return { build, commit: own.commit, containers, missing, ...(own.login ? { login: own.login } : {}) };
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
export function isServing(
  { live, routes }: { readonly live: LiveBuild | undefined; readonly routes: readonly Route[] },
  preview: PreviewKey,
): boolean {
  if (!live || routes.length === 0 || live.missing.length > 0) return false;
  if (!live.containers.every((one) => isUsable(one, !one.exposed && one.exitCode === 0))) return false;
  const wanted = routesTo(preview, live.build, live.containers);
  return (
    wanted.length === routes.length &&
    wanted.every((one) => routes.some((two) => two.host === one.host && two.upstream === one.upstream))
  );
}
