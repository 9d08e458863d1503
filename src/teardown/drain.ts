/** What no route leads to any more keeps serving what is open to it, for a while. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ObservedContainer } from '../domain/observed.ts';
import type { Engine, Gateway } from '../domain/ports.ts';

/** Which containers drain. It is kept in this process alone: after a restart they are told to stop at once. */
export interface Drains {
  /** Until it was told to stop. */
  isDraining(container: string): boolean;
  /** Whether it still has time, which begins with the first question. */
  hasTime(container: string): boolean;
  end(container: string): void;
}

/** @param limitMs how long a container may drain, in milliseconds */
export function drains(limitMs: number): Drains {
  const since = new Map<string, number>();
  return {
    isDraining: (container) => since.has(container),
    hasTime(container) {
      const began = since.get(container) ?? performance.now();
      since.set(container, began);
      return performance.now() - began < limitMs;
    },
    end: (container) => void since.delete(container),
  };
}

const LOOK_EVERY_MS = 50;

/**
 * Waits until the gateway has no request open to a container that is no longer routed, or its time is over.
 * @param hurry aborted where something else is to be done: the container then goes on draining
 * @returns whether it may be stopped
 */
export async function drained(
  deps: { readonly gateway: Pick<Gateway, 'inFlight'>; readonly drains: Drains },
  container: ObservedContainer,
  hurry: AbortSignal,
): Promise<boolean> {
  const upstreams = [...container.networks.values()]
    .filter((ip) => ip !== '')
    .map((ip) => `${ip}:${container.exposed?.port ?? 0}`);
  while (deps.drains.hasTime(container.id)) {
    const open = await Promise.all(upstreams.map((one) => deps.gateway.inFlight(one)));
    if (open.every((count) => count === 0)) return true;
    if (hurry.aborted) return false;
    await delay(LOOK_EVERY_MS);
  }
  return true;
}

/** Tells those to stop whose time is over: what is open to them hears a last word. @returns those that still drain */
export async function stopDrained(
  deps: { readonly engine: Pick<Engine, 'stop'>; readonly drains: Drains },
  containers: readonly ObservedContainer[],
  grace: number,
): Promise<readonly ObservedContainer[]> {
  const draining = containers.filter((one) => deps.drains.isDraining(one.id));
  const over = draining.filter((one) => !deps.drains.hasTime(one.id));
  await Promise.all(
    over.map(async (one) => {
      await deps.engine.stop(one.id, grace);
      deps.drains.end(one.id);
    }),
  );
  return draining.filter((one) => !over.includes(one));
}
