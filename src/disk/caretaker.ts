/** Keeps what takes room on disk within its budgets, and makes room where a disk is nearly full: now and then, one round at a time. */
import {
  bytesOf,
  type DiskStore,
  type DiskThing,
  type Removal,
  type RemoveHow,
  type StoreState,
  shortBy,
  sizeText,
  whatGoes,
} from '../domain/disk.ts';
import type { PreviewId } from '../domain/names.ts';
import { messageOf } from '../errors.ts';
import { within } from '../time-limit.ts';
import type { CaretakerDeps } from './deps.ts';

export interface CaretakerOptions {
  /** Milliseconds between two rounds, give or take a tenth. */
  readonly everyMs: number;
  /** Milliseconds between two rounds while builds wait for room. */
  readonly hurryMs: number;
  /** Milliseconds after its last use for which nothing goes. */
  readonly graceMs: number;
}

export interface Caretaker {
  /** One round, after those that were asked for before. @returns what went */
  round(): Promise<readonly Removal[]>;
  /** Builds wait: the next round is not to. */
  hurry(): void;
  stop(): Promise<void>;
}

/** A store that takes longer to be looked at is for the next round. */
const LOOK_MS = 120_000;
/** For what is being removed, when Treehouse stops. */
const STOP_MS = 5_000;

export function startCaretaking(deps: CaretakerDeps, options: CaretakerOptions): Caretaker {
  const { clock, log } = deps;
  const over = new AbortController();
  let last: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let isHurried = false;

  async function once(): Promise<readonly Removal[]> {
    if (over.signal.aborted) return [];
    // What is used from here on is used by something that may not have begun yet.
    const began = clock.now();
    const atWork = await deps.worker.atWork();
    const unusedSince = Math.min(began - options.graceMs, ...atWork.map((one) => one.since));
    const [full, found] = await Promise.all([
      deps.level.look(),
      Promise.all(deps.stores.map((one) => stateOf(deps, one, unusedSince))),
    ]);
    const short = new Map(full.map((one) => [one.path, shortBy(one, deps.level.mark)]));
    const removals = whatGoes(
      found.filter((one) => one !== undefined),
      short,
    );
    const gone: Removal[] = [];
    for (const store of deps.stores) {
      const mine = removals.filter((one) => one.store === store.name);
      for (const [preview, group] of byPreview(mine)) {
        if (over.signal.aborted) return gone;
        gone.push(...(await carryOut(deps, store, preview, group, { unusedSince, signal: over.signal })));
      }
    }
    return gone;
  }

  const round = (): Promise<readonly Removal[]> => {
    const mine = last.then(once);
    last = mine.catch(() => undefined);
    return mine;
  };

  function next(ms: number): void {
    clearTimeout(timer);
    if (over.signal.aborted) return;
    timer = setTimeout(byItself, ms * (0.9 + Math.random() * 0.2));
    timer.unref();
  }

  function byItself(): void {
    isHurried = false;
    round()
      .catch((error: unknown) => {
        if (!over.signal.aborted) log.warn({ reason: messageOf(error) }, 'the disks were not looked after');
      })
      .finally(() => next(isHurried ? options.hurryMs : options.everyMs));
  }

  next(options.hurryMs);
  return {
    round,
    hurry() {
      if (isHurried) return;
      isHurried = true;
      next(options.hurryMs);
    },
    async stop() {
      over.abort();
      clearTimeout(timer);
      await within(STOP_MS, last, () => new Error('it goes on')).catch(() => undefined);
    },
  };
}

/** The store as it is; undefined where it cannot be looked at, which is for the next round. */
async function stateOf(deps: CaretakerDeps, store: DiskStore, unusedSince: number): Promise<StoreState | undefined> {
  const { name, budget } = store;
  try {
    const late = () => new Error(`it took longer than ${LOOK_MS / 1000} s`);
    const [disk, things] = await within(LOOK_MS, Promise.all([deps.diskOf(store.folder), store.look()]), late);
    const running = new Set((await deps.worker.atWork()).map((one) => one.id));
    return { name, budget, disk, things: things.map((one) => withReason(one, running, unusedSince)) };
  } catch (error) {
    deps.log.warn({ store: name, reason: messageOf(error) }, 'a part of the disks was not looked after');
    return undefined;
  }
}

function withReason(thing: DiskThing, running: ReadonlySet<PreviewId>, unusedSince: number): DiskThing {
  if (thing.kept !== undefined) return thing;
  if (thing.preview !== undefined && running.has(thing.preview)) return { ...thing, kept: 'its preview is at work' };
  return thing.lastUsed >= unusedSince ? { ...thing, kept: 'it was used lately' } : thing;
}

function byPreview(removals: readonly Removal[]): ReadonlyMap<PreviewId | undefined, readonly Removal[]> {
  const groups = new Map<PreviewId | undefined, Removal[]>();
  for (const one of removals) groups.set(one.thing.preview, [...(groups.get(one.thing.preview) ?? []), one]);
  return groups;
}

/** Whatever goes wrong is said, and keeps nothing else from going. */
async function carryOut(
  deps: CaretakerDeps,
  store: DiskStore,
  preview: PreviewId | undefined,
  removals: readonly Removal[],
  how: RemoveHow,
): Promise<readonly Removal[]> {
  let gone: readonly DiskThing[] = [];
  const things = removals.map((one) => one.thing);
  const work = async (): Promise<void> => {
    gone = await store.remove(things, how);
  };
  try {
    if (preview === undefined) await work();
    else await deps.worker.hold(preview, work);
  } catch (error) {
    deps.log.warn({ store: store.name, reason: messageOf(error) }, 'a part of the disks was not cleared');
  }
  const done = removals.filter((one) => gone.includes(one.thing));
  for (const { thing, cause } of done) {
    const fields = { store: store.name, name: thing.name, size: sizeText(bytesOf([thing])), cause };
    deps.log.info(
      { ...fields, lastUsed: new Date(thing.lastUsed).toISOString() },
      'removed what was unused the longest',
    );
  }
  return done;
}
