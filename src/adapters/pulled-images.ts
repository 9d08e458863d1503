/** Remembers which images were pulled for previews, and when they were last drawn in: an admin's own are not among them. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Clock, Engine } from '../domain/ports.ts';
import type { ImageStore } from '../domain/supply.ts';
import { messageOf } from '../errors.ts';
import { locked } from '../file-lock.ts';
import type { Logger } from '../log.ts';
import { writeWhole } from '../whole-file.ts';
import { createGate, type Gate } from './gate.ts';

const ledger = z.record(z.string(), z.object({ names: z.array(z.string()), used: z.number() }));
type Ledger = Readonly<z.infer<typeof ledger>>;
/** What becomes of the ledger; the same one where nothing does. */
type Change = (before: Ledger) => Ledger;

export interface PulledImagesOptions {
  readonly home: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether other processes of this home write into it as well. */
  readonly isShared: boolean;
}

export interface PulledImages {
  /** The same ports; what is pulled and looked at through them is remembered, before another process may remove it. */
  watching(engine: Engine, images: ImageStore): { readonly engine: Engine; readonly images: ImageStore };
  /** By id of the image: under which names it was pulled, and when it was last looked at, milliseconds since the epoch. */
  all(): Promise<ReadonlyMap<string, { readonly names: readonly string[]; readonly used: number }>>;
  forget(id: string): Promise<void>;
  /** Passed by whoever looks at an image that he is going to use. */
  readonly gate: Gate;
}

/** How long one change waits for those of other processes. */
const LOCK_WITHIN_MS = 10_000;

/** In a file of the home, since what Redis forgot would stay on the engine for ever. */
export function pulledImages({ home, clock, log, isShared }: PulledImagesOptions): PulledImages {
  const file = path.join(home, 'disk', 'pulled-images.json');
  const gate = createGate();
  let pending: Change[] = [];
  let saving: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  async function apply(): Promise<void> {
    const changes = pending;
    pending = [];
    const before = await readLedger(file);
    const after = changes.reduce((now, change) => change(now), before);
    if (after !== before) await writeWhole(file, JSON.stringify(after));
  }

  /** Resolves once it is on disk, or could not be written; one writing for all that come meanwhile. */
  function change(one: Change): Promise<void> {
    pending.push(one);
    next ??= saving = saving.then(async () => {
      next = undefined;
      try {
        if (isShared) await locked(`${file}.lock`, AbortSignal.timeout(LOCK_WITHIN_MS), apply);
        else await apply();
      } catch (error) {
        // What is not remembered stays on the engine, which is the lesser evil.
        log.debug({ reason: messageOf(error) }, 'which images were pulled could not be written down');
      }
    });
    return next;
  }

  /** @param name under which it was pulled just now; without one only what is known already is noted */
  function note(id: string, name?: string): Promise<void> {
    const used = clock.now();
    return change((before) => {
      const { names = [] } = before[id] ?? {};
      if (!before[id] && name === undefined) return before;
      const all = new Set([...names, ...(name === undefined ? [] : [name])]);
      return { ...before, [id]: { names: [...all], used: Math.max(used, before[id]?.used ?? 0) } };
    });
  }

  return {
    gate,
    async all() {
      await saving;
      return new Map(Object.entries(await readLedger(file)));
    },
    forget: (id) =>
      change((before) => {
        const { [id]: gone, ...rest } = before;
        return gone === undefined ? before : rest;
      }),
    watching: (engine, images) => ({
      engine: {
        ...engine,
        async pull(reference, onLine, signal) {
          const before = await engine.image(reference);
          await engine.pull(reference, onLine, signal);
          const after = await engine.image(reference);
          if (!after) return;
          // A name that an admin's image had stays the admin's, whatever it names now.
          if (!before || before.id in (await readLedger(file))) await note(after.id, reference);
        },
      },
      images: {
        look: (reference) =>
          gate.pass(async () => {
            const facts = await images.look(reference);
            const noted = facts && note(facts.id);
            // Who removes images here waits for it by himself.
            if (isShared) await noted;
            return facts;
          }),
      },
    }),
  };
}

async function readLedger(file: string): Promise<Ledger> {
  try {
    return ledger.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // None yet, or one that was cut off: what it knew is no longer ours to remove.
    return {};
  }
}
