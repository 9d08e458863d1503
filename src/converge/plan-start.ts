/** What a build starts, and which seeds it runs then, on volumes that are whole. */
import { type ServiceInstance, volumeName } from '../domain/compose-file.ts';
import type { LiveBuild } from '../domain/live.ts';
import type { ObservedStack } from '../domain/observed.ts';
import { halfSeeded, planSeeds, type SeedPlan } from '../domain/seed.ts';
import type { Seed } from '../domain/stack.ts';
import { planStart, type StartPlan } from '../domain/start-plan.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';

export interface StartInput {
  readonly instances: readonly ServiceInstance[];
  readonly live: LiveBuild | undefined;
  readonly seeds: readonly Seed[];
}

/** Whose seeds began and did not end is made anew. @returns the volumes that stay */
export async function wholeVolumes(
  deps: Pick<ConvergeDeps, 'engine'>,
  stack: ObservedStack,
  live: LiveBuild | undefined,
): Promise<ObservedStack['volumes']> {
  const half = halfSeeded(stack, live?.containers ?? []);
  await Promise.all(half.map((one) => deps.engine.removeVolume(one)));
  return stack.volumes.filter((one) => !half.includes(one.name));
}

/** @param volumes those of the preview that it goes on with */
export function planAll(
  deps: Pick<ConvergeDeps, 'instance'>,
  run: BuildRun,
  input: StartInput,
  volumes: ObservedStack['volumes'],
): { readonly plan: StartPlan; readonly seeds: readonly SeedPlan[] } {
  const { instances, live } = input;
  const asked = {
    wanted: instances,
    live: live?.containers ?? [],
    exposed: new Set(instances.filter((one) => one.virtual).map((one) => one.service.name)),
    anew: run.anew,
  };
  const unseeded = planStart(asked);
  const seeds = planSeeds({
    seeds: input.seeds,
    services: instances.map((one) => one.service),
    has: (key) => volumes.some((one) => one.name === volumeName(run.preview, deps.instance, key, volumes)),
    keeps: (service) => unseeded.steps.some((step) => step.op === 'keep' && step.service === service),
  });
  const seeding = new Set(seeds.flatMap((one) => (one.due ? [one.service] : [])));
  return { plan: planStart({ ...asked, seeding }), seeds };
}
