/**
 * The engine's lists of what carries a label, kept up to date by its events: a list of 500 containers takes the engine and us some
 * tenths of a second, and most of them did not change since the last. What an event names is asked for anew; and all is, after a
 * break of the stream and now and then, since an engine drops events where their reader is slow.
 */
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { TreehouseError } from '../errors.ts';
import { away } from './engine-errors.ts';
import { type EngineEvent, openEvents } from './engine-events.ts';
import { type Labelled, labelled } from './engine-labels.ts';

export interface EngineLists {
  /** @throws transient `engine-away` */
  read(): Promise<Labelled>;
  stop(): void;
}

export interface ListsOptions {
  /** `name=value`. */
  readonly label: string;
  /** Milliseconds after which all is asked for though nothing told of a change; 10 minutes unless told. */
  readonly wholeMs?: number;
}

const WHOLE_MS = 600_000;
/** The engine answers before it listens: what is asked for sooner may miss what happens meanwhile. */
const SETTLED_MS = 1_000;
/** Of more than so many, the whole list is as cheap. */
const MANY = 50;
/** Of containers: what goes on in them and leaves them as they are. */
const PASSING = /^(?:exec_|top$|attach$|detach$|resize$|export$|archive-path$|copy$)/;

type Kind = 'container' | 'network' | 'volume';
type Changed = Record<Kind, Set<string>> & { images: boolean };

/** The first to read opens the stream of events. */
export function engineLists(docker: Docker, { label, wholeMs = WHOLE_MS }: ListsOptions): EngineLists {
  const [name = '', value = ''] = label.split('=');
  let stream: Readable | undefined;
  let opened = 0;
  let isOver = false;
  let known: { readonly lists: Lists; readonly at: number } | undefined;
  let changed = nothing();

  async function open(): Promise<void> {
    const types = ['container', 'network', 'volume', 'image'];
    await openEvents(
      docker,
      { type: types },
      {
        opened: (one) => {
          [stream, opened] = [one, performance.now()];
        },
        event: take,
        closed: () => {
          stream = known = undefined;
        },
      },
    );
    if (isOver) stream?.destroy();
  }

  function take(event: EngineEvent | undefined): void {
    if (!event) {
      // What it told of is not known.
      known = undefined;
      return;
    }
    const { ID: id = '', Attributes: said = {} } = event.Actor ?? {};
    const action = event.Action ?? '';
    if (event.Type === 'container' && said[name] === value && !PASSING.test(action)) changed.container.add(id);
    if (event.Type === 'image') changed.images = true;
    if (event.Type === 'volume' && (action === 'create' || action === 'destroy')) changed.volume.add(id);
    if (event.Type !== 'network') return;
    // Neither has labels; a container in it has another address.
    if (said.container !== undefined) changed.container.add(said.container);
    else changed.network.add(id);
  }

  async function whole(): Promise<Labelled> {
    const isHeard = stream !== undefined && performance.now() - opened >= SETTLED_MS;
    changed = nothing();
    const at = performance.now();
    const [containers, networks, volumes, images] = await labelled(docker, [label]);
    const lists: Lists = {
      container: new Map(containers.map((one) => [one.Id, one])),
      network: new Map(networks.map((one) => [one.Id, one])),
      volume: new Map(volumes.map((one) => [one.Name, one])),
      images,
    };
    known = isHeard && stream !== undefined ? { lists, at } : undefined;
    return asLabelled(lists);
  }

  async function update({ lists }: { readonly lists: Lists }): Promise<Labelled> {
    const { container, network, volume, images } = changed;
    changed = nothing();
    const asking = (key: 'id' | 'name', names: ReadonlySet<string>) =>
      JSON.stringify({ label: [label], [key]: [...names] });
    await Promise.all([
      renew(
        lists.container,
        container,
        (names) => docker.listContainers({ all: true, filters: asking('id', names) }),
        idOf,
      ),
      renew(lists.network, network, (names) => docker.listNetworks({ filters: asking('id', names) }), idOf),
      renew(
        lists.volume,
        volume,
        async (names) => (await docker.listVolumes({ filters: asking('name', names) })).Volumes,
        (one) => one.Name,
      ),
      images &&
        docker.listImages({ filters: JSON.stringify({ label: [label] }) }).then((all) => {
          lists.images = all;
        }),
    ]);
    return asLabelled(lists);
  }

  return {
    async read() {
      try {
        if (!stream && !isOver) await open();
        const { container, network, volume } = changed;
        const isMuch = [container, network, volume].some((one) => one.size > MANY);
        if (!known || isMuch || performance.now() - known.at > wholeMs) return await whole();
        return await update(known);
      } catch (error) {
        known = undefined;
        throw error instanceof TreehouseError ? error : away('reading what there is', error);
      }
    },
    stop() {
      isOver = true;
      stream?.destroy();
    },
  };
}

interface Lists {
  readonly container: Map<string, Docker.ContainerInfo>;
  readonly network: Map<string, Docker.NetworkInspectInfo>;
  readonly volume: Map<string, Docker.VolumeInspectInfo>;
  images: Docker.ImageInfo[];
}

function nothing(): Changed {
  return { container: new Set(), network: new Set(), volume: new Set(), images: false };
}

function idOf(one: { readonly Id: string }): string {
  return one.Id;
}

/** Puts what there is of those that changed in their place; the filters also find names that only begin alike. */
async function renew<T>(
  list: Map<string, T>,
  names: ReadonlySet<string>,
  ask: (names: ReadonlySet<string>) => Promise<readonly T[]>,
  nameOf: (one: T) => string,
): Promise<void> {
  if (names.size === 0) return;
  const found = new Map((await ask(names)).map((one) => [nameOf(one), one]));
  for (const name of names) {
    const one = found.get(name);
    if (one === undefined) list.delete(name);
    else list.set(name, one);
  }
}

function asLabelled({ container, network, volume, images }: Lists): Labelled {
  return [[...container.values()], [...network.values()], [...volume.values()], images];
}
