/** Wires the keeping of the disks: what lies where, who is asked before it goes, and who hears that a disk is full. */
import { access, mkdir } from 'node:fs/promises';
import path from 'node:path';
import type Docker from 'dockerode';
import { cacheOnDisk } from './adapters/disk-cache.ts';
import { checkoutsOnDisk, mirrorsOnDisk } from './adapters/disk-folders.ts';
import { imagesOnDisk } from './adapters/disk-images.ts';
import { gated, registryOnDisk } from './adapters/disk-registry.ts';
import { diskOf, disksOf } from './adapters/disks.ts';
import { createGate } from './adapters/gate.ts';
import type { MirrorTurns } from './adapters/git.ts';
import { pulledImages } from './adapters/pulled-images.ts';
import { createRegistry } from './adapters/registry.ts';
import { type Caretaker, startCaretaking } from './disk/caretaker.ts';
import type { CaretakerDeps } from './disk/deps.ts';
import { openLevel } from './disk/level.ts';
import type { Disk, DiskSettings, Fullest } from './domain/disk.ts';
import type { Clock, Engine, Registry } from './domain/ports.ts';
import type { ImageStore } from './domain/supply.ts';
import type { EmbeddedRegistry } from './embedded/registry.ts';
import type { Logger } from './log.ts';

const HOME = 'Treehouse’s home';
/** While builds wait for room. */
const HURRY_MS = 10_000;

export interface BudgetOptions {
  readonly settings: DiskSettings;
  readonly home: string;
  readonly builds: string;
  readonly instance: string;
  readonly docker: Docker;
  /** Whether its data is on another host. */
  readonly isRemote: boolean;
  /** Whether other processes of this home use images as well. */
  readonly isShared: boolean;
  readonly engine: Engine;
  readonly images: ImageStore;
  readonly registry: Registry | undefined;
  /** Of the registry, if it is the embedded one. */
  readonly embedded: EmbeddedRegistry | undefined;
  readonly git: MirrorTurns;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Budgets {
  /** The same ports, through which it is seen what is in use. */
  readonly engine: Engine;
  readonly images: ImageStore;
  readonly registry: Registry | undefined;
  /** See HouseDeps. */
  pausedBecause(): Promise<string | undefined>;
  disks(): Promise<readonly Disk[]>;
  /** See ConvergeDeps. */
  fullest(): Promise<Fullest | undefined>;
  /** Begins to look after the disks. */
  keep(worker: CaretakerDeps['worker']): Caretaker;
}

export async function openBudgets(options: BudgetOptions): Promise<Budgets> {
  const { settings, home, builds, instance, docker, embedded, clock, log } = options;
  const { budgets, mark } = settings;
  const mirrors = path.join(home, 'mirrors');
  for (const one of [builds, mirrors]) await mkdir(one, { recursive: true, mode: 0o700 });
  const engineData = options.isRemote ? '' : await dataOf(docker);
  const folders = [
    { path: home, name: HOME },
    { path: builds, name: HOME },
    { path: mirrors, name: HOME },
    ...(engineData === '' ? [] : [{ path: engineData, name: 'the Docker engine' }]),
  ];
  const paths = folders.map((one) => one.path);
  const pulled = pulledImages({ home, clock, log, isShared: options.isShared });
  const watching = pulled.watching(options.engine, options.images);
  const gate = createGate();
  const passing = options.registry && embedded ? gated(gate, watching.engine, options.registry) : undefined;
  let caretaker: Caretaker | undefined;
  const level = openLevel({ disks: () => disksOf(folders), mark, log }, () => caretaker?.hurry());

  const onEngine = { instance, pulled, folder: engineData };
  const stores = [
    imagesOnDisk(docker, { ...onEngine, budget: budgets.images }),
    cacheOnDisk(docker, { ...onEngine, budget: budgets.cache }),
    ...(embedded
      ? [
          registryOnDisk({
            ...{ docker, clock, gate, budget: budgets.registry, folder: path.join(home, 'registry') },
            registry: createRegistry({ address: embedded.address }),
            collectGarbage: (signal) => embedded.collectGarbage(signal),
          }),
        ]
      : []),
    mirrorsOnDisk({ mirrors, budget: budgets.mirrors, alone: options.git.alone }),
    checkoutsOnDisk(docker, { builds, instance, budget: budgets.checkouts }),
  ];
  return {
    engine: passing?.engine ?? watching.engine,
    images: watching.images,
    registry: passing?.registry ?? options.registry,
    pausedBecause: level.pausedBecause,
    disks: () => disksOf(folders),
    fullest: level.fullest,
    keep(worker) {
      const deps = {
        ...{ stores, level, worker, clock, log },
        // An engine elsewhere has a disk of its own, of which nothing is known.
        diskOf: async (folder: string) => (folder === '' ? '' : diskOf(folder, paths)),
      };
      const [everyMs, graceMs] = [settings.every * 1000, settings.grace * 1000];
      caretaker = startCaretaking(deps, { everyMs, graceMs, hurryMs: Math.min(HURRY_MS, everyMs) });
      return caretaker;
    },
  };
}

/** The engine's own folder; empty where it is not seen from here, as by a Treehouse in a container. */
async function dataOf(docker: Docker): Promise<string> {
  const { DockerRootDir = '' } = (await docker.info()) as { DockerRootDir?: string };
  return access(DockerRootDir).then(
    () => DockerRootDir,
    () => '',
  );
}
