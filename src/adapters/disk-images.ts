/** Images of previews and those that were pulled for them, as things that take room; others' images are not even looked at. */
import { createHash } from 'node:crypto';
import type Docker from 'dockerode';
import type { DiskStore, DiskThing } from '../domain/disk.ts';
import { LABEL } from '../domain/labels.ts';
import { parsePreviewId } from '../domain/names.ts';
import { orAway, orGone, tolerate } from './engine-errors.ts';
import { namesOf } from './engine-labels.ts';
import type { PulledImages } from './pulled-images.ts';

const IN_USE = 'a container is made from it';
/** Questions to the engine at once. */
const SIDE_BY_SIDE = 4;

/** @param folder where the engine keeps its data */
export function imagesOnDisk(
  docker: Docker,
  on: {
    readonly instance: string;
    readonly pulled: PulledImages;
    readonly folder: string;
    readonly budget: number | undefined;
  },
): DiskStore {
  const { instance, pulled } = on;
  /** By id, which says all that is in it. */
  const layers = new Map<string, ReadonlyMap<string, number>>();

  async function layersOf(id: string): Promise<ReadonlyMap<string, number>> {
    const known = layers.get(id) ?? layersIn((await docker.getImage(id).history()) as readonly HistoryLine[]);
    layers.set(id, known);
    return known;
  }

  /** Undefined where it is gone. */
  async function thingOf(
    id: string,
    users: ReadonlySet<string>,
    drawn: Awaited<ReturnType<PulledImages['all']>>,
  ): Promise<DiskThing | undefined> {
    const info = await orGone(docker.getImage(id).inspect());
    if (!info) return undefined;
    const { [LABEL.instance]: maker, [LABEL.preview]: owner } = (info.Config?.Labels ?? {}) as Record<string, string>;
    const names = [...new Set([...(info.RepoTags ?? []), ...(info.RepoTags?.length ? [] : (info.RepoDigests ?? []))])];
    const preview = maker === instance ? parsePreviewId(owner ?? '') : undefined;
    const record = drawn.get(id);
    const isOurs = (one: string) =>
      maker === instance
        ? one.includes('@') || tagOf(one).startsWith(`${owner}.`)
        : record?.names.some((known) => isName(known, one));
    const named = Date.parse((info as { Metadata?: { LastTagTime?: string } }).Metadata?.LastTagTime ?? '');
    const kept = users.has(id) ? IN_USE : names.every(isOurs) ? undefined : 'it has a name that is not ours';
    return {
      name: names[0] ?? id,
      ref: id,
      pieces: await layersOf(id),
      // Never named, an image's time is the year 1.
      lastUsed: Math.max(record?.used ?? 0, Date.parse(info.Created) || 0, named || 0),
      ...(preview ? { preview } : {}),
      ...(kept === undefined ? {} : { kept }),
    };
  }

  return {
    name: 'images',
    budget: on.budget,
    folder: on.folder,

    async look() {
      const filters = JSON.stringify({ label: [`${LABEL.instance}=${instance}`] });
      const [images, users, drawn] = await Promise.all([
        orAway('listing the images', docker.listImages({ filters })),
        imagesInUse(docker),
        pulled.all(),
      ]);
      const ids = new Set([...images.map((one) => one.Id), ...drawn.keys()]);
      const things: DiskThing[] = [];
      // Most are in use, and nothing more is asked of them.
      for (const { Id, RepoTags, Created } of images) {
        if (!users.has(Id)) continue;
        const pieces = await orAway('looking at an image', layersOf(Id));
        things.push({ name: RepoTags?.[0] ?? Id, ref: Id, pieces, lastUsed: Created * 1000, kept: IN_USE });
      }
      const known = new Set(things.map((one) => one.ref));
      for (const group of groupsOf([...ids].filter((id) => !known.has(id)))) {
        const found = await Promise.all(group.map((id) => orAway('looking at an image', thingOf(id, users, drawn))));
        things.push(...found.filter((one) => one !== undefined));
        await Promise.all(group.filter((_, at) => !found[at]).map((id) => pulled.forget(id)));
      }
      for (const id of layers.keys()) if (!ids.has(id)) layers.delete(id);
      return things;
    },

    async remove(things, { unusedSince, signal }) {
      const gone: DiskThing[] = [];
      for (const thing of things) {
        signal.throwIfAborted();
        const removed = await pulled.gate.ifFree(async () => {
          const now = await thingOf(thing.ref, await imagesInUse(docker), await pulled.all());
          if (!now || now.kept !== undefined || now.lastUsed >= unusedSince) return;
          await removeImage(docker, thing.ref);
        });
        if (!removed || (await orGone(docker.getImage(thing.ref).inspect()))) continue;
        await pulled.forget(thing.ref);
        gone.push(thing);
      }
      return gone;
    },
  };
}

/** Of every container of the engine, whoever's it is and whether it runs or not. */
async function imagesInUse(docker: Docker): Promise<ReadonlySet<string>> {
  const containers = await orAway('listing the containers', docker.listContainers({ all: true }));
  return new Set(containers.map((one) => one.ImageID));
}

/** By its names, never with force: the engine refuses what something still needs. */
async function removeImage(docker: Docker, id: string): Promise<void> {
  const info = await orGone(docker.getImage(id).inspect());
  if (!info) return;
  const names = info.RepoTags?.length ? info.RepoTags : info.RepoDigests;
  for (const name of namesOf(names, id)) await tolerate(docker.getImage(name).remove({ force: false }), [404, 409]);
}

interface HistoryLine {
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Size: number;
}

/**
 * The engine says no sizes of layers but these. Images that are built on the same one begin with the same lines, and so a layer is
 * known by the lines up to it.
 */
function layersIn(history: readonly HistoryLine[]): ReadonlyMap<string, number> {
  const layers = new Map<string, number>();
  let before = '';
  for (const { Created, CreatedBy, Size } of [...history].reverse()) {
    before = hash(`${before}\n${Created} ${Size} ${CreatedBy}`);
    if (Size > 0) layers.set(before, Size);
  }
  return layers;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** That of a preview's image begins with its id: an image that an admin builds on it has its labels too. */
function tagOf(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1);
}

/** Whether it is what `redis` or `redis:7` was found as: `redis:latest`, or by its digest once the tag moved on. */
function isName(asked: string, name: string): boolean {
  const [a, b] = [plainName(asked), plainName(name)];
  return a === b || `${a}:latest` === b || (b.includes('@') && repositoryOf(a) === repositoryOf(b));
}

/** The engine leaves out what Docker Hub's names have in common. */
function plainName(name: string): string {
  return name.replace(/^(?:index\.)?docker\.io\//, '').replace(/^library\//, '');
}

/** Without a digest, and without a tag, which a port's colon is not. */
function repositoryOf(name: string): string {
  return name.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
}

function groupsOf<T>(all: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / SIDE_BY_SIDE) }, (_, at) => {
    return all.slice(at * SIDE_BY_SIDE, (at + 1) * SIDE_BY_SIDE);
  });
}
