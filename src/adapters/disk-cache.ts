/** The engine's build cache, as things that take room. It is all builds' of the engine: whose a record is, it does not say. */
import type Docker from 'dockerode';
import type { DiskStore, DiskThing } from '../domain/disk.ts';
import { orAway } from './engine-errors.ts';

interface CacheRecord {
  readonly ID: string;
  readonly Type: string;
  readonly Description: string;
  readonly InUse: boolean;
  /** An image has it too, so that it would free nothing. */
  readonly Shared: boolean;
  readonly Size: number;
  readonly CreatedAt: string;
  readonly LastUsedAt: string | null;
}

/** @param folder where the engine keeps its data */
export function cacheOnDisk(
  docker: Docker,
  on: { readonly folder: string; readonly budget: number | undefined },
): DiskStore {
  async function look(): Promise<readonly DiskThing[]> {
    const records = await orAway('measuring the build cache', readCache(docker));
    return records
      .filter((one) => !one.Shared)
      .map((one) => ({
        name: one.Description,
        ref: one.ID,
        pieces: new Map([[one.ID, one.Size]]),
        lastUsed: Date.parse(one.LastUsedAt ?? one.CreatedAt) || 0,
        ...keptAs(one),
      }));
  }

  return {
    name: 'cache',
    budget: on.budget,
    folder: on.folder,
    look,
    async remove(things, { signal }) {
      const before = await look();
      const asked = new Set(things.map((one) => one.ref));
      const keep = before.filter((one) => !asked.has(one.ref)).reduce((sum, one) => sum + sizeOf(one), 0);
      await orAway('pruning the build cache', prune(docker, keep, signal), signal);
      // The engine chooses itself, the least recently used first; a layer does not go before those that stand on it.
      const left = new Set((await look()).map((one) => one.ref));
      return things.filter((one) => !left.has(one.ref));
    },
  };
}

/** The builder's own parts are not pruned without images' layers, which would free nothing and slow builds. */
function keptAs({ InUse, Type }: CacheRecord): { readonly kept?: string } {
  if (InUse) return { kept: 'a build uses it' };
  return Type === 'internal' || Type === 'frontend' ? { kept: 'the builder needs it' } : {};
}

function sizeOf(thing: DiskThing): number {
  return [...thing.pieces.values()].reduce((sum, one) => sum + one, 0);
}

/** Not dockerode's `df`, which takes no type and lets the engine measure every volume. */
async function readCache(docker: Docker): Promise<readonly CacheRecord[]> {
  const answer = (await dial(docker, 'GET', '/system/df?', { type: 'build-cache' })) as {
    BuildCache?: readonly CacheRecord[] | null;
  };
  return answer.BuildCache ?? [];
}

/** Nor its `pruneBuilder`, which takes no options. Nothing in use goes. */
async function prune(docker: Docker, keep: number, signal: AbortSignal): Promise<void> {
  // 0 would be no limit. Engines since API 1.48 have another word for it; each passes over the one that it does not know.
  const bytes = Math.max(keep, 1);
  await dial(docker, 'POST', '/build/prune?', { 'keep-storage': bytes, 'reserved-space': bytes }, signal);
}

function dial(
  docker: Docker,
  method: 'GET' | 'POST',
  path: string,
  options: object,
  abortSignal?: AbortSignal,
): Promise<unknown> {
  const statusCodes = { 200: true, 400: 'bad parameter', 500: 'server error' };
  const request = { path, method, options, statusCodes, ...(abortSignal ? { abortSignal } : {}) };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error: unknown, answer: unknown) => (error ? reject(error) : resolve(answer)));
  });
}
