/** Which containers a build starts, replaces and leaves alone: pure, and printable with causes. */
import type { ObservedContainer } from './observed.ts';
import type { StackService } from './stack.ts';

export interface WantedService {
  readonly service: StackService;
  /** See `configHash`. */
  readonly config: string;
}

export type StartStep =
  | { readonly op: 'keep'; readonly service: string; readonly container: ObservedContainer; readonly cause: string }
  /** A new container beside the old one; the old goes when the new one is routed. */
  | { readonly op: 'start'; readonly service: string; readonly cause: string }
  /** The old containers are stopped first, since two may not write to one volume; they start again if the new one fails. */
  | {
      readonly op: 'replace';
      readonly service: string;
      readonly old: readonly ObservedContainer[];
      readonly cause: string;
    };

export interface StartPlan {
  readonly steps: readonly StartStep[];
  /** Containers of what is live that the new stack does not use: stopped and removed after the switch. */
  readonly retire: readonly ObservedContainer[];
}

/**
 * @param wanted the new stack's services
 * @param live the containers that now make up the preview
 * @param exposed services that the gateway routes to: these are never stopped before their successor answers
 * @param anew start every service that owns no volume anew, changed or not
 * @param seeding services in which a seed is to run: a command in a container that serves could not be taken back
 */
export function planStart(input: {
  readonly wanted: readonly WantedService[];
  readonly live: readonly ObservedContainer[];
  readonly exposed: ReadonlySet<string>;
  readonly anew: boolean;
  readonly seeding?: ReadonlySet<string>;
}): StartPlan {
  const { wanted, live, exposed, anew, seeding } = input;
  const oneShots = oneShotServices(wanted.map((one) => one.service));
  const kept = new Set<string>();
  const steps = wanted.map(({ service, config }): StartStep => {
    const { name } = service;
    const old = live.filter((one) => one.service === name);
    const same = old.find((one) => one.config === config);
    const owner = ownsVolume(service);
    const seeds = seeding?.has(name) === true;
    if (same && isUsable(same, oneShots.has(name)) && !(anew && !owner) && !seeds) {
      kept.add(same.id);
      return { op: 'keep', service: name, container: same, cause: 'its image and configuration did not change' };
    }
    const cause = seeds && same ? 'its data is to be seeded' : causeOfStart(old, same, anew);
    if (owner && !exposed.has(name) && old.length > 0) {
      return { op: 'replace', service: name, old, cause: `${cause}; it owns a volume, so the old one stops first` };
    }
    return { op: 'start', service: name, cause };
  });
  return { steps, retire: live.filter((one) => !kept.has(one.id)) };
}

function causeOfStart(old: readonly ObservedContainer[], same: ObservedContainer | undefined, anew: boolean): string {
  if (old.length === 0) return 'it does not run yet';
  if (!same) return 'its image or configuration changed';
  return anew ? 'a redeploy was asked for' : 'the one that runs is not healthy';
}

/** Services that others wait for to end. */
export function oneShotServices(services: readonly StackService[]): ReadonlySet<string> {
  return new Set(
    services.flatMap((one) =>
      one.dependsOn
        .filter((other) => other.condition === 'service_completed_successfully')
        .map((other) => other.service),
    ),
  );
}

/** Whether a container does what its service is for. */
export function isUsable(container: ObservedContainer, oneShot: boolean): boolean {
  if (oneShot && !container.running) return container.exitCode === 0;
  return container.running && !container.restarting && container.health !== 'unhealthy';
}

export function ownsVolume(service: StackService): boolean {
  return service.mounts.some((one) => one.kind === 'volume' && !one.readOnly);
}

/** One line a step, as the log shows it. */
export function startPlanText(plan: StartPlan): string {
  const lines = plan.steps.map((step) => `${step.op} ${step.service}: ${step.cause}`);
  const names = [...new Set(plan.retire.map((one) => one.service))];
  if (names.length > 0) lines.push(`retire ${names.join(', ')}: after the switch`);
  return lines.join('\n');
}
