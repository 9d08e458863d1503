/** What lies in Redis of previews and branches, read as a whole: for the sweep, which no key may escape. */
import type { Redis } from 'ioredis';
import { type Branch, parsePreviewId, previewBranch, type RepositoryName, repositoryName } from '../domain/names.ts';
import type { PullRequestFact } from '../domain/pull-requests.ts';
import type { Owner, Place, Thing } from '../domain/sweep.ts';
import { asker, type Connections, storeKeys } from './redis-keys.ts';

export interface RedisThings extends Place {
  /** What was heard of pull requests, by `repository:branch`. */
  pullRequests(): Promise<ReadonlyMap<string, readonly PullRequestFact[]>>;
  close(): void;
}

const SCAN_COUNT = 1_000;

export function redisThings(options: { readonly redis: Connections; readonly prefix?: string }): RedisThings {
  const prefix = options.prefix ?? 'treehouse';
  const keys = storeKeys(prefix);
  const saidOf = `${prefix}:said:`;
  const sets = [keys.redeploys, keys.resets, keys.cancels, keys.resting, keys.deep];
  const hashes = [keys.aside, keys.paths];
  const connection = options.redis.quick();
  const asking = asker(options.redis, connection);

  async function find(): Promise<readonly Thing[]> {
    const things: Thing[] = [];
    // Once for all families: a pattern is tried on every key of Redis.
    const all = await scan(connection, `${prefix}:*`);
    const kept = await stillToSay(all.filter((key) => key.startsWith(saidOf)));
    for (const key of all) {
      if (kept.has(key)) continue;
      const owner = ownerOf(key.slice(prefix.length + 1));
      if (owner) things.push({ what: 'key', name: key, ref: key, owner });
    }
    for (const hash of hashes) {
      for (const [id, text] of Object.entries(await connection.hgetall(hash))) {
        const { repository, branch } = JSON.parse(text) as { readonly repository: string; readonly branch: string };
        // The branch's, not the preview's, which is not to be.
        const owner = ownerOfBranch(repository, branch);
        things.push({ what: 'key', name: `${hash} ${id}`, ref: `${hash} ${id}`, owner });
      }
    }
    for (const set of sets) {
      for (const member of await connection.smembers(set)) {
        const id = parsePreviewId(member);
        const owner: Owner = id ? { kind: 'preview', id } : { kind: 'nobody' };
        things.push({ what: 'key', name: `${set} ${member}`, ref: `${set} ${member}`, owner });
      }
    }
    return things;
  }

  /** As long as there is a record, last words may be still to be said. */
  async function stillToSay(said: readonly string[]): Promise<ReadonlySet<string>> {
    if (said.length === 0) return new Set();
    const records = await connection.hmget(keys.records, ...said.map((key) => key.slice(saidOf.length)));
    return new Set(said.filter((_, at) => records[at] !== null));
  }

  return {
    name: 'Redis',
    kinds: ['key'],
    find: () => asking('reading the keys of previews', find),
    remove: ({ ref }) =>
      asking(`removing ${ref}`, async () => {
        const [set, hash] = [sets, hashes].map((all) => all.find((one) => ref.startsWith(`${one} `)));
        if (set) await connection.srem(set, ref.slice(set.length + 1));
        else if (hash) await connection.hdel(hash, ref.slice(hash.length + 1));
        else await connection.unlink(ref);
      }),
    pullRequests: () =>
      asking('reading the pull requests', async () => {
        const start = `${prefix}:pulls:`;
        const found = await scan(connection, `${start}*`);
        const pipeline = connection.pipeline();
        for (const key of found) pipeline.hvals(key);
        const replies = (await pipeline.exec()) ?? [];
        return new Map(
          found.map((key, index) => {
            const [error, texts] = replies[index] ?? [];
            if (error) throw error;
            return [key.slice(start.length), (texts as string[]).map((text) => JSON.parse(text) as PullRequestFact)];
          }),
        );
      }),
    close: () => connection.disconnect(),
  };
}

/** Every key of the pattern once, in steps that keep nobody waiting. */
async function scan(connection: Redis, pattern: string): Promise<readonly string[]> {
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, keys] = await connection.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
    for (const key of keys) found.add(key);
    cursor = next;
  } while (cursor !== '0');
  return [...found];
}

/**
 * Of a key without its prefix: `builds:ID`, `slept:ID`, `said:ID`, `build:ID:BUILD`, `forks:REPOSITORY`,
 * `approvals:REPOSITORY` or `pulls:REPOSITORY:BRANCH`; undefined for any other.
 */
function ownerOf(key: string): Owner | undefined {
  const [family, first = '', second] = key.split(':');
  const isOfPreview = family === 'builds' || family === 'slept' || family === 'said';
  if ((isOfPreview && second === undefined) || (family === 'build' && second !== undefined)) {
    const id = parsePreviewId(first);
    return id ? { kind: 'preview', id } : { kind: 'nobody' };
  }
  if (family === 'forks' || family === 'approvals') {
    const repository = named(first);
    return repository ? { kind: 'repository', repository } : { kind: 'nobody' };
  }
  return family === 'pulls' && second !== undefined ? ownerOfBranch(first, second) : undefined;
}

function ownerOfBranch(repository: string, branch: string): Owner {
  const parsed = nameAndBranch(repository, branch);
  return parsed ? { kind: 'branch', ...parsed } : { kind: 'nobody' };
}

function named(text: string): RepositoryName | undefined {
  try {
    return repositoryName(text);
  } catch {
    return undefined;
  }
}

function nameAndBranch(
  repository: string,
  branch: string,
): { readonly repository: RepositoryName; readonly branch: Branch } | undefined {
  try {
    return { repository: repositoryName(repository), branch: previewBranch(branch) };
  } catch {
    return undefined;
  }
}
