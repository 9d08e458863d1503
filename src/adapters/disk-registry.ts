/** What the embedded registry holds, as things that take room: tags, and what no tag names any more. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type Docker from 'dockerode';
import { bytesOf, type DiskStore, type DiskThing } from '../domain/disk.ts';
import { parsePreviewId } from '../domain/names.ts';
import type { Clock, Engine, Registry } from '../domain/ports.ts';
import { orAway } from './engine-errors.ts';
import { contentSize } from './folder-size.ts';
import type { Gate } from './gate.ts';
import type { RegistryContents } from './registry.ts';

/** Less than this is not worth being away for. */
const GARBAGE_MIN = 2 ** 20;
/** It collects once a day even where there is room. */
const DAY_MS = 86_400_000;
const GARBAGE = 'what no tag names any more';

export interface RegistryOnDisk {
  readonly registry: Registry & RegistryContents;
  /** The registry's own folder. */
  readonly folder: string;
  readonly budget: number | undefined;
  readonly docker: Docker;
  readonly clock: Clock;
  /** Passed by whoever pushes or asks, see `gated`. */
  readonly gate: Gate;
  /** Frees what no manifest names; it is away meanwhile. */
  collectGarbage(signal: AbortSignal): Promise<void>;
}

export function registryOnDisk(on: RegistryOnDisk): DiskStore {
  const { registry } = on;
  const inside = path.join(on.folder, 'data', 'docker', 'registry', 'v2');

  /** When the tag was last set: who asks for it, the registry does not remember. */
  async function setAt(name: string, tag: string): Promise<number> {
    const link = path.join(inside, 'repositories', name, '_manifests', 'tags', tag, 'current', 'link');
    const found = await stat(link).catch(() => undefined);
    return found?.mtimeMs ?? 0;
  }

  async function tags(): Promise<readonly DiskThing[]> {
    const containers = await orAway('listing the containers', on.docker.listContainers({ all: true }));
    const used = new Set(containers.map((one) => one.Image));
    const all: DiskThing[] = [];
    for (const name of await registry.paths()) {
      for (const tag of await registry.tags(name)) {
        const preview = parsePreviewId(tag.slice(0, Math.max(tag.indexOf('.'), 0)));
        const kept = used.has(`${registry.address}/${name}:${tag}`) ? 'a container is made from it' : undefined;
        all.push({
          name: `${name}:${tag}`,
          ref: `${name}:${tag}`,
          pieces: await registry.contents(name, tag),
          lastUsed: await setAt(name, tag),
          ...(preview ? { preview } : { kept: 'it is no preview’s' }),
          ...(kept === undefined ? {} : { kept }),
        });
      }
    }
    return all;
  }

  /** Bytes that the last collection left: manifests without a tag, which it does not take. */
  let stubborn = 0;
  /** When it last collected. */
  let collected = Number.NEGATIVE_INFINITY;

  async function unnamed(named: readonly DiskThing[]): Promise<number> {
    const blobs = await contentSize(path.join(inside, 'blobs'));
    // Beside links of a few bytes, uploads that were given up.
    const rest = await contentSize(path.join(inside, 'repositories'));
    return Math.max(blobs + rest - bytesOf(named), 0);
  }

  async function garbage(named: readonly DiskThing[]): Promise<readonly DiskThing[]> {
    const bytes = (await unnamed(named)) - stubborn;
    if (bytes < GARBAGE_MIN) return [];
    const isDue = Math.abs(on.clock.now() - collected) >= DAY_MS;
    const goes = isDue ? { goes: 'it was not collected for a day' } : {};
    return [{ name: GARBAGE, ref: GARBAGE, pieces: new Map([[GARBAGE, bytes]]), lastUsed: 0, ...goes }];
  }

  return {
    name: 'registry',
    budget: on.budget,
    folder: on.folder,
    async look() {
      const named = await tags();
      return [...named, ...(await garbage(named))];
    },
    async remove(things, { unusedSince, signal }) {
      const gone: DiskThing[] = [];
      for (const one of things) {
        signal.throwIfAborted();
        if (one.ref === GARBAGE) {
          if (!(await on.gate.ifFree(() => on.collectGarbage(signal)))) continue;
          stubborn = await unnamed(await tags());
          collected = on.clock.now();
          gone.push(one);
          continue;
        }
        const now = (await tags()).find((other) => other.ref === one.ref);
        if (!now || now.kept !== undefined || now.lastUsed >= unusedSince) continue;
        const colon = one.ref.lastIndexOf(':');
        await registry.remove(one.ref.slice(0, colon), one.ref.slice(colon + 1));
        gone.push(one);
      }
      return gone;
    },
  };
}

/** The same ports; whoever uses them while the registry collects its garbage waits instead of failing. */
export function gated(
  gate: Gate,
  engine: Engine,
  registry: Registry,
): { readonly engine: Engine; readonly registry: Registry } {
  return {
    engine: { ...engine, push: (...given) => gate.pass(() => engine.push(...given)) },
    registry: {
      address: registry.address,
      tags: (...given) => gate.pass(() => registry.tags(...given)),
      digest: (...given) => gate.pass(() => registry.digest(...given)),
      remove: (...given) => gate.pass(() => registry.remove(...given)),
      paths: () => gate.pass(() => registry.paths()),
      labels: (...given) => gate.pass(() => registry.labels(...given)),
    },
  };
}
