/** Stage 6: the new containers beside the old, in networks of their own, until all are healthy. */
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  composeFile,
  labelsFor,
  plannedFacts,
  projectName,
  type ServiceInstance,
  serviceKey,
  unservedMarkName,
  volumeName,
} from '../domain/compose-file.ts';
import { differences } from '../domain/isolation.ts';
import { type ObservedContainer, type ObservedStack, unservedMark } from '../domain/observed.ts';
import { layerOf } from '../domain/secrets.ts';
import type { SeedPlan } from '../domain/seed.ts';
import type { Seed } from '../domain/stack.ts';
import { type StartPlan, startPlanText } from '../domain/start-plan.ts';
import { TreehouseError } from '../errors.ts';
import { STOP_GRACE } from '../teardown/retire.ts';
import { bringUp, type StartItem } from './bring-up.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';
import { planAll, type StartInput, wholeVolumes } from './plan-start.ts';

export interface Started {
  readonly plan: StartPlan;
  /** Every container of the new stack, kept ones included. */
  readonly containers: readonly ObservedContainer[];
  /** To be run in these before they serve. */
  readonly seeds: readonly Seed[];
  /** The volume that says that nothing served on these data; it goes before they do. */
  readonly mark?: string;
}

export async function startStack(
  deps: ConvergeDeps,
  run: BuildRun,
  input: StartInput & {
    readonly networks: ReadonlyMap<string, string>;
    /** What there is of the preview. */
    readonly stack: ObservedStack;
    /** Called once the containers are made; what is left to do is the engine's. */
    readonly onMade: () => void;
  },
): Promise<Started> {
  const { instances, networks, live, onMade } = input;
  const say = run.lines('start', 'treehouse');
  const volumes = await wholeVolumes(deps, input.stack, live);
  const { plan, seeds } = planAll(deps, run, input, volumes);
  for (const line of startPlanText(plan).split('\n')) say(line);
  for (const { service, due, cause } of seeds) say(`${due ? 'seed' : 'no seed'} ${service}: ${cause}`);
  const due = seeds.filter((one) => one.due);

  const kept = plan.steps.flatMap((step) => (step.op === 'keep' ? [step] : []));
  const joining = Promise.all(
    kept.map(async (step) => {
      const service = instances.find((one) => one.service.name === step.service)?.service;
      for (const [key, aliases] of Object.entries(service?.networks ?? {})) {
        const network = networks.get(key);
        if (network) await deps.engine.connect(network, step.container.id, [step.service, ...aliases]);
      }
    }),
  );
  const mark =
    unservedMark(volumes) ?? (live || volumes.length > 0 ? undefined : await markUnserved(deps, run, instances));
  const fresh = instances.filter((one) =>
    plan.steps.some((step) => step.op !== 'keep' && step.service === one.service.name),
  );
  const [made, joined] = await Promise.allSettled([
    createContainers(deps, run, { instances: fresh, networks, role: 'app', volumes, seeds: due }),
    joining,
  ]);
  if (made.status === 'rejected') throw made.reason;
  if (joined.status === 'rejected') throw joined.reason;
  onMade();
  const items = fresh.map((one): StartItem => {
    const step = plan.steps.find((other) => other.service === one.service.name);
    return {
      service: one.service,
      container: made.value.get(one.service.name) ?? missing(one.service.name),
      ...(step?.op === 'replace' ? { before: () => stopAll(deps, step.old) } : {}),
    };
  });
  const started = await bringUp({
    engine: deps.engine,
    probe: deps.probe,
    preview: run.preview,
    items,
    limit: deps.startLimit,
    onLine: run.lines('start', 'treehouse'),
    signal: run.signal,
  });
  const stayed = await Promise.all(kept.map((step) => deps.engine.container(step.container.id)));
  const containers = [...started, ...stayed.filter((one) => one !== undefined)];
  return { plan, containers, seeds: due, ...(mark === undefined ? {} : { mark }) };
}

