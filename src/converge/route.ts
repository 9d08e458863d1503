/** The last stage: the preview's hosts lead to the new containers; the next request is theirs. */
import { routesTo } from '../domain/live.ts';
import type { ObservedContainer } from '../domain/observed.ts';
import { TreehouseError } from '../errors.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';

/** @returns the URLs, the main one first. */
export async function routeTo(
  deps: Pick<ConvergeDeps, 'gateway' | 'urlOf'>,
  run: BuildRun,
  containers: readonly ObservedContainer[],
): Promise<readonly string[]> {
  const routes = routesTo(run.preview, run.build, containers);
  if (!routes.some((one) => one.host === run.preview.id)) {
    throw new TreehouseError('route-failed', 'the exposed container has no address', { kind: 'transient' });
  }
  await deps.gateway.setRoutes(run.preview.id, routes);
  return urlsOf(
    deps,
    routes.map((one) => one.host),
  );
}

/** URLs of host labels; a preview's own host, which is the shortest, comes first. */
export function urlsOf(deps: Pick<ConvergeDeps, 'urlOf'>, hosts: readonly string[]): readonly string[] {
  return [...hosts].sort((a, b) => a.length - b.length || (a < b ? -1 : 1)).map((host) => deps.urlOf(host));
}
