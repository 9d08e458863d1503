/** What can be asked for one preview, by whomever: it is noted, and the preview's converge does it. */
import type { PreviewId } from '../domain/names.ts';
import type { Hints, Pins, Store } from '../domain/ports.ts';
import { knownHead, type PreviewRecord } from '../domain/preview.ts';

export interface ActDeps {
  readonly store: Pick<Store, 'requestRedeploy' | 'requestReset' | 'requestCancel' | 'wantRest' | 'setAside'>;
  readonly hints: Hints;
  readonly pins: Pick<Pins, 'pin' | 'unpin'>;
  /** Resolves once it is sure to be woken. */
  wake(id: PreviewId): Promise<void>;
}

export const ACTS = ['redeploy', 'cancel', 'reset', 'sleep', 'wake', 'pin', 'unpin', 'down'] as const;
export type PreviewAct = (typeof ACTS)[number];

/** @returns why it cannot be done; undefined: it is noted */
export type Act = (record: PreviewRecord, who: string) => Promise<string | undefined>;

export function previewActs(deps: ActDeps): Readonly<Record<PreviewAct, Act>> {
  const { store, hints, pins } = deps;
  const noted = async (id: PreviewId, note: Promise<void>): Promise<undefined> => {
    await note;
    await hints.hint(id);
  };
  return {
    redeploy: ({ id }) => noted(id, store.requestRedeploy(id)),
    async cancel({ id, attempt }) {
      if (attempt === undefined || attempt.outcome !== undefined) return 'No build of it is under way.';
      return noted(id, store.requestCancel(id));
    },
    reset: ({ id }) => noted(id, store.requestReset(id)),
    sleep: ({ id }) => noted(id, store.wantRest(id, true)),
    wake: ({ id }) => deps.wake(id).then(() => undefined),
    pin: ({ id }) => pins.pin(id).then(() => undefined),
    unpin: ({ id }) => pins.unpin(id).then(() => undefined),
    async down(record, who) {
      const commit = knownHead(record);
      if (commit === undefined) return 'Nothing of it was built yet.';
      return noted(record.id, store.setAside(record, { commit, cause: `${who} took it down` }));
    },
  };
}