/** In the engine, beside what it tells of: a Treehouse that forgot everything still knows. @returns its name, where there will be data */
async function markUnserved(
  { engine, instance }: Pick<ConvergeDeps, 'engine' | 'instance'>,
  { preview }: BuildRun,
  instances: readonly ServiceInstance[],
): Promise<string | undefined> {
  const mounts = instances.flatMap((one) => one.service.mounts);
  if (!mounts.some((one) => one.kind === 'volume')) return undefined;
  const name = unservedMarkName(preview, instance);
  await engine.createVolume(name, labelsFor(instance, preview, 'unserved'));
  return name;
}

export interface NewContainers {
  readonly instances: readonly ServiceInstance[];
  readonly networks: ReadonlyMap<string, string>;
  readonly role: 'app' | 'test';
  /** The preview's volumes. */
  readonly volumes: ObservedStack['volumes'];
  /** Seeds that are to run in them. */
  readonly seeds: readonly SeedPlan[];
}

/** Service → its new container, created and not started. */
export async function createContainers(
  deps: Pick<ConvergeDeps, 'engine' | 'instance' | 'maker' | 'seccomp'>,
  run: BuildRun,
  { instances, networks, role, volumes, seeds }: NewContainers,
): Promise<ReadonlyMap<string, ObservedContainer>> {
  if (instances.length === 0) return new Map();
  const project = projectName(run.preview, role);
  await writeFiles(run.checkout, instances);
  const asking = instances.map((one) => one.service).filter((one) => one.secrets);
  const file = {
    instance: deps.instance,
    preview: run.preview,
    build: run.build,
    commit: run.commit,
    role,
    services: instances,
    checkout: run.checkout,
    networks,
    volumeName: (key: string) =>
      role === 'app' ? volumeName(run.preview, deps.instance, key, volumes) : `${project}_${run.build}_${key}`,
    ...(seeds.length > 0 ? { seeding: new Set(seeds.flatMap((one) => one.volumes)) } : {}),
    seccomp: deps.seccomp,
    ...(asking.length === 0 ? {} : { secrets: await run.secrets().lay(layerOf(run.build, role), asking) }),
  };
  run.signal.throwIfAborted();
  const ids = await deps.maker.create({ project, model: composeFile(file) });
  const looked = await Promise.all(
    instances.map(async (one) => {
      const { name } = one.service;
      const id = ids.get(serviceKey(name, run.build)) ?? missing(name);
      const [container, facts] = await Promise.all([deps.engine.container(id), deps.engine.facts(id)]);
      refuseDifferent(name, differences(facts, plannedFacts(one, file)));
      return [name, container ?? missing(name)] as const;
    }),
  );
  return new Map(looked);
}

/** Before anything of the branch runs, the engine's own word is compared with the plan. */
function refuseDifferent(service: string, found: readonly string[]): void {
  if (found.length === 0) return;
  throw new TreehouseError(
    'refused-by-policy',
    `the container of ${service} is not what was planned, so it was not started: ${found.join('; ')}`,
  );
}

/** What the compose file says inline becomes a file; never through a link that the repository put in its place. */
async function writeFiles(checkout: string, instances: readonly ServiceInstance[]): Promise<void> {
  const inline = new Map<string, string>();
  for (const { service } of instances) {
    for (const one of service.files) if (one.content !== undefined) inline.set(one.path, one.content);
  }
  for (const [name, content] of inline) {
    const file = path.join(checkout, name);
    await rm(file, { recursive: true, force: true });
    await writeFile(file, content, { flag: 'wx', mode: 0o444 });
  }
}

async function stopAll(deps: Pick<ConvergeDeps, 'engine'>, containers: readonly ObservedContainer[]): Promise<void> {
  await Promise.all(containers.map((one) => deps.engine.stop(one.id, STOP_GRACE)));
}

export function missing(service: string): never {
  throw new TreehouseError('start-failed', `no container was made for ${service}`, { kind: 'transient' });
}
