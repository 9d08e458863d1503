/**
 * What a registry's own collection leaves behind: manifests without a tag, the links of each image path to blobs that are gone, and
 * uploads that were given up.
 */
import { access, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Where links lie under an image's path; each is a folder named by the digest (distribution's path specification, v2). */
const LINKS = ['_layers/sha256', '_manifests/revisions/sha256'];

/**
 * Manifests that no tag leads to, not by an index either: a tag that moved on left them, and a collection takes what they name for
 * needed. `garbage-collect --delete-untagged` takes the parts of an index too. Before a collection, while the registry is stopped.
 */
export async function removeUntagged(data: string): Promise<void> {
  const root = join(data, 'docker/registry/v2');
  for (const image of await imagesUnder(join(root, 'repositories'))) {
    const named = await namedBy(root, join(image, '_manifests/tags'));
    const revisions = join(image, '_manifests/revisions/sha256');
    for (const digest of named ? await namesIn(revisions) : []) {
      if (!named?.has(`sha256:${digest}`)) await rm(join(revisions, digest), { recursive: true, force: true });
    }
  }
}

/** Undefined where it cannot be told, as after a crash: then nothing of the image goes. */
async function namedBy(root: string, tags: string): Promise<ReadonlySet<string> | undefined> {
  const named = new Set<string>();
  try {
    for (const tag of await namesIn(tags)) {
      await addNamed(root, (await readFile(join(tags, tag, 'current/link'), 'utf8')).trim(), named);
    }
    return named;
  } catch {
    return undefined;
  }
}

/** A manifest, and those that it names, where it is an index. */
async function addNamed(root: string, digest: string, named: Set<string>): Promise<void> {
  if (named.has(digest)) return;
  named.add(digest);
  const hex = digest.replace(/^sha256:/, '');
  const file = join(root, 'blobs/sha256', hex.slice(0, 2), hex, 'data');
  if (!(await isThere(file))) return;
  const { manifests = [] } = JSON.parse(await readFile(file, 'utf8')) as { manifests?: readonly { digest: string }[] };
  for (const one of manifests) await addNamed(root, one.digest, named);
}

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
