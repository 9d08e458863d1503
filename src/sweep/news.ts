/** What a sweep does with what the forge told: previews to look at, and what could not be asked. Pure. */
import { type LearntFact, withLearnt } from '../domain/asked.ts';
import { type KnownForks, laterFork } from '../domain/forks.ts';
import { type Branch, forkBranch, type PreviewId, type RepositoryName } from '../domain/names.ts';
import { type PreviewKey, type PreviewRecord, previewKey } from '../domain/preview.ts';
import type { Decision } from '../domain/sweep.ts';
import type { ForgeReply, ForgeSeen } from './ask-forge.ts';
import { branchKey, type PullRequests } from './standing.ts';

/** What was heard, and what was learnt since. */
export function withAnswers(pullRequests: PullRequests, seen: ForgeSeen | undefined): PullRequests {
  const all = new Map(pullRequests);
  for (const one of seen?.replies ?? []) {
    if ('fault' in one) continue;
    for (const fact of one.learnt) {
      if (fact.kind === 'fork') continue;
      const key = branchKey(one.repository.name, fact.branch);
      const known = new Map([[fact.branch, all.get(key) ?? []]]);
      all.set(key, withLearnt(known, [fact]).get(fact.branch) ?? []);
    }
  }
  return all;
}

/** The same of forks. */
export function withForkAnswers(
  known: ReadonlyMap<RepositoryName, KnownForks>,
  seen: ForgeSeen | undefined,
): ReadonlyMap<RepositoryName, KnownForks> {
  const all = new Map(known);
  for (const one of seen?.replies ?? []) {
    if ('fault' in one) continue;
    const { name } = one.repository;
    const facts = new Map(all.get(name)?.facts.map((fact) => [fact.number, fact]));
    for (const { kind, fact } of one.learnt) {
      if (kind === 'fork') facts.set(fact.number, laterFork(facts.get(fact.number), fact));
    }
    all.set(name, { approvals: all.get(name)?.approvals ?? [], facts: [...facts.values()] });
  }
  return all;
}

/** @returns one hint for each preview that news are about, and a line for all else. */
export function newsLines(seen: ForgeSeen | undefined, records: readonly PreviewRecord[]): readonly Decision[] {
  if (!seen) return [];
  const there = new Map(records.map((one) => [one.id, one]));
  const lines = seen.replies.flatMap((one) => linesOf(one, there, seen.away !== undefined));
  return seen.away === undefined ? lines : [unknown(seen.host, seen.away), ...lines];
}

function linesOf(
  reply: ForgeReply,
  records: ReadonlyMap<PreviewId, PreviewRecord>,
  isAway: boolean,
): readonly Decision[] {
  const { repository } = reply;
  if ('fault' in reply) return isAway ? [] : [unknown(repository.name, reply.fault.why)];
  const hints = new Map<PreviewId, { key: PreviewKey; isOpen: boolean; whats: string[] }>();
  for (const one of reply.learnt) {
    if (one.what === undefined) continue;
    const branch = branchOf(one);
    const key = previewKey(repository, branch);
    const { id } = key;
    const hint = hints.get(id) ?? { key, isOpen: false, whats: [] };
    hints.set(id, { key, isOpen: hint.isOpen || one.fact.open, whats: [...hint.whats, one.what] });
  }
  return [...hints].flatMap(([id, { key, isOpen, whats }]): Decision[] => {
    const record = records.get(id);
    // Where there is nothing, nothing ends.
    if (!isOpen && (!record || record.state === 'removed')) return [];
    const why = `${whats.join('; ')}, which no webhook told`;
    return [{ what: 'preview', name: id, action: 'hint', why, id, know: isOpen ? key : undefined }];
  });
}

/** Whose preview a fact is about. */
export function branchOf(one: LearntFact): Branch {
  return one.kind === 'own' ? one.branch : forkBranch(one.fact.number);
}

function unknown(name: string, why: string): Decision {
  return { what: 'pull requests', name, action: 'leave', why: `what is known of them stays: ${why}` };
}
