/** What goes on by itself: the worker, looks at remotes, idleness, time, sweeps, disks, and the engine's own news. */
import path from 'node:path';
import type Docker from 'dockerode';
import { engineIdle } from './adapters/engine-idle.ts';
import { engineInventory } from './adapters/engine-inventory.ts';
import { engineLists } from './adapters/engine-lists.ts';
import { checkoutFolders, mirrorFolders } from './adapters/home-things.ts';
import type { RedisThings } from './adapters/redis-things.ts';
import type { Budgets } from './budgets.ts';
import type { Config } from './config.ts';
import { converge } from './converge/converge.ts';
import type { ConvergeDeps } from './converge/deps.ts';
import { LABEL } from './domain/labels.ts';
import type { SharedLinks } from './domain/links.ts';
import type { Engine, Pins } from './domain/ports.ts';
import type { SweepLine } from './domain/sweep.ts';
import type { OpenAdmission } from './queue/admission.ts';
import { startExpiring } from './queue/expire.ts';
import type { HintQueue } from './queue/hints.ts';
import { startIdling } from './queue/idle.ts';
import { startPolling } from './queue/poll.ts';
import { hintWhenQuiet } from './queue/quiet.ts';
import type { RedisConnections } from './queue/redis.ts';
import { type HintWorker, startWorker } from './queue/worker.ts';
import type { ForgeSide, SweepDeps } from './sweep/deps.ts';
import { linksPlace } from './sweep/links-place.ts';
import { pinsPlace } from './sweep/pins-place.ts';
import { registryPlace } from './sweep/registry-place.ts';
import { secretsPlace } from './sweep/secrets-place.ts';
import { type Sweeper, startSweeping } from './sweep/sweeper.ts';

export interface RoundsInput {
  readonly config: Config;
  readonly docker: Docker;
  /** Not the one by which it is seen what is in use. */
  readonly engine: Engine;
  readonly deps: ConvergeDeps;
  readonly connections: RedisConnections;
  readonly hints: HintQueue;
  readonly admission: OpenAdmission;
  readonly budgets: Budgets;
  readonly pins: Pins;
  readonly links: SharedLinks;
  readonly keys: RedisThings;
  readonly secrets: Parameters<typeof secretsPlace>[0];
  readonly forks: SweepDeps['forks'];
  /** Undefined without credentials. */
  readonly forge: ForgeSide | undefined;
  readonly localPollMs: number;
  onSwept(lines: readonly SweepLine[]): void;
  readonly undo: (() => Promise<unknown>)[];
}

export interface Rounds {
  readonly worker: HintWorker;
  readonly sweeper: Sweeper;
  /** Begins nothing new, and lets what runs end for this long. */
  end(graceMs: number): Promise<void>;
}

/** Beside builds: what is put to sleep, woken, taken down or only looked at does not wait for one to end. */
const LIGHT_PLACES = 4;

export function startRounds(input: RoundsInput): Rounds {
  const { config, docker, engine, deps, hints, admission, budgets, pins, keys, undo } = input;
  const { git, store, gateway, clock, log, instance, repositories } = deps;
  const worker = startWorker({
    ...{ redis: input.connections, hints, log, concurrency: config.concurrency + LIGHT_PLACES },
    converge: (id, context) => admission.during(id, () => converge(deps, id, context)),
    now: clock.now,
  });
  undo.push(() => worker.stop(0));
  const poller = startPolling({ repositories, git, store, hints, log, everyMs: input.localPollMs });
  undo.push(() => poller.stop());
  const idling = startIdling({
    ...{ gateway, store, pins, hints, clock, log, repositories },
    asked: engineIdle(docker, instance),
  });
  undo.push(() => idling.stop());
  const expiring = startExpiring({ gateway, store, pins, hints, clock, log, repositories });
  undo.push(() => expiring.stop());
  const lists = engineLists(docker, { label: `${LABEL.instance}=${instance}` });
  undo.push(async () => lists.stop());
  const sweeper = startSweeping(
    {
      ...{ repositories, git, forks: input.forks, store, engine, gateway, hints, worker, log },
      inventory: engineInventory(() => lists.read()),
      places: [
        ...(deps.registry ? [registryPlace(deps.registry, instance)] : []),
        ...[
          secretsPlace(input.secrets),
          pinsPlace(pins),
          linksPlace(input.links),
          checkoutFolders(deps.builds),
          mirrorFolders(path.join(config.home, 'mirrors')),
          keys,
        ],
      ],
      allPullRequests: () => keys.pullRequests(),
      forge: input.forge,
      onHeads: (repository, heads) => poller.begin(repository, heads),
      onSwept: input.onSwept,
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
  return {
    worker,
    sweeper,
    async end(graceMs) {
      unwatch();
      await Promise.all([sweeper.stop(), poller.stop(), worker.stop(graceMs)]);
    },
  };
}
