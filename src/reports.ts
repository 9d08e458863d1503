/** Wires what is said on the forge: what it is told by, what it knows beside records, and where it keeps what it said. */
import type Docker from 'dockerode';
import { newestSizes } from './adapters/engine-sizes.ts';
import type { Connections } from './adapters/redis-keys.ts';
import { redisNotes } from './adapters/redis-notes.ts';
import { redisSaid } from './adapters/redis-said.ts';
import type { RedisStore } from './adapters/redis-store.ts';
import type { Config } from './config.ts';
import { openDigests } from './dashboard/digests.ts';
import type { Forge } from './domain/forge.ts';
import { type Branch, type PreviewId, previewId, type RepositoryName } from './domain/names.ts';
import type { Notes } from './domain/notes.ts';
import type { Clock, Repository, Store } from './domain/ports.ts';
import { messageOf } from './errors.ts';
import type { Logger } from './log.ts';
import { type Reporter, type ReporterDeps, startReporting } from './report/reporter.ts';
import type { PullRequests } from './sweep/standing.ts';

export interface ReportsDeps {
  readonly config: Pick<Config, 'adminHost'>;
  readonly forge: Forge;
  readonly docker: Docker;
  readonly instance: string;
  readonly redis: Connections;
  readonly store: RedisStore;
  readonly clock: Clock;
  readonly log: Logger;
  repositories(): readonly Repository[];
  /** By `branchKey`. */
  allPullRequests(): Promise<PullRequests>;
}

export interface Reports extends Pick<Reporter, 'take' | 'look'> {
  /** Something was heard of a branch's pull requests. */
  heard(...of: Parameters<Store['pullRequests']>): void;
  /** Somebody was answered on a pull request. */
  noted(repository: RepositoryName, pullRequest: number): void;
  /** What they were answered, shown below the comment. */
  readonly notes: Notes;
  stop(): Promise<void>;
}

/** Previews that went as Treehouse was stopped by hand are told of, as far as that goes. */
const LAST_WORDS_MS = 3_000;

export function openReports(deps: ReportsDeps): Reports {
  const { config, store, clock, repositories } = deps;
  const book = redisSaid({ redis: deps.redis });
  const notes = redisNotes({ redis: deps.redis });
  const digests = openDigests(store);
  const heard: Reports['heard'] = (name, branch) => {
    const repository = repositories().find((one) => one.name === name);
    if (repository) reporter.look(previewId(repository.slug, branch));
  };
  const reporter = startReporting({
    ...{ forge: deps.forge, book, store, log: deps.log, now: clock.now, repositories },
    changesOf: async (key, build) => (await digests.of(key, build)).changes,
    noteOf: (repository, number) => notes.of(repository, number),
    sizeOf: sizesSince(() => newestSizes(deps.docker, deps.instance), clock),
    // Without a name of its own it is on loopback, or behind a name that is not known here.
    dashboard: config.adminHost === undefined ? undefined : `https://${config.adminHost}/`,
  });
  return {
    take: reporter.take,
    look: reporter.look,
    notes,
    heard,
    noted(name, number) {
      void deps.allPullRequests().then(
        (all) => {
          for (const [key, facts] of all) {
            const [repository, branch] = key.split(':') as [RepositoryName, Branch];
            if (repository === name && facts.some((one) => one.number === number)) heard(repository, branch);
          }
        },
        // It is shown with the next change.
        (error: unknown) => deps.log.debug({ reason: messageOf(error) }, 'an answer is not shown yet'),
      );
    },
    async stop() {
      await reporter.stop(LAST_WORDS_MS);
      book.close();
      notes.close();
    },
  };
}

/** One question for all previews, asked again only for one that serves since it was asked. */
function sizesSince(ask: () => Promise<ReadonlyMap<PreviewId, number>>, clock: Clock): ReporterDeps['sizeOf'] {
  let asked: { readonly at: number; readonly sizes: ReturnType<typeof ask> } | undefined;
  return async (id, since) => {
    if (asked === undefined || asked.at < since) {
      const mine = { at: clock.now(), sizes: ask() };
      asked = mine;
      mine.sizes.catch(() => {
        if (asked === mine) asked = undefined;
      });
    }
    return (await asked.sizes).get(id);
  };
}
