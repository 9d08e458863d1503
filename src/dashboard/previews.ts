/** What the page of all previews shows: filtered, sorted and paged by the API's own rules, with what is known beside. */
import { z } from 'zod';
import { type ListQuery, listed, listQuery } from '../api/list.ts';
import { STATES } from '../api/schemas.ts';
import { type Principal, reaches } from '../domain/access.ts';
import type { CommitInfo, Pins, Store } from '../domain/ports.ts';
import type { PreviewRecord, PreviewState } from '../domain/preview.ts';
import type { Facts } from './facts.ts';

export interface Row {
  readonly record: PreviewRecord;
  readonly commit: string | undefined;
  readonly info: CommitInfo | undefined;
  /** Milliseconds since the epoch. */
  readonly visitedAt: number | undefined;
  /** Bytes. */
  readonly size: number | undefined;
  readonly isPinned: boolean;
}

export interface Overview {
  readonly query: ListQuery;
  /** As the address has it, without what is empty. */
  readonly words: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
  readonly next: string | null;
  /** Of all that is reached, whatever is asked for. */
  readonly counts: ReadonlyMap<PreviewState, number>;
  readonly total: number;
  readonly repositories: readonly string[];
}

export interface PreviewsDeps {
  readonly store: Pick<Store, 'records'>;
  readonly pins: Pick<Pins, 'all'>;
  readonly facts: Facts;
}

/** Rows of a page. */
const PAGE = 50;
const KEYS = ['state', 'repository', 'search', 'all', 'sort', 'after'] as const;

/** What the address asks for; what cannot be is left out. */
export function wordsOf(query: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const words: Record<string, string> = {};
  for (const key of KEYS) {
    const value = query[key];
    if (typeof value === 'string' && value.trim() !== '') words[key] = value.trim();
  }
  return words;
}

/** @returns what is wrong with the words, where something is */
export async function overviewOf(
  deps: PreviewsDeps,
  words: Readonly<Record<string, string>>,
  principal: Principal,
): Promise<Overview | string> {
  const parsed = listQuery.safeParse({ sort: '-changedAt', ...words, limit: PAGE });
  if (!parsed.success) return z.prettifyError(parsed.error);
  const [records, pins] = await Promise.all([deps.store.records(), deps.pins.all()]);
  const page = listed(records, parsed.data, principal);
  if (!page) return 'after: it is no cursor of this list';
  const counts = new Map<PreviewState, number>(STATES.map((one) => [one, 0]));
  const repositories = new Set<string>();
  let total = 0;
  for (const { repository, state } of records) {
    if (!reaches(principal, repository)) continue;
    repositories.add(repository);
    counts.set(state, (counts.get(state) ?? 0) + 1);
    if (state !== 'removed') total += 1;
  }
  const rows = page.records.map((record): Row => {
    const commit = record.serving?.commit ?? record.attempt?.commit;
    const { facts } = deps;
    return {
      ...{ record, commit, info: commit && facts.commit(record, commit) },
      ...{ visitedAt: facts.visitedAt(record.id), size: facts.size(record.id), isPinned: pins.has(record.id) },
    };
  });
  return { query: parsed.data, words, rows, next: page.next, counts, total, repositories: [...repositories].sort() };
}
