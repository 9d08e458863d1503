/** What a registry's own collection leaves behind for good: the links of each image path to blobs that are gone. */
import { access, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Where links lie under an image's path; each is a folder named by the digest (distribution's path specification, v2). */
const LINKS = ['_layers/sha256', '_manifests/revisions/sha256'];

/** Only while the registry that serves `data` is stopped: what it pushes has links before blobs. */
export async function removeDeadLinks(data: string): Promise<void> {
  const root = join(data, 'docker/registry/v2');
  for (const image of await imagesUnder(join(root, 'repositories'))) {
    for (const links of LINKS) {
      for (const digest of await namesIn(join(image, links))) {
        if (await isThere(join(root, 'blobs/sha256', digest.slice(0, 2), digest, 'data'))) continue;
        await rm(join(image, links, digest), { recursive: true, force: true });
      }
    }
  }
}

/** Folders of images at any depth; what belongs to the registry itself begins with an underscore. */
async function imagesUnder(folder: string): Promise<readonly string[]> {
  const names = await namesIn(folder);
  const below = names.filter((name) => !name.startsWith('_'));
  const found = (await Promise.all(below.map((name) => imagesUnder(join(folder, name))))).flat();
  return names.includes('_layers') ? [folder, ...found] : found;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
