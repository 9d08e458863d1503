/** How large the images of each preview are: two questions for all. */
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import { orAway } from './engine-errors.ts';

/** The same of the newest container of each service alone: what serves, also while what served before is still there. */
export async function newestSizes(docker: Docker, instance: string): Promise<ReadonlyMap<PreviewId, number>> {
  return sizesOf(docker, instance, (containers) => {
    const newest = new Map<string, Docker.ContainerInfo>();
    for (const one of containers) {
      const service = one.Labels[LABEL.service] ?? '';
      if (one.Created >= (newest.get(service)?.Created ?? 0)) newest.set(service, one);
    }
    return [...newest.values()];
  });
}

/** Bytes of the images that a preview's containers are made from; what several share counts for each. */
export function imageSizes(docker: Docker, instance: string): Promise<ReadonlyMap<PreviewId, number>> {
  return sizesOf(docker, instance, (containers) => containers);
}

async function sizesOf(
  docker: Docker,
  instance: string,
  choose: (ofOne: readonly Docker.ContainerInfo[]) => readonly Docker.ContainerInfo[],
): Promise<ReadonlyMap<PreviewId, number>> {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${instance}`, `${LABEL.role}=app`] });
  const [containers, images] = await orAway(
    'asking how large previews are',
    Promise.all([docker.listContainers({ all: true, filters }), docker.listImages()]),
  );
  const sizes = new Map(images.map((one) => [one.Id, one.Size]));
  const all = new Map<PreviewId, Docker.ContainerInfo[]>();
  for (const one of containers) {
    const id = parsePreviewId(one.Labels[LABEL.preview] ?? '');
    if (id !== undefined) all.set(id, [...(all.get(id) ?? []), one]);
  }
  return new Map(
    [...all].map(([id, ofOne]) => {
      const used = new Set(choose(ofOne).map((one) => one.ImageID));
      return [id, [...used].reduce((sum, image) => sum + (sizes.get(image) ?? 0), 0)];
    }),
  );
}
