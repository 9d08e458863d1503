/** What the engine says of health checks. */
import type Docker from 'dockerode';
import type { ObservedContainer } from '../domain/observed.ts';

type Health = ObservedContainer['health'];

/** The engine's usual number of failed checks in a row. */
const RETRIES = 3;

/** As it was before, where checks were ended by a pause: the engine calls that unhealthy until the next one, and counts no failure. */
export function healthOf({ State: { Health: health }, Config: config }: Docker.ContainerInspectInfo): Health {
  const status = health?.Status;
  const fails = (config.Healthcheck?.Retries || RETRIES) <= (health?.FailingStreak ?? 0);
  if (status === 'unhealthy') return fails ? 'unhealthy' : 'healthy';
  return status === 'healthy' || status === 'starting' ? status : 'none';
}

/** Of a list of containers, which has it in its text for people alone. */
export function healthIn(status: string): Health {
  if (status.endsWith('(healthy)')) return 'healthy';
  if (status.endsWith('(unhealthy)')) return 'unhealthy';
  return status.endsWith('(health: starting)') ? 'starting' : 'none';
}
