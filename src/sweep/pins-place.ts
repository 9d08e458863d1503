/** Pins of previews that are gone. */
import { parsePreviewId } from '../domain/names.ts';
import type { Pins } from '../domain/ports.ts';
import type { Place } from '../domain/sweep.ts';

export function pinsPlace(pins: Pick<Pins, 'all' | 'unpin'>): Place {
  return {
    name: 'the pins',
    kinds: ['pin'],
    async find() {
      return [...(await pins.all())].map((id) => {
        return { what: 'pin', name: `pin of ${id}`, ref: id, owner: { kind: 'preview', id } };
      });
    },
    async remove({ ref }) {
      const id = parsePreviewId(ref);
      if (id) await pins.unpin(id);
    },
  };
}
