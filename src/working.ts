/** Wires a process that works: it converges previews, and where it leads it also does what only one process does. */
import { engineResidents } from './adapters/engine-residents.ts';
import { iptablesFirewall } from './adapters/firewall.ts';
import { tcpProbe } from './adapters/probe.ts';
import { converge } from './converge/converge.ts';
import { wakeNow } from './converge/rest.ts';
import { takeDown } from './converge/take-down.ts';
import { DEFAULT_LIMITS } from './domain/isolation.ts';
import type { PreviewId } from './domain/names.ts';
import { idShift } from './engine-side.ts';
import { messageOf } from './errors.ts';
import type { Ground } from './ground.ts';
import { toldFirewall } from './install/standing.ts';
import { type Leading, type LeadingInput, startLeading } from './leading.ts';
import { openAdmission } from './queue/admission.ts';
import { knownPreviews } from './queue/poll.ts';
import { type HintWorker, startWorker } from './queue/worker.ts';
import { openMemory } from './secrets/memory.ts';
import { createSecretSource } from './secrets/source.ts';
import { openVault } from './secrets/vault.ts';
import { convergeDeps } from './stages.ts';
import { holdWalls, WALLS_MS } from './walls.ts';

export interface Working {
  /** Whether the firewall between previews and the host is up. */
  walls(): string;
  /** At once where it can, since a visitor waits; the hint is for when it cannot. */
  wake(id: PreviewId): Promise<void>;
  /** Begins to take hints. */
  begin(): HintWorker;
  /** Begins to do what only one process does, in this one; after `begin`. */
  lead(options: Pick<LeadingInput, 'localPollMs' | 'isAlone'>): Promise<Leading>;
  /** Takes every preview down, one event each; after the worker was stopped. */
  removePreviews(): Promise<void>;
}

/** Beside builds: what is put to sleep, woken, taken down or only looked at does not wait for one to end. */
const LIGHT_PLACES = 4;

export async function openWorking(ground: Ground): Promise<Working> {
  const { config, log, undo, clock, docker, instance, engine, repositories, doors, gateway } = ground;
  const { connections, store, book, forks, hints, git, builds, budgets, forge, pins, remote } = ground;

  const firewall = iptablesFirewall({ searchPath: config.path, egress: config.egress });
  const walls = await holdWalls({
    firewall: ground.isShared ? toldFirewall(config.home, firewall) : firewall,
    mode: config.firewall,
    log,
    everyMs: WALLS_MS,
  });
  undo.push(() => walls.stop());

  const secrets = createSecretSource({
    store: ground.secretStore,
    memory: openMemory({ instance, shift: await idShift(docker), remote }),
    vault: openVault(config.vault),
  });
  const admission = openAdmission({
    ...{ store, gateway, pins, clock, hints, log, repositories },
    host: { ...config.most, builds: config.concurrency },
    book,
    residents: engineResidents(docker, instance),
    pausedBecause: budgets.pausedBecause,
    usualMemory: (name) => {
      const policy = repositories().find((one) => one.name === name)?.policy;
      return (policy?.limits ?? DEFAULT_LIMITS).memory.usual;
    },
  });
  undo.push(() => admission.stop());
  const deps = await convergeDeps(config, docker, {
    ...{ clock, admission, git, forge, forks, secrets, gateway, store, walls, log, instance, builds, repositories },
    links: doors.sharing,
    probe: ground.probe ?? tcpProbe,
    engine: budgets.engine,
    images: budgets.images,
    registry: budgets.registry,
    fullest: budgets.fullest,
  });
  let worker: HintWorker | undefined;
  function begin(): HintWorker {
    const begun = startWorker({
      ...{ redis: connections, hints, log, concurrency: config.concurrency + LIGHT_PLACES },
      converge: (id, context) => admission.during(id, () => converge(deps, id, context)),
      now: clock.now,
    });
    undo.push(() => begun.stop(0));
    worker = begun;
    return begun;
  }

  async function wake(id: PreviewId): Promise<void> {
    await ground.wake(id);
    worker
      ?.hold(id, (stopping) => admission.during(id, () => wakeNow(deps, id, stopping)))
      .catch((error: unknown) => log.warn({ preview: id, reason: messageOf(error) }, 'it could not be woken at once'));
  }

  return {
    walls: walls.state,
    wake,
    begin,
    lead: (options) => startLeading(ground, { ...options, deps, secrets, worker: worker ?? begin(), wake }),
    async removePreviews() {
      for (const preview of await knownPreviews(engine, store)) {
        const repository = repositories().find((one) => one.name === preview.repository);
        await takeDown(deps, preview, repository, { cause: 'Treehouse was stopped', known: true });
      }
    },
  };
}
