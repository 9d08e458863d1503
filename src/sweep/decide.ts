/** What a sweep does with what it saw: previews to look at, and things that belong to none. Pure, so that a dry run tells the truth. */
import { type SetAside, settled } from '../domain/desired.ts';
import { driftOf, staleBuild } from '../domain/drift.ts';
import type { KnownForks } from '../domain/forks.ts';
import { liveBuild } from '../domain/live.ts';
import { forkNumber, type PreviewId, previewId, type RepositoryName } from '../domain/names.ts';
import type { ObservedStack } from '../domain/observed.ts';
import type { Route } from '../domain/ports.ts';
import type { PreviewKey, PreviewRecord } from '../domain/preview.ts';
import type { PathsVerdict } from '../domain/selection.ts';
import { type Decision, KINDS, type Owner, type Thing } from '../domain/sweep.ts';
import type { ForgeSeen } from './ask-forge.ts';
import { grouped } from './grouped.ts';
import { newsLines } from './news.ts';
import { type PullRequests, type RepositoryState, type Standings, standings, type WantedPreview } from './standing.ts';

/** The world at one time. */
export interface Seen {
  readonly repositories: readonly RepositoryState[];
  /** What was heard, and what the forge said since. */
  readonly pullRequests: PullRequests;
  /** What the forge was asked; undefined without credentials. */
  readonly forge: ForgeSeen | undefined;
  readonly aside: ReadonlyMap<PreviewId, SetAside>;
  readonly paths: ReadonlyMap<PreviewId, PathsVerdict>;
  readonly forks: ReadonlyMap<RepositoryName, KnownForks>;
  readonly records: readonly PreviewRecord[];
  readonly stacks: ReadonlyMap<PreviewId, ObservedStack>;
  readonly routes: readonly Route[];
  readonly things: readonly Thing[];
  /** Places of which nothing is known this time, and why. */
  readonly unread: readonly { readonly place: string; readonly reason: string }[];
  /** Previews whose converge was under way at any time while all this was read. */
  readonly running: ReadonlySet<PreviewId>;
  /** Previews that are to be tried again at a later time. */
  readonly later: ReadonlySet<PreviewId>;
}

/** What a sweep remembers of those before it. */
export interface Memory {
  /** Thing, by `thingKey` → when it was first seen to belong to nothing, with no sweep since that saw otherwise. */
  readonly firstSeen: ReadonlyMap<string, number>;
  /** Whether none was before it: whatever a crash cut off is looked at. */
  readonly isFirst: boolean;
}

export interface Decided {
  readonly decisions: readonly Decision[];
  /** For the next sweep. */
  readonly firstSeen: ReadonlyMap<string, number>;
}

/**
 * @param time `now` is of a clock that never jumps; both in milliseconds
 * @param should where it was worked out already
 */
export function decide(
  seen: Seen,
  memory: Memory,
  time: { readonly now: number; readonly graceMs: number },
  should: Standings = standings(seen.repositories, seen),
): Decided {
  const things = orphans(seen, should, memory, time);
  const news = newsLines(seen.forge, seen.records);
  const told = new Set(news.map((one) => one.name));
  // One that news are about is looked at, whatever else there is to say of it.
  const previews = previewLines(seen, should, memory.isFirst).filter((one) => !told.has(one.name));
  return {
    decisions: [...unreadLines(seen), ...news, ...previews, ...things.decisions],
    firstSeen: things.firstSeen,
  };
}

export function thingKey(thing: Pick<Thing, 'what' | 'ref'>): string {
  return `${thing.what} ${thing.ref}`;
}

function unreadLines(seen: Seen): Decision[] {
  const remotes = seen.repositories.flatMap(({ repository, heads }): Decision[] =>
    'unread' in heads
      ? [
          {
            what: 'repository',
            name: repository.name,
            action: 'leave',
            why: `nothing of it is touched: ${heads.unread}`,
          },
        ]
      : [],
  );
  const places = seen.unread.map(
    ({ place, reason }): Decision => ({
      what: 'place',
      name: place,
      action: 'leave',
      why: `nothing there is touched: ${reason}`,
    }),
  );
  return [...remotes, ...places];
}

