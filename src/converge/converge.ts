/** The one operation: observe, decide, take the steps, until what runs is what should. */
import { BRANCH_DELETED, settled } from '../domain/desired.ts';
import { settingsFor } from '../domain/forks.ts';
import { isServing } from '../domain/live.ts';
import { type Commit, forkNumber, type PreviewId, shortCommit } from '../domain/names.ts';
import { type ObservedStack, unservedMark } from '../domain/observed.ts';
import type { ConvergeContext, Outcome } from '../domain/outcome.ts';
import type { Repository } from '../domain/ports.ts';
import { hasFailed, type PreviewKey, type PreviewRecord } from '../domain/preview.ts';
import { TreehouseError } from '../errors.ts';
import { removeCheckouts } from '../teardown/checkouts.ts';
import { stopDrained } from '../teardown/drain.ts';
import { removeOrphans } from '../teardown/remove.ts';
import { removeIdleImages, retire, STOP_GRACE } from '../teardown/retire.ts';
import { attempt } from './attempt.ts';
import type { ConvergeDeps } from './deps.ts';
import { namingDisk } from './disk-full.ts';
import { hurried } from './hurried.ts';
import { observeWorld, type World } from './observe.ts';
import { repair, withoutTrust } from './repair.ts';
import { putToSleep, wakeIfRoom, wakeUp } from './rest.ts';
import { sayOfLive } from './say.ts';
import { sweepSecrets } from './secrets.ts';
import { takeDown } from './take-down.ts';

/** Errors that are not the build's own are the caller's: the queue turns them into "again" or "terminal". */
export async function converge(deps: ConvergeDeps, id: PreviewId, context: ConvergeContext): Promise<Outcome> {
  const record = await deps.store.record(id);
  const preview = record ?? (await deps.engine.previews()).find((one) => one.id === id);
  if (!preview) return { kind: 'done' };
  const configured = deps.repositories().find((one) => one.name === preview.repository);
  const repository = configured && settingsFor(configured, preview.branch);
  if (record?.state === 'removing') {
    // Its branch may be back by now: what is left of its first life is not to be met in the second.
    await remove(deps, preview, record, repository, record.reason);
    return { kind: 'again', cause: 'its removal had been broken off', afterMs: 0 };
  }
  const rest = await deps.store.rest(id);
  const woken =
    rest.wanted || !rest.slept ? undefined : await wakeIfRoom(deps, preview, record, rest.slept, context.signal);
  // What did not wake may run all the same, and answer nobody.
  const isDoubted = woken === 'failed' || (woken === undefined && record?.unwoken !== undefined);
  const look = () =>
    observeWorld(deps, preview, repository, context.signal).catch(async (thrown: unknown) => {
      const error = await namingDisk(deps, thrown);
      await sayRefused(deps, record, error);
      throw error;
    });
  let world = await look();

  const anew = world.desired.kind !== 'absent' && (await deps.store.takeRedeploy(id));
  const desired = settled(world.desired, { serving: world.live?.commit, isAsked: anew });
  if (desired.kind === 'absent' || !repository) {
    const cause = desired.kind === 'absent' ? desired.cause : 'the repository is not configured';
    return remove(deps, preview, record, repository, cause);
  }
  const { commit, because } = desired;
  const reset = await deps.store.resetWanted(id);
  const isAsked = anew || reset;
  const isCurrent = world.live?.commit === commit;
  // Its hint comes when there is room to wake it.
  if (woken === 'waits' && !isAsked && world.live && (isCurrent || hasFailed(record, commit))) return { kind: 'done' };
  if (!isAsked && world.live && rest.wanted && (isCurrent || hasFailed(record, commit))) {
    const mode = rest.deep ? 'stop' : (repository.sleepMode ?? 'stop');
    await putToSleep(deps, { preview, record, live: world.live, mode });
    return { kind: 'done' };
  }
  if (!isAsked && isCurrent) {
    const serves = !isDoubted && isServing(world, preview);
    if (serves || (await repair(deps, preview, world, context.signal))) {
      return settle(deps, { preview, record, repository, world, because, hurry: hurried(context) });
    }
    world = withoutTrust(world);
  }
  // Also of a commit that is not tried again: its dead build left them all the same.
  const draining = await stopDrained(deps, world.stack.containers, STOP_GRACE);
  const kept = [...(world.live?.containers ?? []), ...draining];
  await removeOrphans(deps.engine, preview, world.stack, kept);
  // A build takes back the data that was not there before it.
  if (unservedMark(world.stack.volumes) !== undefined) world = await look();
  const builds = [...kept.map((one) => one.build), ...(world.live ? [world.live.build] : [])];
  await removeCheckouts(deps, preview, repository, builds);
  const isBad = !isAsked && hasFailed(record, commit);
  // What serves in its place may have been ended by others.
  const isBroken = isBad && world.live !== undefined && !isServing(world, preview);
  if (isBad && !(isBroken && !(await repair(deps, preview, world, context.signal)))) {
    await removeIdleImages(deps, world.stack, kept);
    return { kind: 'terminal', cause: record?.attempt?.message ?? 'this commit failed before' };
  }
  const wanted = (isBroken && world.live?.commit) || commit;
  if (isBroken) world = withoutTrust(world);
  const turn = await deps.admission.enter({ preview, purpose: 'build', commit: wanted });
  if (turn.kind === 'wait') {
    if (anew) await deps.store.requestRedeploy(id);
    return { kind: 'done' };
  }
  if (rest.wanted || woken === 'waits') {
    await deps.store.wantRest(id, false);
    // What is new may fail: until it serves, what served before does.
    await wakeUp(deps, preview, record, rest.slept ?? [], context.signal);
    world = await look();
  }
  const why = reset ? 'a reset was asked for: new volumes, seeded again' : causeOf(world, wanted, anew);
  const cause = because === undefined ? why : `${why}; ${because}`;
  const input = { preview, repository, world, commit: wanted, head: commit, anew, reset, cause, context };
  const outcome = await attempt(deps, input);
  if (!isBroken) return outcome;
  // It cannot be had again: what is left of it would be tried again and again.
  if (outcome.kind === 'terminal' && !outcome.isCancelled) await takeAway(deps, preview, (await look()).stack);
  return outcome.kind === 'done'
    ? { kind: 'again', cause: `${shortCommit(commit)} is still bad`, afterMs: 0 }
    : outcome;
}

