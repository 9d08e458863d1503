/** How large the images of each preview are: two questions for all. */
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import { orAway } from './engine-errors.ts';

/** Bytes of the images that a preview's containers are made from; what several share counts for each. */
export async function imageSizes(docker: Docker, instance: string): Promise<ReadonlyMap<PreviewId, number>> {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${instance}`, `${LABEL.role}=app`] });
  const [containers, images] = await orAway(
    'asking how large previews are',
    Promise.all([docker.listContainers({ all: true, filters }), docker.listImages()]),
  );
  const sizes = new Map(images.map((one) => [one.Id, one.Size]));
  const used = new Map<PreviewId, Set<string>>();
  for (const { Labels: labels, ImageID: image } of containers) {
    const id = parsePreviewId(labels[LABEL.preview] ?? '');
    if (id === undefined) continue;
    used.set(id, (used.get(id) ?? new Set()).add(image));
  }
  return new Map([...used].map(([id, of]) => [id, [...of].reduce((sum, one) => sum + (sizes.get(one) ?? 0), 0)]));
}
