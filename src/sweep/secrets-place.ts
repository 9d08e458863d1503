/** Secrets in the host's memory: what is laid there of previews that are gone. */
import { parsePreviewId } from '../domain/names.ts';
import type { SecretSource } from '../domain/secrets.ts';
import type { Place } from '../domain/sweep.ts';

export function secretsPlace(secrets: Pick<SecretSource, 'previews' | 'laid' | 'remove'>): Place {
  return {
    name: "the host's memory",
    kinds: ['secrets'],
    async find() {
      return (await secrets.previews()).map((id) => {
        return { what: 'secrets', name: `secrets of ${id}`, ref: id, owner: { kind: 'preview', id } };
      });
    },
    async remove({ ref }) {
      const id = parsePreviewId(ref);
      if (id) await secrets.remove(id, await secrets.laid(id));
    },
  };
}
