/** History, events and what was heard of pull requests, in Redis. All of it may be lost without harm to what runs. */
import type { Logger } from 'pino';
import type { SetAside } from '../domain/desired.ts';
import type { StoredEvent } from '../domain/events.ts';
import type { Branch, BuildId, Commit, PreviewId, RepositoryName } from '../domain/names.ts';
import type { Clock, Store } from '../domain/ports.ts';
import { newRecord, type PreviewKey, type PreviewRecord } from '../domain/preview.ts';
import { laterFact, type PullRequestFact } from '../domain/pull-requests.ts';
import type { PathsVerdict } from '../domain/selection.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { type FollowOptions, followBuild, followEvents, lastOf, pageOf, tailOf } from './event-reader.ts';
import { eventWriter, type WriterLimits } from './event-writer.ts';
import { asker, type Connections, editField, SWAPS_MAX, storeKeys, swapField, tooMuchAtOnce } from './redis-keys.ts';
import { recordsReader, swapRecord } from './redis-records.ts';

export interface StoreOptions {
  readonly redis: Connections;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of every key, so that installations and tests can share one Redis. */
  readonly prefix?: string;
  readonly limits?: Partial<WriterLimits>;
  /** Called when something new of a branch's pull requests is noted. */
  readonly onPullRequest?: (repository: RepositoryName, branch: Branch) => void;
}

/** The port, and what only readers of history need. */
export interface RedisStore extends Store {
  /** Builds of which the log is kept, newest first. */
  builds(preview: PreviewId): Promise<readonly BuildId[]>;
  /** A page of a build's log and events, oldest first. */
  read(
    preview: PreviewId,
    build: BuildId,
    page: { readonly after?: string; readonly count: number },
  ): Promise<readonly StoredEvent[]>;
  /** The newest events of a build, oldest first. */
  last(preview: PreviewId, build: BuildId, count: number): Promise<readonly StoredEvent[]>;
  /** Events of all previews as they come, without log lines; ends when the signal aborts. */
  follow(options: FollowOptions): AsyncGenerator<StoredEvent>;
  /** One build from its first event, log lines too; ends with the build's last event or when the signal aborts. */
  followBuild(preview: PreviewId, build: BuildId, options: FollowOptions): AsyncGenerator<StoredEvent>;
  /** Whether Redis answers now. */
  ping(): Promise<boolean>;
  /** Writes what waits, for at most 2 s, and hangs up. */
  close(): Promise<void>;
}

/** How long a removed preview's page can say so. */
const REMOVED_MS = 7 * 24 * 3_600_000;
const CLOSE_MS = 2_000;
/**
 * The head of a pull request whose branch is gone, noted as merged: no commit's, and by `laterFact` above all others of its time. Without it older news of
 * the pull request that come late would make a later branch of the name seem to have one that is open; the sweep removes it.
 */
const NOWHERE = 'f'.repeat(40) as Commit;

