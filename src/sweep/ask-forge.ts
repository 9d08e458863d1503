/** Asks the forge for the pull requests of every repository, one after the other, for as long as a sweep may take over it. */
import { type Agreement, type AgreementState, isOnForge } from '../domain/agreement.ts';
import { type KnownPullRequests, type LearntFact, learn, unlisted } from '../domain/asked.ts';
import { excludedBecause } from '../domain/desired.ts';
import { ForgeFault } from '../domain/forge.ts';
import type { Forks } from '../domain/forks.ts';
import type { Branch } from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import { previewKey } from '../domain/preview.ts';
import type { FaultKind } from '../errors.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { timeLimit } from '../time-limit.ts';
import type { ForgeSide } from './deps.ts';
import type { PullRequests, RepositoryState } from './standing.ts';

/** What came of asking about one repository. */
export type ForgeReply =
  | { readonly repository: Repository; readonly askedAt: number; readonly learnt: readonly LearntFact[] }
  | {
      readonly repository: Repository;
      readonly askedAt: number;
      readonly fault: { readonly why: string; readonly kind: FaultKind };
    };

export interface ForgeSeen {
  readonly host: string;
  /** Without those that the time did not reach to: they come first at the next sweep. */
  readonly replies: readonly ForgeReply[];
  /** Why the forge answered nothing at all. */
  readonly away: string | undefined;
  readonly before: AgreementState['repositories'];
}

/** What was heard of forks, asked as late as can be. */
type ForksOf = Pick<Forks, 'all'>;

/** None is begun after this, since queries wait a second for each other; and none takes longer than that. */
const BEGIN_MS = 10_000;
const REPOSITORY_MS = 15_000;
/** After so many that failed one after the other, the forge is away. */
const FAILED_MAX = 2;

/** @param pullRequests what was heard, read before: what comes while the forge is asked is not contradicted */
export async function askForge(
  { side, forks }: { readonly side: ForgeSide; readonly forks: ForksOf },
  repositories: readonly Repository[],
  pullRequests: PullRequests,
  signal: AbortSignal,
): Promise<ForgeSeen> {
  const { repositories: before } = await side.book.read();
  const triedAt = (one: Repository) => before.get(one.name)?.triedAt ?? 0;
  const turn = repositories
    .filter((one) => isOnForge(one, side.forge.host))
    .toSorted((a, b) => triedAt(a) - triedAt(b));
  const begun = performance.now();
  const replies: ForgeReply[] = [];
  let failed = 0;
  for (let one = turn[0]; one && failed < FAILED_MAX && performance.now() - begun < BEGIN_MS; one = turn[0]) {
    turn.shift();
    const reply = await askOne({ side, forks }, one, pullRequests, signal);
    replies.push(reply);
    failed = isAway(reply) ? failed + 1 : 0;
  }
  const first = replies[0];
  const away = first && 'fault' in first && replies.every(isAway) ? first.fault.why : undefined;
  // What is so of those that were asked about is so of the rest.
  const rest = away === undefined ? [] : turn;
  const unasked = rest.map((repository): ForgeReply => {
    return { repository, askedAt: triedAt(repository), fault: { why: away ?? '', kind: 'transient' } };
  });
  return { host: side.forge.host, replies: [...replies, ...unasked], away, before };
}

function isAway(reply: ForgeReply): boolean {
  return 'fault' in reply && reply.fault.kind === 'transient';
}

async function askOne(
  { side, forks }: { readonly side: ForgeSide; readonly forks: ForksOf },
  repository: Repository,
  pullRequests: PullRequests,
  signal: AbortSignal,
): Promise<ForgeReply> {
  const { forge } = side;
  const late = new ForgeFault(`${forge.host} did not list the open pull requests within ${REPOSITORY_MS / 1000} s`, {
    kind: 'transient',
  });
  const limit = timeLimit(signal, REPOSITORY_MS, late);
  const askedAt = side.now();
  try {
    const known: KnownPullRequests = {
      own: ownOf(repository, pullRequests),
      forks: await forks.all(repository.name),
    };
    const open = await forge.pullRequests(repository.name, limit.signal);
    const missing = unlisted(known, open);
    const others = missing.length === 0 ? [] : await forge.pullRequestsNow(repository.name, missing, limit.signal);
    return {
      repository,
      askedAt,
      learnt: learn(repository.name, known, { open, others, askedAt, answeredAt: side.now() }),
    };
  } catch (error) {
    signal.throwIfAborted();
    const kind = error instanceof TreehouseError ? error.kind : 'transient';
    return { repository, askedAt, fault: { why: messageOf(error), kind } };
  } finally {
    limit.clear();
  }
}

/** What was heard of a repository's own branches. */
function ownOf({ name }: Repository, pullRequests: PullRequests): KnownPullRequests['own'] {
  const start = `${name}:`;
  const found = [...pullRequests].filter(([key]) => key.startsWith(start));
  return new Map(found.map(([key, facts]) => [key.slice(start.length) as Branch, facts]));
}

/** Without what webhooks would not be heard for: branches that are left out, and those that the remote has not. */
export function heeded(seen: ForgeSeen, repositories: readonly RepositoryState[]): ForgeSeen {
  const heads = new Map(repositories.map((one) => [one.repository.name, one.heads]));
  const isHeeded = ({ name, slug, ...rest }: Repository, one: LearntFact): boolean => {
    if (one.kind === 'fork') return true;
    const key = previewKey({ name, slug }, one.branch);
    if (excludedBecause(key, { slug, ...rest }) !== undefined) return false;
    const known = heads.get(name);
    return known === undefined || 'unread' in known || known.has(one.branch);
  };
  const replies = seen.replies.map((one) =>
    'fault' in one ? one : { ...one, learnt: one.learnt.filter((fact) => isHeeded(one.repository, fact)) },
  );
  return { ...seen, replies };
}

/** What is known of a repository's agreement after this sweep; of those that were not asked what it was before. */
export function agreements(
  seen: ForgeSeen,
  repositories: readonly Repository[],
  unnoted: ReadonlyMap<string, string>,
): AgreementState['repositories'] {
  const replies = new Map(seen.replies.map((one) => [one.repository.name, one]));
  const all = repositories.flatMap(({ name }): [typeof name, Agreement][] => {
    const before = seen.before.get(name);
    const reply = replies.get(name);
    if (!reply) return before ? [[name, before]] : [];
    const why = unnoted.get(name);
    const fault = 'fault' in reply ? reply.fault : why === undefined ? undefined : { why, kind: 'transient' as const };
    const agreedAt = fault ? before?.agreedAt : reply.askedAt;
    return [
      [
        name,
        {
          triedAt: reply.askedAt,
          ...(agreedAt === undefined ? {} : { agreedAt }),
          ...(fault ? { fault } : {}),
        },
      ],
    ];
  });
  return new Map(all);
}
