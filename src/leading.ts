/** Wires what one process alone does at a time: it sweeps, looks at the clock and the disks, tells the forge, ships logs. */
import path from 'node:path';
import { engineIdle } from './adapters/engine-idle.ts';
import { engineInventory } from './adapters/engine-inventory.ts';
import { engineLists } from './adapters/engine-lists.ts';
import { enginePrinting, followPrinted } from './adapters/engine-printing.ts';
import { hostShares } from './adapters/engine-shares.ts';
import { checkoutFolders, mirrorFolders } from './adapters/home-things.ts';
import { startComments } from './comments.ts';
import type { ConvergeDeps } from './converge/deps.ts';
import { LABEL } from './domain/labels.ts';
import type { PreviewId } from './domain/names.ts';
import { messageOf } from './errors.ts';
import type { Ground } from './ground.ts';
import { followAll } from './metrics/follow.ts';
import { keepNeighbours } from './neighbours.ts';
import { startExpiring } from './queue/expire.ts';
import { onHinted } from './queue/hints.ts';
import { startIdling } from './queue/idle.ts';
import { startPolling } from './queue/poll.ts';
import { hintWhenQuiet } from './queue/quiet.ts';
import type { HintWorker } from './queue/worker.ts';
import { openReports } from './reports.ts';
import { shipLogs } from './shipping/ship.ts';
import { linksPlace } from './sweep/links-place.ts';
import { pinsPlace } from './sweep/pins-place.ts';
import { registryPlace } from './sweep/registry-place.ts';
import { secretsPlace } from './sweep/secrets-place.ts';
import { type Sweeper, startSweeping } from './sweep/sweeper.ts';
import { orUndone, type Undo, undoAll } from './undo.ts';

export interface LeadingInput {
  readonly deps: ConvergeDeps;
  readonly secrets: Parameters<typeof secretsPlace>[0];
  readonly worker: HintWorker;
  wake(id: PreviewId): Promise<void>;
  /** Milliseconds between two looks at repositories on this machine. */
  readonly localPollMs: number;
  /** Whether all of Treehouse is this process. */
  readonly isAlone: boolean;
}

export interface Leading {
  readonly sweep: Sweeper['sweep'];
  /** Hints nothing more; what is told and looked after goes on. */
  rest(): Promise<void>;
  /** Ends all of it. */
  end(): Promise<void>;
}

export function startLeading(ground: Ground, input: LeadingInput): Promise<Leading> {
  return orUndone(ground.log, async (undo) => {
    await lookAfterHost(ground, undo);
    tellForge(ground, input, undo);
    return { ...goRound(ground, input, undo), end: () => undoAll(undo, ground.log) };
  });
}

/** What containers take of the host, and where what they print goes. */
async function lookAfterHost(ground: Ground, undo: Undo): Promise<void> {
  const { config, docker, engine, instance, store, meter, log } = ground;
  if (ground.remote === undefined) {
    const neighbours = keepNeighbours({ shares: await hostShares({ docker, instance }), engine, store, log });
    undo.push(() => neighbours.stop());
  }
  if (config.shipLogs) {
    const shipping = await shipLogs({
      ...{ to: config.shipLogs, home: config.home, log, onCount: meter.linesShipped },
      printing: enginePrinting(docker, instance),
      follow: (container, after, onLine, over) => followPrinted(docker, container, after, onLine, over),
      watch: (changed) => engine.watchAll(changed),
    });
    undo.push(() => shipping.stop());
  }
}

/** Says on the forge what becomes of previews, and does what is asked there; without one nothing. */
function tellForge(ground: Ground, { deps, wake, isAlone }: LeadingInput, undo: Undo): void {
  const { config, docker, instance, forge, forks, store, clock, log, repositories, connections, keys, trail } = ground;
  if (!forge) return;
  const reports = openReports({
    ...{ config, forge, docker, instance, redis: connections, store, clock, log, repositories },
    allPullRequests: () => keys.pullRequests(),
  });
  undo.push(() => reports.stop());
  const unhear = ground.onPullRequest(reports.heard);
  undo.push(async () => unhear());
  if (!isAlone) {
    // What another process hears of pull requests it notes, and then it hints the preview.
    const unhint = onHinted({ redis: connections, onHint: reports.look });
    undo.push(async () => unhint());
  }
  undo.push(followAll((how) => store.follow(how), reports.take, log));
  const comments = startComments({
    ...{ forge, connections, deps, hints: ground.hints, pins: ground.pins, wake, forks, trail, notes: reports.notes },
    onNoted: reports.noted,
  });
  undo.push(() => comments.stop());
}

/** What goes on by itself: looks at remotes, idleness, time, sweeps, disks, and the engine's own news. */
function goRound(ground: Ground, input: LeadingInput, undo: Undo): Omit<Leading, 'end'> {
  const { config, docker, engine, hints, budgets, pins, keys, clock, forks, doors } = ground;
  const { deps, worker } = input;
  const { git, store, gateway, log, instance, repositories } = deps;
  const poller = startPolling({ repositories, git, store, hints, log, everyMs: input.localPollMs });
  undo.push(() => poller.stop());
  // nginx-proxy does not tell who visits: what is used would sleep.
  if (config.gateway !== 'nginx-proxy') {
    const idling = startIdling({
      ...{ gateway, store, pins, hints, clock, log, repositories },
      asked: engineIdle(docker, instance),
    });
    undo.push(() => idling.stop());
  }
  const expiring = startExpiring({ gateway, store, pins, hints, clock, log, repositories });
  undo.push(() => expiring.stop());
  const lists = engineLists(docker, { label: `${LABEL.instance}=${instance}` });
  undo.push(async () => lists.stop());
  const sweeper = startSweeping(
    {
      ...{ repositories, git, forks, store, engine, gateway, hints, worker, log },
      inventory: engineInventory(() => lists.read()),
      places: [
        ...(deps.registry ? [registryPlace(deps.registry, instance)] : []),
        ...[
          secretsPlace(input.secrets),
          pinsPlace(pins),
          linksPlace(doors.sharing),
          checkoutFolders(deps.builds),
          mirrorFolders(path.join(config.home, 'mirrors')),
          keys,
        ],
      ],
      allPullRequests: () => keys.pullRequests(),
      forge: ground.forgeSide?.side,
      onHeads: (repository, heads) => poller.begin(repository, heads),
      onSwept: ground.meter.swept,
    },
    { everyMs: config.sweep * 1000, graceMs: config.sweepGrace * 1000 },
  );
  undo.push(() => sweeper.stop());
  const caretaker = budgets.keep(worker);
  undo.push(() => caretaker.stop());
  const unwatch = hintWhenQuiet(engine, async (id) => {
    const atWork = await worker.atWork();
    if (!atWork.some((one) => one.id === id)) await hints.hint(id);
  });
  undo.push(async () => unwatch());
  const unfollow = ground.onRepositories(() => {
    // It finds whose branches are new and whose previews are nobody's any more.
    sweeper.sweep({ dryRun: false }).catch((error: unknown) => {
      log.warn({ reason: messageOf(error) }, 'the sweep after a change of the repositories failed');
    });
  });
  undo.push(async () => unfollow());
  return {
    sweep: sweeper.sweep,
    async rest() {
      unwatch();
      await Promise.all([sweeper.stop(), poller.stop()]);
    },
  };
}
