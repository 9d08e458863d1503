/** The engine's build cache, as things that take room. It is all builds' of the engine: whose a record is, it does not say. */
import type Docker from 'dockerode';
import { bytesOf, type DiskStore, type DiskThing } from '../domain/disk.ts';
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
  readonly Parents?: readonly string[] | null;
  /** So engines of API 1.42 to 1.45 write it. */
  readonly ' Parents'?: readonly string[] | null;
}

/** @param folder where the engine keeps its data */
export function cacheOnDisk(
  docker: Docker,
  on: { readonly folder: string; readonly budget: number | undefined },
): DiskStore {
  async function look(): Promise<readonly DiskThing[]> {
    const records = await orAway('measuring the build cache', readCache(docker));
    const byId = new Map(records.map((one) => [one.ID, one]));
    const uses = new Map(records.map((one) => [one.ID, { lastUsed: usedAt(one), kept: keptBecause(one) }]));
    // A layer goes after those that stand on it: it is in use for as long as they are.
    for (const { ID } of records) passOn(ID, byId, uses);
    return records
      .filter((one) => !one.Shared)
      .map(({ ID, Description, Size }) => {
        const { lastUsed = 0, kept } = uses.get(ID) ?? {};
        const pieces = new Map([[ID, Size]]);
        return { name: Description, ref: ID, pieces, lastUsed, ...(kept === undefined ? {} : { kept }) };
      });
  }

  return {
    name: 'cache',
    budget: on.budget,
    folder: on.folder,
    look,
    async remove(things, { signal }) {
      const before = await look();
      const asked = new Set(things.map((one) => one.ref));
      const keep = bytesOf(before.filter((one) => !asked.has(one.ref)));
      const newest = Math.max(...things.map((one) => one.lastUsed));
      await orAway('pruning the build cache', prune(docker, { keep, newest }, signal), signal);
      // A layer does not go before those that stand on it.
      const left = new Set((await look()).map((one) => one.ref));
      return things.filter((one) => !left.has(one.ref));
    },
  };
}

interface Use {
  readonly lastUsed: number;
  readonly kept: string | undefined;
}

/** To all that the record stands on. */
function passOn(id: string, records: ReadonlyMap<string, CacheRecord>, uses: Map<string, Use>): void {
  const use = uses.get(id);
  const record = records.get(id);
  if (!use || !record) return;
  for (const parent of record.Parents ?? record[' Parents'] ?? []) {
    const before = uses.get(parent);
    if (!before || (before.lastUsed >= use.lastUsed && (before.kept !== undefined || use.kept === undefined))) continue;
    uses.set(parent, { lastUsed: Math.max(before.lastUsed, use.lastUsed), kept: before.kept ?? use.kept });
    passOn(parent, records, uses);
  }
}

function usedAt({ LastUsedAt, CreatedAt }: CacheRecord): number {
  return Date.parse(LastUsedAt ?? CreatedAt) || 0;
}

/** The builder's own parts are not pruned without images' layers, which would free nothing and slow builds. */
function keptBecause({ InUse, Shared, Type }: CacheRecord): string | undefined {
  if (InUse) return 'a build uses it';
  // What it stands on cannot go either.
  if (Shared) return 'an image has it too';
  return Type === 'internal' || Type === 'frontend' ? 'the builder needs it' : undefined;
}

/** To the very millisecond of the newest engine 26.1 removed nothing of a build whose records were used at once. */
const SLACK_MS = 1_000;

/** Not dockerode's `df`, which takes no type and lets the engine measure every volume. */
async function readCache(docker: Docker): Promise<readonly CacheRecord[]> {
  const answer = (await dial(docker, 'GET', '/system/df?', { type: 'build-cache' })) as {
    BuildCache?: readonly CacheRecord[] | null;
  };
  return answer.BuildCache ?? [];
}

/**
 * Nor its `pruneBuilder`, which takes no options. Nothing in use goes.
 * @param bounds bytes that stay, and when the newest of what goes was last used: by itself the engine also asks how often
 */
async function prune(
  docker: Docker,
  bounds: { readonly keep: number; readonly newest: number },
  signal: AbortSignal,
): Promise<void> {
  // 0 would be no limit, of both.
  const bytes = Math.max(bounds.keep, 1);
  const unusedFor = Math.max(Date.now() - bounds.newest - SLACK_MS, 1);
  const filters = JSON.stringify({ 'unused-for': { [`${Math.floor(unusedFor)}ms`]: true } });
  // Engines since API 1.48 have another word for it; each passes over the one that it does not know.
  await dial(docker, 'POST', '/build/prune?', { 'keep-storage': bytes, 'reserved-space': bytes, filters }, signal);
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
