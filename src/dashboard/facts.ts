/** What pages show beside records: who made a commit, when a preview was last visited, how large its images are. */
import type { Commit, PreviewId } from '../domain/names.ts';
import type { CommitInfo, Gateway, Git, Repository, Store } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import { lastVisits } from '../domain/visits.ts';

export interface FactsDeps {
  readonly git: Pick<Git, 'describe'>;
  readonly gateway: Pick<Gateway, 'routes' | 'visits'>;
  readonly store: Pick<Store, 'uses'>;
  /** Bytes of the images that each preview's containers are made from. */
  sizes(): Promise<ReadonlyMap<PreviewId, number>>;
  repositories(): readonly Repository[];
  now(): number;
  /** Something that is shown of the preview became known. */
  onKnown(id: PreviewId): void;
}

export interface Facts {
  /** What is known of a commit now; what is not is found out, one after the other. */
  commit(record: Pick<PreviewRecord, 'id' | 'repository'>, commit: Commit): CommitInfo | undefined;
  /** Milliseconds since the epoch. */
  visitedAt(id: PreviewId): number | undefined;
  /** Bytes. */
  size(id: PreviewId): number | undefined;
  /** Asks again for what is older than it should be, beside whoever waits for a page. */
  look(): Promise<void>;
}

const COMMITS_MAX = 5_000;
const WAITING_MAX = 5_000;
const UNKNOWN_MS = 60_000;
/** git processes at once. */
const SIDE_BY_SIDE = 2;
const VISITS_MS = 10_000;
/** The engine is asked for all images and containers. */
const SIZES_MS = 60_000;

export function openFacts(deps: FactsDeps): Facts {
  /** What is not known is asked for again after a while: it may be fetched by then. */
  const commits = new Map<Commit, { readonly info?: CommitInfo; readonly askedAt: number }>();
  const waiting: (() => Promise<void>)[] = [];
  let working = 0;
  let visited: ReadonlyMap<PreviewId, number> = new Map();
  let sizes: ReadonlyMap<PreviewId, number> = new Map();
  const visits = seldom(VISITS_MS, deps.now, async () => {
    const [routes, visits, uses] = await Promise.all([deps.gateway.routes(), deps.gateway.visits(), deps.store.uses()]);
    // The gateway forgets when it starts anew.
    visited = changed(visited, lastVisits(routes, visits, uses));
  });
  const images = seldom(SIZES_MS, deps.now, async () => {
    sizes = changed(sizes, await deps.sizes());
  });

  function changed(before: ReadonlyMap<PreviewId, number>, now: ReadonlyMap<PreviewId, number>): typeof now {
    for (const [id, value] of now) if (before.get(id) !== value) deps.onKnown(id);
    return now;
  }

  async function work(): Promise<void> {
    working += 1;
    for (let next = waiting.shift(); next; next = waiting.shift()) await next();
    working -= 1;
  }

  function find(record: Pick<PreviewRecord, 'id' | 'repository'>, commit: Commit): void {
    const repository = deps.repositories().find((one) => one.name === record.repository);
    if (!repository || waiting.length >= WAITING_MAX) return;
    const oldest = commits.size >= COMMITS_MAX ? commits.keys().next().value : undefined;
    if (oldest !== undefined) commits.delete(oldest);
    commits.set(commit, { askedAt: deps.now() });
    waiting.push(async () => {
      const info = await deps.git.describe(repository, commit).catch(() => undefined);
      if (info === undefined) return;
      commits.set(commit, { info, askedAt: deps.now() });
      deps.onKnown(record.id);
    });
    if (working < SIDE_BY_SIDE) void work();
  }

  return {
    commit(record, commit) {
      const known = commits.get(commit);
      if (known?.info) return known.info;
      if (!known || deps.now() - known.askedAt > UNKNOWN_MS) find(record, commit);
      return undefined;
    },
    visitedAt: (id) => visited.get(id),
    size: (id) => sizes.get(id),
    look: async () => void (await Promise.all([visits(), images()])),
  };
}

/** Does it at most once in so many milliseconds, never twice at once; what fails is tried again the next time. */
function seldom(ms: number, now: () => number, act: () => Promise<void>): () => Promise<void> {
  let at = Number.NEGATIVE_INFINITY;
  let doing: Promise<void> | undefined;
  return async () => {
    if (now() - at < ms) return;
    doing ??= act()
      .catch(() => undefined)
      .finally(() => {
        at = now();
        doing = undefined;
      });
    await doing;
  };
}