export function openStore(options: StoreOptions): RedisStore {
  const { redis, clock, log } = options;
  const keys = storeKeys(options.prefix ?? 'treehouse');
  const connection = redis.quick();
  const asking = asker(redis, connection);
  const readAll = recordsReader(connection, keys);
  const known = new Map<PreviewId, PreviewKey>();
  const writer = eventWriter({
    redis,
    keys,
    keyOf: (id) => known.get(id),
    onLoss: (message, error) => log.warn({ reason: messageOf(error) }, message),
    ...(options.limits ? { limits: options.limits } : {}),
  });

  async function know(key: PreviewKey): Promise<void> {
    const { id, repository, branch } = key;
    const fresh = JSON.stringify(newRecord(key, clock.now()));
    for (let attempt = 0; attempt < SWAPS_MAX; attempt += 1) {
      const text = await connection.hget(keys.records, id);
      const there = text === null ? undefined : (JSON.parse(text) as PreviewRecord);
      if (there && there.repository === repository && there.branch === branch) return;
      if (there && there.state !== 'removed') {
        const owner = `branch ${JSON.stringify(there.branch)} of ${there.repository}`;
        throw new TreehouseError(
          'bad-branch',
          `branch ${JSON.stringify(branch)} of ${repository} can have no preview: its name ${id} is taken by ${owner}`,
        );
      }
      if (await swapRecord(connection, keys, { id, expected: text, value: fresh })) return;
    }
    throw tooMuchAtOnce();
  }

  async function records(): Promise<readonly PreviewRecord[]> {
    const kept: PreviewRecord[] = [];
    for (const { text, record } of await readAll()) {
      if (!isOver(record)) kept.push(record);
      else await swapRecord(connection, keys, { id: record.id, expected: text, value: undefined });
    }
    return kept;
  }

  function isOver(record: PreviewRecord): boolean {
    return record.state === 'removed' && record.changedAt < clock.now() - REMOVED_MS;
  }

  return {
    record: (id) =>
      asking(`reading the record of ${id}`, async () => {
        const text = await connection.hget(keys.records, id);
        const record = text === null ? undefined : (JSON.parse(text) as PreviewRecord);
        return record && !isOver(record) ? record : undefined;
      }),
    records: () => asking('reading the records', records),
    know: async (key) => {
      await asking(`noting ${key.id}`, () => know(key));
      known.set(key.id, key);
    },
    append: async (event) => {
      const key = known.get(event.preview);
      await writer.append(event);
      // A branch of the name may have come back meanwhile.
      if (event.type === 'preview.removed' && known.get(event.preview) === key) known.delete(event.preview);
    },
    tail: (preview, build, count) =>
      asking(`reading the log of ${preview}`, () => tailOf(connection, keys.build(preview, build), count)),
    notePullRequest: (repository, branch, fact) =>
      asking(`noting pull request #${fact.number} of ${repository}`, async () => {
        const at = { hash: keys.pulls(repository, branch), field: String(fact.number) };
        const isNew = await editField<PullRequestFact>(connection, at, (before) => laterFact(before, fact));
        if (isNew) options.onPullRequest?.(repository, branch);
      }),
    pullRequests: (repository, branch) =>
      asking(`reading the pull requests of ${repository}`, async () => {
        const facts = (await connection.hvals(keys.pulls(repository, branch))).map(factIn);
        return facts.filter((one) => one.head !== NOWHERE).sort((a, b) => a.number - b.number);
      }),
    forgetPullRequests: (repository, branch) =>
      asking(`forgetting the pull requests of ${repository}`, async () => {
        const hash = keys.pulls(repository, branch);
        for (const [field, expected] of Object.entries(await connection.hgetall(hash))) {
          const value = JSON.stringify({
            ...factIn(expected),
            open: false,
            merged: true,
            head: NOWHERE,
          } satisfies PullRequestFact);
          await swapField(connection, hash, { field, expected, value });
        }
      }),
    setAside: ({ id, repository, branch }, { commit, cause }) =>
      asking(`noting that ${id} is to go`, async () => {
        await connection.hset(keys.aside, id, JSON.stringify({ repository, branch, commit, cause }));
      }),
    aside: (id) =>
      asking(`reading whether ${id} is set aside`, async () => {
        const text = await connection.hget(keys.aside, id);
        return text === null ? undefined : (JSON.parse(text) as SetAside);
      }),
    allAside: () =>
      asking('reading which previews are set aside', async () => {
        const all = Object.entries(await connection.hgetall(keys.aside));
        return new Map(all.map(([id, text]) => [id as PreviewId, JSON.parse(text) as SetAside]));
      }),
    notePaths: ({ id, repository, branch }, verdict) =>
      asking(`noting what ${id} changes`, async () => {
        await connection.hset(keys.paths, id, JSON.stringify({ repository, branch, ...verdict }));
      }),
    paths: (id) =>
      asking(`reading what ${id} changes`, async () => {
        const text = await connection.hget(keys.paths, id);
        return text === null ? undefined : (JSON.parse(text) as PathsVerdict);
      }),
    allPaths: () =>
      asking('reading what previews change', async () => {
        const all = Object.entries(await connection.hgetall(keys.paths));
        return new Map(all.map(([id, text]) => [id as PreviewId, JSON.parse(text) as PathsVerdict]));
      }),
    uses: () =>
      asking('reading when previews were last used', async () => {
        const all = Object.entries(await connection.hgetall(keys.uses));
        return new Map(all.map(([id, at]) => [id as PreviewId, Number(at)]));
      }),
    noteUses: (uses) =>
      asking('noting when previews were last used', async () => {
        // As a whole, so that what is gone is forgotten.
        const change = connection.multi().del(keys.uses);
        if (uses.size > 0) change.hset(keys.uses, new Map(uses));
        await change.exec();
      }),
    requestRedeploy: (id) =>
      asking(`asking for a build of ${id}`, async () => {
        await connection.multi().sadd(keys.redeploys, id).hdel(keys.aside, id).exec();
      }),
    takeRedeploy: (id) =>
      asking(`looking for a request to build ${id}`, async () => (await connection.srem(keys.redeploys, id)) === 1),
    requestReset: (id) =>
      asking(`asking for new data of ${id}`, async () => {
        await connection.sadd(keys.resets, id);
      }),
    resetWanted: (id) =>
      asking(`looking for a request to reset ${id}`, async () => (await connection.sismember(keys.resets, id)) === 1),
    forgetReset: (id) =>
      asking(`noting that ${id} is reset`, async () => {
        await connection.srem(keys.resets, id);
      }),

    requestCancel: (id) =>
      asking(`asking for the end of a build of ${id}`, async () => {
        await connection.sadd(keys.cancels, id);
      }),
    takeCancel: (id) =>
      asking(`looking for a request to end a build of ${id}`, async () => {
        return (await connection.srem(keys.cancels, id)) === 1;
      }),
    rest: (id) =>
      asking(`reading whether ${id} sleeps`, async () => {
        const [wanted, deep, slept] = await Promise.all([
          connection.sismember(keys.resting, id),
          connection.sismember(keys.deep, id),
          connection.smembers(keys.slept(id)),
        ]);
        return { wanted: wanted === 1, deep: deep === 1, slept: slept.length > 0 ? slept : undefined };
      }),
    wantRest: (id, wanted) =>
      asking(`noting whether ${id} sleeps`, async () => {
        if (wanted) await connection.sadd(keys.resting, id);
        else await connection.multi().srem(keys.resting, id).srem(keys.deep, id).exec();
      }),
    wantDeepRest: (id) =>
      asking(`noting that ${id} gives its memory back`, async () => {
        await connection.multi().sadd(keys.resting, id).sadd(keys.deep, id).exec();
      }),
    noteSlept: (id, containers) =>
      asking(`noting what of ${id} sleeps`, async () => {
        await connection.sadd(keys.slept(id), ...containers);
      }),
    forgetSlept: (id) =>
      asking(`noting that ${id} is awake`, async () => {
        await connection.del(keys.slept(id));
      }),
    forgetRest: (id) =>
      asking(`forgetting whether ${id} sleeps`, async () => {
        await connection.multi().srem(keys.resting, id).srem(keys.deep, id).del(keys.slept(id)).exec();
      }),

    builds: (preview) =>
      asking(`reading the builds of ${preview}`, async () => {
        return (await connection.lrange(keys.builds(preview), 0, -1)) as BuildId[];
      }),
    read: (preview, build, page) =>
      asking(`reading the log of ${preview}`, () => pageOf(connection, keys.build(preview, build), page)),
    last: (preview, build, count) =>
      asking(`reading the log of ${preview}`, () => lastOf(connection, keys.build(preview, build), count)),
    follow: (follow) => followEvents(redis, keys, follow),
    followBuild: (preview, build, follow) => followBuild(redis, keys, { ...follow, preview, build }),
    ping: () =>
      asking('asking whether Redis answers', () => connection.ping()).then(
        () => true,
        () => false,
      ),
    close: async () => {
      await writer.close(CLOSE_MS);
      connection.disconnect();
    },
  };
}

function factIn(text: string): PullRequestFact {
  return JSON.parse(text) as PullRequestFact;
}
