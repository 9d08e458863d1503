/** What is learnt of a repository's pull requests by asking the forge, where no webhook told it. Pure. */
import type { OpenPullRequest, PullRequestNow } from './forge.ts';
import { type ForkFact, laterFork } from './forks.ts';
import type { Branch, RepositoryName } from './names.ts';
import { factOf, laterFact, type PullRequestFact } from './pull-requests.ts';

/** What was known before the forge was asked: what comes meanwhile is no part of it, and is not contradicted. */
export interface KnownPullRequests {
  readonly own: ReadonlyMap<Branch, readonly PullRequestFact[]>;
  readonly forks: readonly ForkFact[];
}

/** What the forge said. */
export interface ForgeAnswer {
  readonly open: readonly OpenPullRequest[];
  /** Of those that were known as open and are not in its list. */
  readonly others: readonly PullRequestNow[];
  /** When the question was sent, and when all of the answer had come, by our clock; milliseconds since the epoch. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** A fact to be noted. */
export type LearntFact =
  | { readonly kind: 'own'; readonly branch: Branch; readonly fact: PullRequestFact; readonly what?: string }
  /** `what`: what is new of it, for people; without it only its time is. */
  | { readonly kind: 'fork'; readonly fact: ForkFact; readonly what?: string };

/** The forge's clock and ours may be apart by so much. */
const SETTLED_MS = 60_000;

/** Pull requests that are known as open, and that the forge's list of open ones has not: what became of them is to be asked. */
export function unlisted(known: KnownPullRequests, open: readonly OpenPullRequest[]): readonly number[] {
  const listed = new Set(open.map((one) => one.number));
  const all = [...[...known.own.values()].flat(), ...known.forks];
  const missing = all.filter((one) => one.open && !listed.has(one.number)).map((one) => one.number);
  return [...new Set(missing)].sort((a, b) => a - b);
}

/** What of the answer is news. What is known by a later time than the forge's own stays; noting it must keep to that too. */
export function learn(
  repository: RepositoryName,
  known: KnownPullRequests,
  answer: ForgeAnswer,
): readonly LearntFact[] {
  const learnt: LearntFact[] = [];
  for (const one of [...answer.open, ...answer.others]) {
    const { repository: from, branch } = one.head;
    const fact = factIn(one, answer.askedAt);
    if (from?.toLowerCase() === repository.toLowerCase()) {
      const before = known.own.get(branch)?.find(({ number }) => number === one.number);
      if (before && addsNothing(before, fact)) continue;
      learnt.push({ kind: 'own', branch, fact, ...whatIsNew(before, fact) });
      continue;
    }
    const before = known.forks.find(({ number }) => number === one.number);
    // One whose repository is gone is known by what it was; of one that never was known there is nothing to run.
    const fork = from === undefined ? before?.fork : { repository: from, branch };
    if (!fork) continue;
    // Its head came at the latest when it was seen: the forge's time of the pull request may be older than that.
    const headSince = Math.max(fact.updatedAt, answer.answeredAt);
    const next = laterFork(before, { ...fact, fork, headSince });
    if (before && next.headSince === before.headSince && addsNothing(before, fact)) continue;
    learnt.push({ kind: 'fork', fact: { ...fact, fork, headSince }, ...whatIsNew(before, next) });
  }
  return learnt;
}

/** The same map with what was learnt, as it will be once that is noted. */
export function withLearnt(
  known: ReadonlyMap<Branch, readonly PullRequestFact[]>,
  learnt: readonly LearntFact[],
): ReadonlyMap<Branch, readonly PullRequestFact[]> {
  const all = new Map(known);
  for (const one of learnt) {
    if (one.kind === 'fork') continue;
    const before = all.get(one.branch) ?? [];
    const same = before.find(({ number }) => number === one.fact.number);
    const rest = before.filter((each) => each !== same);
    all.set(one.branch, [...rest, laterFact(same, one.fact)]);
  }
  return all;
}

function factIn(one: OpenPullRequest | PullRequestNow, askedAt: number): PullRequestFact {
  const state = 'state' in one ? one.state : 'open';
  const isSettled = askedAt - one.updatedAt >= SETTLED_MS;
  return {
    ...factOf(one),
    ...{ open: state === 'open', merged: state === 'merged' },
    ...(isSettled ? { asked: askedAt } : {}),
  };
}

/** The time of what is known already is news too: deliveries that come late are told from it. */
function addsNothing(before: PullRequestFact, fact: PullRequestFact): boolean {
  if (!isSame(before, fact) || before.updatedAt !== fact.updatedAt) return laterFact(before, fact) === before;
  return fact.asked === undefined || before.asked !== undefined;
}

/** But for their times. */
function isSame(a: PullRequestFact, b: PullRequestFact): boolean {
  return content(a) === content(b);
}

function content({ open, merged, head, base, draft, labels, bot }: PullRequestFact): string {
  return JSON.stringify([open, merged, head, base ?? null, draft ?? null, labels?.toSorted() ?? null, bot ?? null]);
}

function whatIsNew(before: PullRequestFact | undefined, now: PullRequestFact): { readonly what?: string } {
  const one = `pull request #${now.number}`;
  const said = (what: string) => ({ what: `${one} ${what}` });
  if (!now.open && before?.open !== false) return said(now.merged ? 'was merged' : 'was closed');
  if (!before?.open && now.open) return said(before ? 'is open again' : 'is open');
  if (!before || isSame(before, now)) return {};
  const labels = now.labels ?? [];
  const news = [
    ...(before.head === now.head ? [] : ['has new commits']),
    ...(before.base === now.base ? [] : [`is to be merged into '${now.base}'`]),
    ...(before.draft === now.draft ? [] : [now.draft ? 'is a draft' : 'is ready for review']),
    ...(String(before.labels?.toSorted()) === String([...labels].sort())
      ? []
      : [labels.length === 0 ? 'has no label' : `has the labels ${labels.map((label) => `'${label}'`).join(', ')}`]),
  ];
  return said(news.length === 0 ? 'is other than was known' : news.join(', '));
}
