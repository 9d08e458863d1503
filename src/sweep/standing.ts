/** Which previews should be, from the branches of every repository and what was heard of their pull requests. Pure. */
import { BRANCH_DELETED, type Desired, desiredState, excludedBecause, type SetAside } from '../domain/desired.ts';
import { desiredFork, type KnownForks } from '../domain/forks.ts';
import {
  type Branch,
  type Commit,
  forkBranch,
  forkNumber,
  type PreviewId,
  type RepositoryName,
} from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import { type PreviewKey, previewKey } from '../domain/preview.ts';
import type { PullRequestFact } from '../domain/pull-requests.ts';
import type { PathsVerdict } from '../domain/selection.ts';
import type { Owner } from '../domain/sweep.ts';

/** A repository of the configuration, and its branches now. */
export interface RepositoryState {
  readonly repository: Repository;
  /** In their place, why the remote did not tell: which is not the same as that there are none. */
  readonly heads: ReadonlyMap<Branch, Commit> | { readonly unread: string };
}

export type Standing =
  | { readonly kind: 'wanted' }
  | { readonly kind: 'absent'; readonly cause: string }
  /** The remote did not tell, or it depends on what is there. */
  | { readonly kind: 'unknown' };

/** A preview that should be. */
export interface WantedPreview {
  readonly key: PreviewKey;
  readonly commit: Commit;
}

/** A preview that is to stay as it is, whatever that is. */
export interface AsItIs {
  readonly key: PreviewKey;
  readonly desired: Extract<Desired, { kind: 'as-is' }>;
}

export interface Standings {
  readonly wanted: ReadonlyMap<PreviewId, WantedPreview>;
  readonly asIs: ReadonlyMap<PreviewId, AsItIs>;
  /** Whether the owner of a thing should be there. */
  of(owner: Owner): Standing;
}

/** Facts of pull requests by `branchKey`. */
export type PullRequests = ReadonlyMap<string, readonly PullRequestFact[]>;

/** What is known of branches beside their heads. */
export interface KnownOfBranches {
  readonly pullRequests: PullRequests;
  readonly aside: ReadonlyMap<PreviewId, SetAside>;
  readonly paths: ReadonlyMap<PreviewId, PathsVerdict>;
  readonly forks: ReadonlyMap<RepositoryName, KnownForks>;
}

/** Neither part can hold a colon. */
export function branchKey(repository: RepositoryName, branch: Branch): string {
  return `${repository}:${branch}`;
}

const NO_FORKS: KnownForks = { facts: [], approvals: [] };
const WANTED: Standing = { kind: 'wanted' };
const UNKNOWN: Standing = { kind: 'unknown' };

export function standings(
  repositories: readonly RepositoryState[],
  { pullRequests, aside, paths, forks }: KnownOfBranches,
): Standings {
  const byName = new Map(repositories.map((one) => [one.repository.name, one]));
  const unread = repositories.filter((one) => 'unread' in one.heads);
  const wanted = new Map<PreviewId, WantedPreview>();
  const asIs = new Map<PreviewId, AsItIs>();
  /** Of branches that are there and have no preview, why. */
  const causes = new Map<PreviewId, string>();

  for (const { repository, heads } of repositories) {
    if ('unread' in heads) continue;
    for (const [branch, head] of heads) {
      const key: PreviewKey = previewKey(repository, branch);
      const desired = desiredState({
        head,
        pullRequests: pullRequests.get(branchKey(repository.name, branch)) ?? [],
        excluded: excludedBecause(key, repository),
        aside: aside.get(key.id),
        selection: repository.selection,
        verdict: paths.get(key.id),
      });
      note(key, desired);
    }
    const { facts, approvals } = forks.get(repository.name) ?? NO_FORKS;
    for (const fact of facts) {
      const branch = forkBranch(fact.number);
      const key: PreviewKey = previewKey(repository, branch);
      // What the head really is, is asked before it is built.
      const known = { fact, head: fact.head, approvals, selection: repository.selection, aside: aside.get(key.id) };
      note(key, desiredFork(known));
    }
  }

  function note(key: PreviewKey, desired: Desired): void {
    if (desired.kind === 'present') wanted.set(key.id, { key, commit: desired.commit });
    else if (desired.kind === 'as-is') asIs.set(key.id, { key, desired });
    else causes.set(key.id, desired.cause);
  }

  function ofPreview(id: PreviewId, key: PreviewKey | undefined): Standing {
    if (wanted.has(id)) return WANTED;
    if (asIs.has(id)) return UNKNOWN;
    const state = key && byName.get(key.repository);
    if (key) {
      const excluded = excludedBecause(key, state?.repository);
      if (excluded !== undefined) return { kind: 'absent', cause: excluded };
      if (state && 'unread' in state.heads) return UNKNOWN;
    } else if (unread.some((one) => couldBeOf(one.repository, id))) {
      return UNKNOWN;
    }
    // Of a fork that nothing was heard of, Redis may have been wiped.
    if (key && forkNumber(key.branch) !== undefined && !causes.has(id)) return UNKNOWN;
    const cause = causes.get(id) ?? (key ? BRANCH_DELETED : 'no branch has a preview of this name');
    return { kind: 'absent', cause };
  }

  function ofBranch(name: RepositoryName, branch: Branch): Standing {
    const state = byName.get(name);
    if (!state) return notConfigured(name);
    if ('unread' in state.heads) return UNKNOWN;
    const number = forkNumber(branch);
    if (number !== undefined) return ofFork(name, number);
    return state.heads.has(branch) ? WANTED : { kind: 'absent', cause: BRANCH_DELETED };
  }

  function ofFork(name: RepositoryName, number: number): Standing {
    const fact = forks.get(name)?.facts.find((one) => one.number === number);
    if (!fact) return UNKNOWN;
    return fact.open ? WANTED : { kind: 'absent', cause: `pull request #${number} was closed` };
  }

  return {
    wanted,
    asIs,
    of(owner) {
      switch (owner.kind) {
        case 'preview':
          return ofPreview(owner.id, owner.key);
        case 'branch':
          return ofBranch(owner.repository, owner.branch);
        case 'repository':
          return byName.has(owner.repository) ? WANTED : notConfigured(owner.repository);
        case 'nobody':
          return { kind: 'absent', cause: 'it says no preview that it belongs to' };
        default:
          return owner satisfies never;
      }
    },
  };
}

/** Whether an id, of which nothing else is known, may be one of the repository's. */
export function couldBeOf(repository: Pick<Repository, 'slug'>, id: PreviewId): boolean {
  return repository.slug === '' ? !id.includes('--') : id.endsWith(`--${repository.slug}`);
}

function notConfigured(name: RepositoryName): Standing {
  return { kind: 'absent', cause: `${name} is not in the configuration any more` };
}
