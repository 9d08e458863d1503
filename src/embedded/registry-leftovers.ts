/** What a registry's own collection leaves behind: the links of each image path to blobs that are gone, and uploads that were given up. */
import { access, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Where links lie under an image's path; each is a folder named by the digest (distribution's path specification, v2). */
const LINKS = ['_layers/sha256', '_manifests/revisions/sha256'];

/** Only while the registry that serves `data` is stopped: what is pushed is an upload first, and has links before blobs. */
export async function removeLeftovers(data: string): Promise<void> {
  const root = join(data, 'docker/registry/v2');
  for (const image of await imagesUnder(join(root, 'repositories'))) {
    // One that broke off, as on a full disk, stays for a week else.
    await rm(join(image, '_uploads'), { recursive: true, force: true });
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
  return below.length < names.length ? [folder, ...found] : found;
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