/** Hints for previews that are not as they should be, and for those that should not be at all. */
function previewLines(seen: Seen, should: Standings, isFirst: boolean): Decision[] {
  const records = new Map(seen.records.map((one) => [one.id, one]));
  const routes = grouped(seen.routes, (one) => one.preview);
  const lines: Decision[] = [];
  const hint = (id: PreviewId, know: PreviewKey | undefined, why: string): void => {
    if (isFirst || !seen.later.has(id)) lines.push({ what: 'preview', name: id, action: 'hint', why, id, know });
  };

  const { wanted, gone } = withAsIs(seen, should, routes);
  for (const [id, { key, commit }] of wanted) {
    const record = records.get(id);
    const isRunning = seen.running.has(id);
    const stale = isRunning ? staleBuild(record, commit) : undefined;
    const drift = driftOf({ key, commit, record, stack: seen.stacks.get(id), routes: routes.get(id) ?? [] });
    // Secrets in memory, checkouts and pull requests that closed meanwhile: what a crash cut off does not all show.
    const why = stale ?? drift ?? (isFirst ? 'Treehouse has just started' : undefined);
    if (why === undefined) continue;
    if (!isRunning || stale !== undefined) hint(id, key, why);
    else lines.push({ what: 'preview', name: id, action: 'leave', why: `it is being converged; ${why}` });
  }
  for (const key of knownKeys(seen)) {
    const standing = should.of({ kind: 'preview', id: key.id, key });
    const cause = standing.kind === 'absent' ? standing.cause : gone.get(key.id);
    // A build that runs hears of it, and ends.
    if (cause !== undefined) hint(key.id, undefined, `${cause}, and it is not gone`);
    else if (isUnheardFork(seen, key)) hint(key.id, undefined, 'nothing is known of its pull request');
  }
  return lines;
}

/** Redis may have been wiped, with what was heard of its pull request and who approved it. */
function isUnheardFork({ forks }: Seen, { repository, branch }: PreviewKey): boolean {
  const number = forkNumber(branch);
  return number !== undefined && forks.get(repository)?.facts.some((one) => one.number === number) !== true;
}

/** Those that are to stay as they are too: what serves is wanted, and where nothing does, nothing is. */
function withAsIs(
  seen: Seen,
  should: Standings,
  routes: ReadonlyMap<PreviewId, readonly Route[]>,
): { readonly wanted: ReadonlyMap<PreviewId, WantedPreview>; readonly gone: ReadonlyMap<PreviewId, string> } {
  const wanted = new Map(should.wanted);
  const gone = new Map<PreviewId, string>();
  for (const [id, { key, desired }] of should.asIs) {
    const stack = seen.stacks.get(id);
    const serving = stack && liveBuild(stack, routes.get(id) ?? [])?.commit;
    const now = settled(desired, { serving, isAsked: false });
    if (now.kind === 'present') wanted.set(id, { key, commit: now.commit });
    // One that is built at somebody's request is to end by itself.
    else if (!seen.running.has(id)) gone.set(id, now.cause);
  }
  return { wanted, gone };
}

/** Previews that own anything on the engine, or that the history has as not removed. */
function knownKeys(seen: Seen): Iterable<PreviewKey> {
  const keys = new Map<PreviewId, PreviewKey>();
  for (const { owner } of seen.things) if (owner.kind === 'preview' && owner.key) keys.set(owner.id, owner.key);
  for (const { id, repository, branch, state } of seen.records) {
    if (state !== 'removed') keys.set(id, { id, repository, branch });
  }
  return keys.values();
}

function orphans(
  seen: Seen,
  should: Standings,
  memory: Memory,
  { now, graceMs }: { readonly now: number; readonly graceMs: number },
): Decided {
  // What a thing's name alone does not tell, the history may.
  const known = new Map(seen.records.map(({ id, repository, branch }) => [id, { id, repository, branch }]));
  const slugs = new Map(seen.repositories.map(({ repository }) => [repository.name, repository.slug]));
  const decisions: Decision[] = [];
  const firstSeen = new Map<string, number>();
  for (const thing of seen.things) {
    const { what, name } = thing;
    const owner = withKey(thing.owner, known);
    const standing = should.of(owner);
    if (standing.kind !== 'absent') continue;
    const id = previewOf(owner, slugs);
    if (id !== undefined && seen.running.has(id)) {
      decisions.push({ what, name, action: 'leave', why: `${id} is being converged` });
      continue;
    }
    const since = memory.firstSeen.get(thingKey(thing));
    firstSeen.set(thingKey(thing), since ?? now);
    if (since !== undefined && now - since >= graceMs) {
      decisions.push({ what, name, action: 'remove', why: standing.cause, thing });
    } else {
      const left = Math.ceil((graceMs - (now - (since ?? now))) / 1000);
      decisions.push({
        what,
        name,
        action: 'wait',
        why: `${standing.cause}; it goes in ${left} s if that is still so`,
      });
    }
  }
  const order = new Map<string, number>(KINDS.map((kind, index) => [kind, index]));
  decisions.sort((a, b) => (order.get(a.what) ?? 0) - (order.get(b.what) ?? 0));
  return { decisions, firstSeen };
}

function withKey(owner: Owner, known: ReadonlyMap<PreviewId, PreviewKey>): Owner {
  const key = owner.kind === 'preview' && !owner.key ? known.get(owner.id) : undefined;
  return key ? { kind: 'preview', id: key.id, key } : owner;
}

/** The preview whose converge may be using what is the owner's. */
export function previewOf(owner: Owner, slugs: ReadonlyMap<string, string>): PreviewId | undefined {
  if (owner.kind === 'preview') return owner.id;
  if (owner.kind !== 'branch') return undefined;
  const slug = slugs.get(owner.repository);
  return slug === undefined ? undefined : previewId(slug, owner.branch);
}
