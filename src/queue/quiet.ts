/** Containers that end or start outside a build hint their preview. */
import type { PreviewId } from '../domain/names.ts';
import type { Engine } from '../domain/ports.ts';

/** After the last of several changes. */
const QUIET_MS = 1_000;

/** @returns the function that ends it. */
export function hintWhenQuiet(engine: Pick<Engine, 'watchAll'>, hint: (id: PreviewId) => Promise<void>): () => void {
  const waiting = new Map<PreviewId, NodeJS.Timeout>();
  const unwatch = engine.watchAll((id) => {
    clearTimeout(waiting.get(id));
    waiting.set(
      id,
      setTimeout(() => {
        waiting.delete(id);
        hint(id).catch(() => undefined); // The sweep looks at it too.
      }, QUIET_MS),
    );
  });
  return () => {
    unwatch();
    for (const timer of waiting.values()) clearTimeout(timer);
  };
}
