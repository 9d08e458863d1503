/** Share links of previews that are gone. */
import type { SharedLinks } from '../domain/links.ts';
import { parsePreviewId } from '../domain/names.ts';
import type { Place } from '../domain/sweep.ts';

export function linksPlace(links: Pick<SharedLinks, 'all' | 'revokeAll'>): Place {
  return {
    name: 'the links',
    kinds: ['link'],
    async find() {
      // Those of a preview come and go together.
      return [...new Set((await links.all()).map((one) => one.preview))].map((id) => {
        return { what: 'link', name: `links to ${id}`, ref: id, owner: { kind: 'preview', id } };
      });
    },
    async remove({ ref }) {
      const id = parsePreviewId(ref);
      if (id) await links.revokeAll(id);
    },
  };
}
