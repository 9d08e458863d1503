/** Remembers which images were pulled for previews, and when they were last drawn in: an admin's own are not among them. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Clock, Engine } from '../domain/ports.ts';
import type { ImageStore } from '../domain/supply.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { createGate, type Gate } from './gate.ts';

const ledger = z.record(z.string(), z.object({ names: z.array(z.string()), used: z.number() }));
type Ledger = z.infer<typeof ledger>;

export interface PulledImages {
  /** The same ports; what is pulled and looked at through them is remembered. */
  watching(engine: Engine, images: ImageStore): { readonly engine: Engine; readonly images: ImageStore };
  /** By id of the image: under which names it was pulled, and when it was last looked at, milliseconds since the epoch. */
  all(): ReadonlyMap<string, { readonly names: readonly string[]; readonly used: number }>;
  forget(id: string): void;
  /** Passed by whoever looks at an image that he is going to use. */
  readonly gate: Gate;
  /** Resolves once what is remembered is on disk, or could not be written. */
  saved(): Promise<void>;
}

/** In a file of the home, since what Redis forgot would stay on the engine for ever. */
export async function pulledImages(home: string, clock: Clock, log: Logger): Promise<PulledImages> {
  const folder = path.join(home, 'disk');
  const file = path.join(folder, 'pulled-images.json');
  const known = new Map(Object.entries(await readLedger(file)));
  const gate = createGate();
  let saving: Promise<void> = Promise.resolve();
  let isDue = false;

  /** Once for all that changes meanwhile. */
  function save(): void {
    if (isDue) return;
    isDue = true;
    saving = saving.then(async () => {
      isDue = false;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeFile(`${file}.new`, JSON.stringify(Object.fromEntries(known)), { mode: 0o600 });
        await rename(`${file}.new`, file);
      } catch (error) {
        // What is not remembered stays on the engine, which is the lesser evil.
        log.debug({ reason: messageOf(error) }, 'which images were pulled could not be written down');
      }
    });
  }

  function note(id: string, name?: string): void {
    const before = known.get(id);
    if (!before && name === undefined) return;
    const names = new Set([...(before?.names ?? []), ...(name === undefined ? [] : [name])]);
    known.set(id, { names: [...names], used: clock.now() });
    save();
  }

  return {
    gate,
    all: () => known,
    forget(id) {
      if (known.delete(id)) save();
    },
    saved: () => saving,
    watching: (engine, images) => ({
      engine: {
        ...engine,
        async pull(reference, onLine, signal) {
          const before = await engine.image(reference);
          await engine.pull(reference, onLine, signal);
          const after = await engine.image(reference);
          // A name that an admin's image had stays the admin's, whatever it names now.
          if (after && (!before || known.has(before.id))) note(after.id, reference);
        },
      },
      images: {
        look: (reference) =>
          gate.pass(async () => {
            const facts = await images.look(reference);
            if (facts) note(facts.id);
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
