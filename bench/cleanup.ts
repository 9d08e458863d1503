/** Whatever was started is taken down again, last things first, also after a failure or Ctrl-C. */
import { messageOf } from '../src/errors.ts';

export interface Cleanup {
  /** Remembers how to undo what is about to be done. */
  add(what: string, undo: () => Promise<unknown>): void;
  /** Undoes all of it once; what cannot be undone is said and does not keep the rest. */
  run(): Promise<void>;
}

export function createCleanup(say: (text: string) => void): Cleanup {
  const steps: { readonly what: string; undo(): Promise<unknown> }[] = [];
  return {
    add: (what, undo) => void steps.push({ what, undo }),
    async run() {
      for (let step = steps.pop(); step; step = steps.pop()) {
        const { what } = step;
        await step.undo().catch((error: unknown) => say(`cleaning up ${what}: ${messageOf(error)}`));
      }
    },
  };
}
