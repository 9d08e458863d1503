/** Reads the whole world once: every remote's branches, all that is Treehouse's, and what is known of it. */
import type { KnownForks } from '../domain/forks.ts';
import type { Branch, Commit, PreviewId, RepositoryName } from '../domain/names.ts';
import type { Repository, Route } from '../domain/ports.ts';
import type { Place, Thing } from '../domain/sweep.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { timeLimit, within } from '../time-limit.ts';
import { askForge, heeded } from './ask-forge.ts';
import { batches } from './batches.ts';
import type { Seen } from './decide.ts';
import type { SweepDeps } from './deps.ts';
import { withAnswers, withForkAnswers } from './news.ts';
import { type RepositoryState, type Standings, standings } from './standing.ts';

/** A remote that takes longer to list its branches is for the next sweep. */
const REMOTE_MS = 20_000;
const PLACE_MS = 30_000;

/**
 * @returns what there is, and what should be
 * @throws where the engine, the gateway or Redis does not answer: without them nothing can be said of anything.
 */
export async function observeAll(
  deps: SweepDeps,
  signal: AbortSignal,
): Promise<{ readonly seen: Seen; readonly should: Standings }> {
  // Whoever runs before or after all else is read may have changed it meanwhile.
  const before = await deps.worker.atWork();
  const all = deps.repositories();
  const heads = batches(all, (one) => readHeads(deps, one, signal));
  const wanting = readWanted(deps, all, heads, signal);
  const isWanted = async (id: PreviewId) => {
    const { should } = await wanting;
    return should.wanted.has(id) || should.asIs.has(id);
  };
  const [{ should, ...wanted }, records, inventory, routes, later, places] = await Promise.all([
    wanting,
    deps.store.records(),
    deps.inventory(),
    deps.gateway.routes(),
    deps.hints.later(),
    Promise.all(deps.places.map((one) => readPlace(one, isWanted))),
    // A git that is being ended still writes to its folder.
  ]).finally(() => Promise.allSettled([heads]));
  const seen: Seen = {
    ...wanted,
    records,
    stacks: inventory.stacks,
    routes,
    things: [...inventory.things, ...routeThings(routes), ...places.flatMap((one) => one.things)],
    unread: places.flatMap(({ place, reason }) => (reason === undefined ? [] : [{ place, reason }])),
    running: new Set([...before, ...(await deps.worker.atWork())].map((one) => one.id)),
    later,
  };
  return { seen, should };
}

/** What should be, and from what that is known. */
async function readWanted(
  deps: SweepDeps,
  all: readonly Repository[],
  heads: Promise<readonly RepositoryState[]>,
  signal: AbortSignal,
) {
  const asking = async () => {
    const heard = await deps.allPullRequests();
    return { heard, said: deps.forge && (await askForge({ side: deps.forge, forks: deps.forks }, all, heard, signal)) };
  };
  const [repositories, { heard, said }, aside, paths, heardForks] = await Promise.all([
    heads,
    asking(),
    deps.store.allAside(),
    deps.store.allPaths(),
    readForks(deps, all),
  ]);
  const forge = said && heeded(said, repositories);
  const forks = withForkAnswers(heardForks, forge);
  const known = { pullRequests: withAnswers(heard, forge), aside, paths, forks };
  return { repositories, forge, ...known, should: standings(repositories, known) };
}

/** What was heard of the forks of each. */
export async function readForks(
  { forks }: Pick<SweepDeps, 'forks'>,
  repositories: readonly Repository[],
): Promise<ReadonlyMap<RepositoryName, KnownForks>> {
  const all = await batches(repositories, async ({ name }) => {
    const [facts, approvals] = await Promise.all([forks.all(name), forks.approvals(name)]);
    return [name, { facts, approvals }] as const;
  });
  return new Map(all);
}

/** The branches of a remote, or why they are not known. */
export async function readHeads(
  deps: Pick<SweepDeps, 'git'>,
  repository: Repository,
  signal: AbortSignal,
): Promise<RepositoryState> {
  const late = new TreehouseError('git-failed', `it did not list its branches within ${REMOTE_MS / 1000} s`, {
    kind: 'transient',
  });
  const limit = timeLimit(signal, REMOTE_MS, late);
  try {
    const heads: ReadonlyMap<Branch, Commit> = await deps.git.branches(repository, limit.signal);
    return { repository, heads };
  } catch (error) {
    signal.throwIfAborted();
    return { repository, heads: { unread: messageOf(error) } };
  } finally {
    limit.clear();
  }
}

async function readPlace(
  place: Place,
  isWanted: Parameters<Place['find']>[0],
): Promise<{ readonly place: string; readonly things: readonly Thing[]; readonly reason?: string }> {
  const late = () => new Error(`it took longer than ${PLACE_MS / 1000} s`);
  try {
    return { place: place.name, things: await within(PLACE_MS, place.find(isWanted), late) };
  } catch (error) {
    return { place: place.name, things: [], reason: messageOf(error) };
  }
}

/** One for each preview, since they are set together. */
function routeThings(routes: readonly Route[]): readonly Thing[] {
  return [...new Set(routes.map((one) => one.preview))].map((id) => {
    return { what: 'route', name: id, ref: id, owner: { kind: 'preview', id } };
  });
}
