/** A preview is put to sleep and woken: its containers stop or pause and start, its routes, volumes and images stay. */

import { type LiveBuild, liveBuild } from '../domain/live.ts';
import type { PreviewId } from '../domain/names.ts';
import type { ObservedContainer } from '../domain/observed.ts';
import type { PreviewKey, PreviewRecord } from '../domain/preview.ts';
import type { SleepMode } from '../domain/rest.ts';
import { messageOf } from '../errors.ts';
import { STOP_GRACE } from '../teardown/retire.ts';
import { bringUpAgain } from './bring-up-again.ts';
import type { ConvergeDeps } from './deps.ts';
import { type Said, sayOfLive } from './say.ts';

export interface Bed {
  readonly preview: PreviewKey;
  readonly record: PreviewRecord | undefined;
  readonly live: LiveBuild;
  readonly mode: SleepMode;
}

/** Stops or pauses what runs; who comes from now on waits at the gateway and wakes it. */
export async function putToSleep(deps: ConvergeDeps, { preview, record, live, mode }: Bed): Promise<void> {
  // Again after nginx was started anew: the gateway forgets who sleeps.
  await deps.gateway.close(preview.id);
  const isUp = (one: ObservedContainer) => one.running || one.restarting || (mode === 'stop' && one.isPaused === true);
  const up = live.containers.filter(isUp);
  if (up.length > 0) {
    // Before the first stops: whoever dies in between, it is known what to start again.
    await deps.store.noteSlept(
      preview.id,
      up.map((one) => one.id),
    );
    await Promise.all(
      up.map((one) =>
        mode === 'pause' && isWell(one) ? deps.engine.pause(one.id) : deps.engine.stop(one.id, STOP_GRACE),
      ),
    );
  }
  if (record?.state === 'asleep' && !record.wait) return;
  await sayOfLive(deps, preview, record, live, {
    state: 'asleep',
    cause: 'nobody visits it; the next visitor wakes it',
  });
}

/** What is not would wake as it fell asleep; stopped, it begins anew. */
function isWell({ running, health }: ObservedContainer): boolean {
  return running && (health === 'healthy' || health === 'none');
}

/**
 * Starts what slept, in the order of dependencies, and lets the visitors in. It asks neither the remote nor a build, so that
 * it takes as long as the containers do. What cannot be woken is for the caller to mend or to build anew.
 * @returns whether it came up
 */
export async function wakeUp(
  deps: ConvergeDeps,
  preview: PreviewKey,
  record: PreviewRecord | undefined,
  slept: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  let isUp = true;
  const [stack, routes] = await Promise.all([deps.engine.observe(preview.id), deps.gateway.routesOf(preview.id)]);
  const live = liveBuild(stack, routes);
  if (live && slept.length > 0) {
    await sayOfLive(deps, preview, record, live, { state: 'waking', cause: 'a visitor wakes it' });
    const tail: string[] = [];
    try {
      const awake = live.containers.filter((one) => slept.includes(one.id));
      await bringUpAgain(deps, preview, {
        build: live.build,
        containers: awake,
        signal,
        onTail: (line) => tail.push(line),
      });
      await sayOfLive(deps, preview, record, live, asBefore(record, live));
    } catch (error) {
      if (signal.aborted) throw error;
      isUp = false;
      deps.log.warn({ preview: preview.id, reason: messageOf(error) }, 'it could not be woken');
      const cause = `it could not be woken: ${messageOf(error)}`;
      await sayOfLive(deps, preview, record, live, { state: 'failed', cause, unwoken: tail });
    }
  }
  // Not what is asked of it: somebody may have sent it back to sleep as soon as it was said to be awake.
  await deps.store.forgetSlept(preview.id);
  await deps.gateway.open(preview.id);
  return isUp;
}

/** What became of a preview that was to wake; one that waits does so for room, and its hint comes. */
export type Woken = 'up' | 'failed' | 'waits';

/** As `wakeUp`, where there is room for it to run. */
export async function wakeIfRoom(
  deps: ConvergeDeps,
  preview: PreviewKey,
  record: PreviewRecord | undefined,
  slept: readonly string[],
  signal: AbortSignal,
): Promise<Woken> {
  const turn = await deps.admission.enter({ preview, purpose: 'wake' });
  if (turn.kind === 'wait') return 'waits';
  return (await wakeUp(deps, preview, record, slept, signal)) ? 'up' : 'failed';
}

/** Wakes it if it sleeps and is not to; the whole of a converge comes with the hint that belongs to it. */
export async function wakeNow(deps: ConvergeDeps, id: PreviewId, signal: AbortSignal): Promise<void> {
  const [record, rest] = await Promise.all([deps.store.record(id), deps.store.rest(id)]);
  if (record && rest.slept && !rest.wanted) await wakeIfRoom(deps, record, record, rest.slept, signal);
}

/** What it was before it slept. */
function asBefore(record: PreviewRecord | undefined, live: LiveBuild): Said {
  const last = record?.attempt;
  if (last?.outcome !== 'failed' || last.commit === live.commit) return { state: 'live', cause: 'it was woken' };
  return { state: 'outdated', cause: `${last.stage ?? 'the build'} failed: ${last.message ?? ''}` };
}
