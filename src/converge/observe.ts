/** Reads the world for one preview: git, what was heard of pull requests, the engine, the gateway. */
import { type Desired, desiredState, excludedBecause } from '../domain/desired.ts';
import { type LiveBuild, liveBuild } from '../domain/live.ts';
import { forkNumber } from '../domain/names.ts';
import type { ObservedStack } from '../domain/observed.ts';
import type { Repository, Route } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { askForPaths } from './changed-paths.ts';
import type { ConvergeDeps } from './deps.ts';
import { observeFork } from './fork.ts';

export interface World {
  readonly desired: Desired;
  readonly stack: ObservedStack;
  readonly routes: readonly Route[];
  /** The build that serves, or would if its containers ran. */
  readonly live: LiveBuild | undefined;
}

/** What should run. Asks the remote, and of a commit that is new the forge where `paths` count. */
export async function observeDesired(
  deps: Pick<ConvergeDeps, 'git' | 'store' | 'forge' | 'forks'>,
  preview: PreviewKey,
  repository: Repository | undefined,
  signal: AbortSignal,
): Promise<Desired> {
  const excluded = excludedBecause(preview, repository);
  if (excluded !== undefined || !repository) return { kind: 'absent', cause: excluded ?? '' };
  const pullRequest = forkNumber(preview.branch);
  if (pullRequest !== undefined) return observeFork(deps, preview, { repository, pullRequest, signal });
  const head = await deps.git.head(repository, preview.branch, signal);
  const { selection } = repository;
  const [pullRequests, aside, verdict] = await Promise.all([
    deps.store.pullRequests(preview.repository, preview.branch),
    deps.store.aside(preview.id),
    selection && selection.paths.length > 0 ? deps.store.paths(preview.id) : undefined,
  ]);
  const known = { head, pullRequests, excluded: undefined, aside, selection };
  const desired = desiredState({ ...known, verdict });
  if (desired.kind !== 'present' || !desired.question) return desired;
  const found = await askForPaths(deps, preview, { repository, question: desired.question, signal });
  return 'touched' in found ? desiredState({ ...known, verdict: found }) : found;
}

export async function observeWorld(
  deps: Pick<ConvergeDeps, 'git' | 'store' | 'forge' | 'forks' | 'engine' | 'gateway'>,
  preview: PreviewKey,
  repository: Repository | undefined,
  signal: AbortSignal,
): Promise<World> {
  const [desired, stack, routes] = await Promise.all([
    observeDesired(deps, preview, repository, signal),
    deps.engine.observe(preview.id),
    deps.gateway.routesOf(preview.id),
  ]);
  return { desired, stack, routes, live: liveBuild(stack, routes) };
}
