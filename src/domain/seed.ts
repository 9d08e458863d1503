/** Seeds: commands that fill a preview's new data once, and how it is known that they did. Pure. */
import type { BuildId } from './names.ts';
import type { ObservedContainer, ObservedStack, ObservedVolume } from './observed.ts';
import { type Seed, type StackService, withDependencies } from './stack.ts';
import { ownsVolume } from './start-plan.ts';

/** A seed and the volumes that it fills; with none its data is as new as the container that it runs in. */
export interface SeedPlan extends Seed {
  /** Keys of the volumes that its service, and all that this depends on, write to. */
  readonly volumes: readonly string[];
  readonly due: boolean;
  /** Why it runs, or does not. */
  readonly cause: string;
}

/**
 * Which seeds a build is to run.
 * @param services those of the new stack, with the volumes of their images
 * @param has whether the preview has a volume of this key already
 * @param keeps whether the container of a service goes on as it is
 */
export function planSeeds(input: {
  readonly seeds: readonly Seed[];
  readonly services: readonly StackService[];
  has(volume: string): boolean;
  keeps(service: string): boolean;
}): readonly SeedPlan[] {
  const { seeds, services, has, keeps } = input;
  return seeds.map((seed) => {
    const volumes = volumesOf(withDependencies([seed.service], services));
    if (volumes.length === 0) {
      return keeps(seed.service)
        ? { ...seed, volumes, due: false, cause: 'its container goes on, and has its data' }
        : { ...seed, volumes, due: true, cause: 'it has no volume, and its container is new' };
    }
    const old = volumes.filter(has);
    return old.length === 0
      ? { ...seed, volumes, due: true, cause: `new: ${volumes.join(', ')}` }
      : { ...seed, volumes, due: false, cause: `there before: ${old.join(', ')}` };
  });
}

function volumesOf(services: readonly StackService[]): readonly string[] {
  const owners = services.filter(ownsVolume);
  const mounts = owners.flatMap((one) => one.mounts);
  return [...new Set(mounts.flatMap((one) => (one.kind === 'volume' && !one.readOnly ? [one.volume] : [])))];
}

/** Builds that were to seed something and did not come to its end: none of what they filled may be served. */
export function unseededBuilds(stack: {
  readonly containers: readonly Pick<ObservedContainer, 'build' | 'isSeeded'>[];
  readonly volumes: readonly ObservedVolume[];
}): ReadonlySet<BuildId> {
  const seeded = new Set(stack.volumes.flatMap((one) => (one.mark ? (one.seededBy ?? []) : [])));
  const began = [
    ...stack.volumes.flatMap((one) => one.seededBy ?? []),
    ...stack.containers.flatMap((one) => (one.isSeeded ? [one.build] : [])),
  ];
  return new Set(began.filter((one) => !seeded.has(one)));
}

/** Volumes whose seeds began and did not end; never one of what is live. */
export function halfSeeded(stack: ObservedStack, live: readonly ObservedContainer[]): readonly string[] {
  const unseeded = unseededBuilds(stack);
  return stack.volumes.flatMap(({ name, seededBy }) =>
    seededBy !== undefined && unseeded.has(seededBy) && !live.some((one) => one.build === seededBy) ? [name] : [],
  );
}

/** Marks of builds of which nothing is left. */
export function idleMarks(stack: ObservedStack): readonly string[] {
  const used = new Set([
    ...stack.volumes.flatMap((one) => (one.mark ? [] : (one.seededBy ?? []))),
    ...stack.containers.map((one) => one.build),
  ]);
  return stack.volumes.flatMap((one) =>
    one.mark && one.seededBy !== undefined && !used.has(one.seededBy) ? [one.name] : [],
  );
}
