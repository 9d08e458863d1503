/** Checkouts and mirrors in the home, as things that take room. */
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type Docker from 'dockerode';
import type { DiskStore, DiskThing } from '../domain/disk.ts';
import { LABEL } from '../domain/labels.ts';
import { parsePreviewId, type RepositoryName } from '../domain/names.ts';
import { orAway } from './engine-errors.ts';
import { folderSize } from './folder-size.ts';
import { mirrorFiles, mirrorOf, repositoryOfMirror } from './git-mirror.ts';
import { namesIn } from './home-things.ts';

/** Containers may have files of their build's checkout mounted; all others are left behind by something that was killed. */
export function checkoutsOnDisk(
  docker: Docker,
  on: { readonly builds: string; readonly instance: string; readonly budget: number | undefined },
): DiskStore {
  async function buildsInUse(): Promise<ReadonlySet<string>> {
    const filters = JSON.stringify({ label: [`${LABEL.instance}=${on.instance}`] });
    const all = await orAway('listing the containers', docker.listContainers({ all: true, filters }));
    return new Set(all.map((one) => `${one.Labels[LABEL.preview]}/${one.Labels[LABEL.build]}`));
  }

  return {
    name: 'checkouts',
    budget: on.budget,
    folder: on.builds,
    async look() {
      const used = await buildsInUse();
      const things: DiskThing[] = [];
      for (const one of await namesIn(on.builds)) {
        const preview = parsePreviewId(one);
        if (!preview) continue;
        for (const build of await namesIn(path.join(on.builds, one))) {
          const folder = path.join(on.builds, one, build);
          things.push({
            ...{ name: folder, ref: folder, preview, lastUsed: await changedAt(folder) },
            pieces: new Map([[folder, await folderSize(folder)]]),
            ...(used.has(`${one}/${build}`) ? { kept: 'a container may use its files' } : {}),
          });
        }
      }
      return things;
    },
    async remove(things, { unusedSince }) {
      const used = await buildsInUse();
      const gone: DiskThing[] = [];
      for (const one of things) {
        if (used.has(path.relative(on.builds, one.ref)) || (await changedAt(one.ref)) >= unusedSince) continue;
        // What git remembers of it goes when it next tidies the mirror.
        await rm(one.ref, { recursive: true, force: true, maxRetries: 3 });
        gone.push(one);
      }
      return gone;
    },
  };
}

/** They can be fetched anew; one is unused since something was last fetched into it. */
export function mirrorsOnDisk(on: {
  readonly mirrors: string;
  readonly budget: number | undefined;
  /** `act` while no git of ours changes the repository's mirror. */
  alone(repository: RepositoryName, act: () => Promise<void>): Promise<void>;
}): DiskStore {
  const { mirrors } = on;
  return {
    name: 'mirrors',
    budget: on.budget,
    folder: mirrors,
    async look() {
      const repositories = (await namesIn(mirrors)).map(repositoryOfMirror).filter((one) => one !== undefined);
      const things: DiskThing[] = [];
      for (const name of new Set(repositories)) {
        const { directory } = mirrorOf(mirrors, { name });
        const pieces = new Map([[directory, await folderSize(directory)]]);
        things.push({ name, ref: name, pieces, lastUsed: await fetchedAt(directory) });
      }
      return things;
    },
    async remove(things, { unusedSince }) {
      const gone: DiskThing[] = [];
      for (const one of things) {
        const name = one.ref as RepositoryName;
        await on.alone(name, async () => {
          if ((await fetchedAt(mirrorOf(mirrors, { name }).directory)) >= unusedSince) return;
          for (const file of mirrorFiles(mirrors, name))
            await rm(file, { recursive: true, force: true, maxRetries: 3 });
          gone.push(one);
        });
      }
      return gone;
    },
  };
}

/** Every fetch writes it, also one that brought nothing; before the first, the mirror's own time. */
async function fetchedAt(directory: string): Promise<number> {
  return Math.max(await changedAt(path.join(directory, 'FETCH_HEAD')), await changedAt(path.join(directory, 'config')));
}

/** 0 where it is not there. */
async function changedAt(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.mtimeMs ?? 0;
}
