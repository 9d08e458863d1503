/** The last stage: the preview's hosts lead to the new containers; the next request is theirs. */
import { routesTo } from '../domain/live.ts';
import type { ObservedContainer } from '../domain/observed.ts';
import { TreehouseError } from '../errors.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';

/** @returns what is reached now. */
export async function routeTo(
  deps: Pick<ConvergeDeps, 'gateway' | 'urlOf'>,
  run: BuildRun,
  containers: readonly ObservedContainer[],
): Promise<Reached> {
  const routes = routesTo(run.preview, run.build, containers);
  if (!routes.some((one) => one.host === run.preview.id)) {
    throw new TreehouseError('route-failed', 'the exposed container has no address', { kind: 'transient' });
  }
  await deps.gateway.setRoutes(run.preview.id, routes);
  const hosts = new Set(routes.map((one) => one.host));
  return reachedAt(
    deps,
    containers.filter(({ exposed }) => exposed && hosts.has(exposed.host)),
  );
}

/** URLs and the services behind them; a preview's own host, which is the shortest, comes first. */
export interface Reached {
  readonly urls: readonly string[];
  readonly services: readonly string[];
}

export function reachedAt(deps: Pick<ConvergeDeps, 'urlOf'>, containers: readonly ObservedContainer[]): Reached {
  const shown = containers.flatMap(({ service, exposed }) => (exposed ? [{ service, host: exposed.host }] : []));
  shown.sort((a, b) => a.host.length - b.host.length || (a.host < b.host ? -1 : 1));
  return { urls: shown.map(({ host }) => deps.urlOf(host)), services: shown.map(({ service }) => service) };
}
