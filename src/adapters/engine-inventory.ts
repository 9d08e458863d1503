/** All that this Treehouse has on the engine: what `Engine.observe` tells, of every preview. */
import type Docker from 'dockerode';
import { LABEL } from '../domain/labels.ts';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import type { ObservedContainer, ObservedNetwork, ObservedStack, ObservedVolume } from '../domain/observed.ts';
import type { Inventory, Owner, Thing } from '../domain/sweep.ts';
import { healthIn } from './engine-health.ts';
import { keyOf, type Labelled, labelledAs, namesOf, networkOf, volumeOf } from './engine-labels.ts';

type Labels = Record<string, string> | undefined;

/** @param read gives what carries this Treehouse's label @returns what reads it anew each time. */
export function engineInventory(read: () => Promise<Labelled>): () => Promise<Inventory> {
  return async () => {
    const [containers, networks, volumes, images] = await read();
    const stacks = new Map<PreviewId, Mutable>();
    const things: Thing[] = [];
    /** Notes the thing, and gives the stack that it belongs to. */
    const note = (what: Thing['what'], name: string, ref: string, labels: Labels): Mutable | undefined => {
      const owner = ownerOf(labels ?? {});
      things.push({ what, name, ref, owner });
      if (owner.kind !== 'preview') return undefined;
      const stack = stacks.get(owner.id) ?? emptyStack(owner.id);
      stacks.set(owner.id, stack);
      return stack;
    };
    for (const one of containers) {
      const container = containerOf(one);
      note('container', container.name, container.id, one.Labels)?.containers.push(container);
    }
    for (const one of networks) note('network', one.Name, one.Id, one.Labels)?.networks.push(networkOf(one));
    for (const one of volumes) note('volume', one.Name, one.Name, one.Labels)?.volumes.push(volumeOf(one));
    for (const one of images) {
      for (const reference of namesOf(one.RepoTags, one.Id)) {
        note('image', reference, reference, one.Labels)?.images.push({ reference, id: one.Id });
      }
    }
    return { stacks, things };
  };
}

interface Mutable extends ObservedStack {
  readonly containers: ObservedContainer[];
  readonly networks: ObservedNetwork[];
  readonly volumes: ObservedVolume[];
  readonly images: ObservedStack['images'][number][];
}

function emptyStack(preview: PreviewId): Mutable {
  return { preview, containers: [], networks: [], volumes: [], images: [] };
}

function ownerOf(labels: Record<string, string>): Owner {
  const key = keyOf(labels);
  if (key) return { kind: 'preview', id: key.id, key };
  const id = parsePreviewId(labels[LABEL.preview] ?? '');
  return id ? { kind: 'preview', id } : { kind: 'nobody' };
}

function containerOf(one: Docker.ContainerInfo): ObservedContainer {
  return {
    id: one.Id,
    name: (one.Names[0] ?? one.Id).replace(/^\//, ''),
    ...labelledAs(one.Labels),
    running: one.State === 'running',
    restarting: one.State === 'restarting',
    ...(one.State === 'paused' ? { isPaused: true } : {}),
    // The list has these in its text for people alone, of which every engine since 1.10 makes the same words.
    exitCode: Number(/^Exited \((-?\d+)\)/.exec(one.Status)?.[1] ?? 0),
    health: healthIn(one.Status),
    restarts: 0,
    networks: new Map(Object.entries(one.NetworkSettings.Networks).map(([name, { IPAddress }]) => [name, IPAddress])),
    image: one.Image,
    imageId: one.ImageID,
  };
}
