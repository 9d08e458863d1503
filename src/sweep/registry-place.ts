/** The registry's tags that this Treehouse pushed, told from others' by the labels of their images. */
import { LABEL } from '../domain/labels.ts';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import type { Registry } from '../domain/ports.ts';
import type { Place, Thing } from '../domain/sweep.ts';
import { batches } from './batches.ts';

export function registryPlace(registry: Registry, instance: string): Place {
  /** `path:tag` → which Treehouse made its image: what was asked once need not be asked at each sweep. */
  let makers = new Map<string, string>();

  return {
    name: `the registry ${registry.address}`,
    kinds: ['tag'],
    async find(isWanted) {
      const paths = await registry.paths();
      const tags = await batches(paths, async (path) => (await registry.tags(path)).map((tag) => ({ path, tag })));
      const before = makers;
      const now = new Map<string, string>();
      const things = await batches(tags.flat(), async ({ path, tag }): Promise<readonly Thing[]> => {
        const id = previewIn(tag);
        if (!id) return [];
        const name = `${path}:${tag}`;
        if (!(await isWanted(id))) {
          const maker = before.get(name) ?? (await registry.labels(path, tag))?.[LABEL.instance] ?? '';
          now.set(name, maker);
          if (maker !== instance) return [];
        }
        return [{ what: 'tag', name, ref: name, owner: { kind: 'preview', id } }];
      });
      makers = now;
      return things.flat();
    },
    async remove({ ref }) {
      const colon = ref.lastIndexOf(':');
      await registry.remove(ref.slice(0, colon), ref.slice(colon + 1));
    },
  };
}

/** A tag begins with its preview's id and a dot, see `tagPrefix`; an id holds none. */
function previewIn(tag: string): PreviewId | undefined {
  const dot = tag.indexOf('.');
  return dot < 0 ? undefined : parsePreviewId(tag.slice(0, dot));
}
