/** One build from checkout to route, undone where it does not get there. */

import type { Commit } from '../domain/names.ts';
import type { ConvergeContext, Outcome } from '../domain/outcome.ts';
import type { Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { retire } from '../teardown/retire.ts';
import { undoBuild } from '../teardown/undo.ts';
import { buildImages, type Images } from './build.ts';
import { type BuildRun, beginRun } from './build-run.ts';
import { checkout } from './checkout.ts';
import type { ConvergeDeps } from './deps.ts';
import { namingDisk } from './disk-full.ts';
import { hurried } from './hurried.ts';
import { scanImages } from './images.ts';
import { appInstances } from './instances.ts';
import { makeNetworks, type Networks } from './networks.ts';
import { observeDesired, type World } from './observe.ts';
import { type Planned, planStack } from './plan.ts';
import { pushImages } from './push.ts';
import { clearOut } from './reset.ts';
import { type Reached, routeTo } from './route.ts';
import { fetchSecrets, sweepSecrets } from './secrets.ts';
import { runSeeds } from './seed.ts';
import { type Started, startStack } from './start.ts';
import { runTest } from './test.ts';

export interface AttemptInput {
  readonly preview: PreviewKey;
  readonly repository: Repository;
  readonly world: World;
  readonly commit: Commit;
  /** Where the branch is: further than `commit` where that is built since this one is bad. */
  readonly head: Commit;
  readonly anew: boolean;
  /** Its data goes once the new images are there. */
  readonly reset: boolean;
  readonly cause: string;
  readonly context: ConvergeContext;
}

export async function attempt(deps: ConvergeDeps, input: AttemptInput): Promise<Outcome> {
  const overtaken = new AbortController();
  const run = beginRun({
    store: deps.store,
    clock: deps.clock,
    builds: deps.builds,
    preview: input.preview,
    repository: input.repository,
    build: deps.newBuild(),
    commit: input.commit,
    anew: input.anew,
    signal: AbortSignal.any([input.context.signal, overtaken.signal]),
  });
  // Meant for a build before this one.
  await deps.store.takeCancel(input.preview.id);
  const stopWatching = watchForNewer(deps, input, overtaken);
  const { cause } = input;
  await run.emit({
    ...{ type: 'build.started', commit: input.commit, cause },
    ...(input.reset ? { resets: true } : {}),
  });
  let hurry = input.context.signal;
  const commitToRoute = (): void => {
    stopWatching();
    hurry = hurried(input.context);
  };
  const on: Ground = { world: input.world, reset: input.reset, commitToRoute };
  let served: Served;
  try {
    served = await stages(deps, run, on);
  } catch (error) {
    return await takeBack(deps, run, on.world, error);
  } finally {
    stopWatching();
  }
  const ms = deps.clock.now() - run.startedAt;
  await run.emit({ type: 'build.live', commit: run.commit, ...served.reached, ...loginOf(served.plan), ms });
  // From here on nothing is taken back: what fails below is done by the next look.
  const now = { build: run.build, containers: served.started.containers, images: namesOf(served.images) };
  await retire(deps, input.preview, input.repository, now, hurry);
  await sweepSecrets(deps, input.preview);
  return { kind: 'done' };
}

function namesOf(images: Images): ReadonlySet<string> {
  return new Set([...images.values()].flatMap((one) => (one.names ? [one.names.reference, one.names.bySource] : [])));
}

interface Served {
  readonly plan: Planned;
  readonly started: Started;
  readonly images: Images;
  readonly reached: Reached;
}

function loginOf({ stack: { login } }: Planned): { readonly login?: readonly string[] } {
  return login ? { login } : {};
}

/** What a build stands on. */
interface Ground {
  /** As it was found; a reset clears it out. */
  world: World;
  readonly reset: boolean;
  /** Called once nothing ends the build any more. */
  commitToRoute(): void;
}

async function stages(deps: ConvergeDeps, run: BuildRun, on: Ground): Promise<Served> {
  await run.stage('checkout', () => checkout(deps, run));
  const plan = await run.stage('plan', async () => {
    const planned = await planStack(deps, run);
    run.know(await fetchSecrets(deps, run, planned.stack));
    return planned;
  });
  const networks = makeNetworks(deps, run, plan.stack, 'app');
  // It is awaited by the stage that needs it; until then a failure is not unhandled.
  networks.catch(() => undefined);
  try {
    return await afterPlan(deps, run, on, { plan, networks });
  } finally {
    // Whatever happened, none is made after the build was undone.
    await Promise.allSettled([networks]);
  }
}

async function afterPlan(
  deps: ConvergeDeps,
  run: BuildRun,
  on: Ground,
  { plan, networks }: { readonly plan: Planned; readonly networks: Promise<Networks> },
): Promise<Served> {
  const { stack } = plan;
  const images = await run.stage(
    'build',
    () => buildAndScan(deps, run, plan),
    (all) => `${[...all.values()].filter((one) => one.built).length} of ${all.size} built`,
  );
  const { test } = stack;
  if (test) {
    await run.stage(
      'test',
      () => runTest(deps, run, { stack, test, images }),
      (said) => said,
    );
  }

  const failed = new AbortController();
  const signal = AbortSignal.any([run.signal, failed.signal]);
  let onMade = (): void => {};
  const made = new Promise<void>((resolve) => {
    onMade = resolve;
  });
  const starting = run.stage('start', async () => {
    const ready = { instances: await appInstances(deps, run, stack, images), networks: await networks };
    if (on.reset) on.world = await clearOut(deps, run, on.world);
    return startStack(
      deps,
      { ...run, signal },
      {
        ...ready,
        live: on.world.live,
        seeds: stack.seeds ?? [],
        stack: on.world.stack,
        onMade,
      },
    );
  });
  // Beside the engine's own part of the start, where this process and its children have little to do.
  const pushing = Promise.race([made, starting]).then(() =>
    run.stage(
      'push',
      () => pushImages(deps, run, images, signal),
      (count) => (count === 1 ? '1 image' : `${count} images`),
    ),
  );
  // Whichever fails first ends the other, and is the reason.
  for (const one of [pushing, starting]) one.catch((error: unknown) => failed.abort(error));
  const [, start] = await Promise.allSettled([pushing, starting]);
  if (start.status === 'rejected' || failed.signal.aborted) throw failed.signal.reason;
  const started = await seeded(deps, run, start.value);

  run.signal.throwIfAborted();
  on.commitToRoute();
  // Before anybody sees the data: killed in between they are kept, which is the lesser fault.
  if (started.mark !== undefined) await deps.engine.removeVolume(started.mark);
  const reached = await run.stage('route', () => routeTo(deps, run, started.containers));
  return { plan, started, images, reached };
}

async function seeded(deps: ConvergeDeps, run: BuildRun, started: Started): Promise<Started> {
  const { seeds } = started;
  if (seeds.length === 0) return started;
  const containers = await run.stage(
    'seed',
    () => runSeeds(deps, run, seeds, started.containers),
    () => `${seeds.length} run`,
  );
  return { ...started, containers };
}

async function buildAndScan(deps: ConvergeDeps, run: BuildRun, plan: Planned): Promise<Images> {
  const images = await buildImages(deps, run, plan);
  await scanImages(deps, run, images);
  return images;
}

/** Looks at the remote again whenever the preview is hinted; aborts the build where another commit, or none, is wanted. */
function watchForNewer(deps: ConvergeDeps, input: AttemptInput, overtaken: AbortController): () => void {
  let looking = false;
  let again = false;
  let over = false;
  const look = async (): Promise<void> => {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    try {
      do {
        again = false;
        if (await deps.store.takeCancel(input.preview.id)) {
          overtaken.abort(new TreehouseError('cancelled', 'somebody cancelled it; a redeploy begins it again'));
          return;
        }
        const desired = await observeDesired(deps, input.preview, input.repository, input.context.signal);
        if (over) return;
        if (desired.kind === 'absent') overtaken.abort(new TreehouseError('superseded', desired.cause));
        // What is to stay as it is may be what is built: somebody asked for it, or it is to serve again.
        else if (desired.kind === 'present' && desired.commit !== input.head) {
          overtaken.abort(new TreehouseError('superseded', `the branch moved on to ${desired.commit.slice(0, 12)}`));
        }
      } while (again && !overtaken.signal.aborted);
    } catch (error) {
      deps.log.debug(
        { preview: input.preview.id, reason: messageOf(error) },
        'the remote could not be looked at again',
      );
    } finally {
      looking = false;
    }
  };
  const unsubscribe = input.context.onNudge(() => void look());
  return () => {
    over = true;
    unsubscribe();
  };
}

/** Undoes the build, says how it ended, and says what that means for the queue. */
async function takeBack(deps: ConvergeDeps, run: BuildRun, world: World, thrown: unknown): Promise<Outcome> {
  // Before what the build made goes: then there is room again.
  const error = run.signal.aborted ? run.signal.reason : await namingDisk(deps, thrown);
  const code = error instanceof TreehouseError ? error.code : undefined;
  const message = run.secrets().redact(messageOf(error));
  const ms = () => deps.clock.now() - run.startedAt;
  const isOvertaken = code === 'superseded' || code === 'stopped';
  let kind = error instanceof TreehouseError ? error.kind : 'transient';
  try {
    await undoBuild(deps, {
      preview: run.preview,
      repository: run.repository,
      build: run.build,
      commit: run.commit,
      before: world.stack,
      live: world.live?.containers.map((one) => one.id) ?? [],
      isForGood: !isOvertaken && kind === 'terminal',
    });
    await sweepSecrets(deps, run.preview);
  } catch (fault) {
    // What an engine that ends does to containers and builds looks as if the commit were at fault.
    if (fault instanceof TreehouseError && fault.code === 'engine-away') kind = 'transient';
    // The next converge finds the remains by their labels and takes them away.
    deps.log.warn(
      { preview: run.preview.id, build: run.build, reason: messageOf(fault) },
      'a build could not be undone yet',
    );
  }
  if (isOvertaken) {
    const again = code === 'stopped' ? ({ again: true } as const) : {};
    await run.emit({ type: 'build.superseded', message, ms: ms(), ...again });
    return { kind: 'again', cause: message, afterMs: 0 };
  }
  if (!(error instanceof TreehouseError))
    deps.log.error({ err: error, preview: run.preview.id }, 'a build failed unexpectedly');
  // What would fail again is not tried again; a reset that did not come to its data left it as it was.
  if (kind === 'terminal') await deps.store.forgetReset(run.preview.id);
  await run.emit({
    type: 'build.failed',
    stage: run.failedStage(),
    code: code ?? 'process-failed',
    kind,
    message,
    ms: ms(),
  });
  if (kind === 'transient') return { kind: 'again', cause: message };
  return { kind: 'terminal', cause: message, ...(code === 'cancelled' ? { isCancelled: true } : {}) };
}