async function takeAway(deps: ConvergeDeps, preview: PreviewKey, stack: ObservedStack): Promise<void> {
  await deps.gateway.setRoutes(preview.id, []);
  await removeOrphans(deps.engine, preview, stack, []);
  await removeIdleImages(deps, stack, []);
}

function causeOf(world: World, commit: Commit, anew: boolean): string {
  if (anew) return 'a redeploy was asked for';
  if (!world.live) return `the branch is at ${shortCommit(commit)} and nothing serves it yet`;
  if (world.live.commit === commit) {
    return 'what served this commit does not serve it any more, and could not be mended';
  }
  return `the branch moved from ${shortCommit(world.live.commit)} to ${shortCommit(commit)}`;
}

async function remove(
  deps: ConvergeDeps,
  preview: PreviewKey,
  record: PreviewRecord | undefined,
  repository: Repository | undefined,
  cause: string,
): Promise<Outcome> {
  if (record && record.state !== 'removed' && record.state !== 'removing') {
    await deps.store.append({ type: 'preview.removing', at: deps.clock.now(), preview: preview.id, cause });
  }
  await takeDown(deps, preview, repository, { cause, known: record?.state !== 'removed' });
  // Why there is none may be another reason by now; that it was merged outweighs that its branch then went.
  if (record?.state === 'removed' && record.reason !== cause && cause !== BRANCH_DELETED) {
    const said = { state: 'removed', cause, urls: [] } as const;
    await deps.store.append({ type: 'preview.observed', at: deps.clock.now(), preview: preview.id, ...said });
  }
  await deps.store.forgetRest(preview.id);
  await deps.store.forgetReset(preview.id);
  if (cause === BRANCH_DELETED) await deps.store.forgetPullRequests(preview.repository, preview.branch);
  return { kind: 'done' };
}

/** What could not even be fetched, since it may not be or there is no room, has no build to say so; what serves goes on. */
async function sayRefused(deps: ConvergeDeps, record: PreviewRecord | undefined, error: unknown): Promise<void> {
  if (!record || record.state === 'asleep') return;
  if (!(error instanceof TreehouseError) || !['refused-by-policy', 'disk-full'].includes(error.code)) return;
  if (record.reason === error.message) return;
  const { id, serving, urls } = record;
  await deps.store.append({
    type: 'preview.observed',
    at: deps.clock.now(),
    preview: id,
    state: serving ? 'outdated' : 'failed',
    cause: error.message,
    ...(serving ? { serving } : {}),
    urls,
  });
}

/** It serves: whatever a build that died left behind goes, and the record says what is. */
async function settle(
  deps: ConvergeDeps,
  input: {
    readonly preview: PreviewKey;
    readonly record: PreviewRecord | undefined;
    readonly repository: Repository;
    readonly world: World;
    /** Why it is to serve this commit, where that is not simply the newest. */
    readonly because: string | undefined;
    readonly hurry: AbortSignal;
  },
): Promise<Outcome> {
  const { preview, record, repository, because } = input;
  const { live } = input.world;
  if (!live) throw new TreehouseError('stopped', 'nothing is live', { kind: 'transient' });
  // What was found to run serves from now on, and its data with it.
  const mark = unservedMark(input.world.stack.volumes);
  if (mark !== undefined) await deps.engine.removeVolume(mark);
  await retire(deps, preview, repository, live, input.hurry);
  if (record?.attempt?.build !== live.build) {
    // A build came after what serves, and nothing of it is wanted now.
    const stack = await deps.engine.observe(preview.id);
    await removeIdleImages(deps, stack, stack.containers);
  }
  await sweepSecrets(deps, preview);
  const cause = because ?? 'serves the newest commit';
  const isFork = forkNumber(preview.branch) !== undefined;
  const isSaid = record?.state === 'live' && record.serving?.build === live.build;
  if (!isSaid || ((repository.selection || isFork) && record.reason !== cause)) {
    await deps.gateway.open(preview.id);
    await sayOfLive(deps, preview, record, live, { state: 'live', cause });
  }
  return { kind: 'done' };
}
