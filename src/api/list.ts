/** Filters, sorts and pages previews. Pure. */
import { z } from 'zod';
import { type Principal, reaches } from '../domain/access.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import { repositoryText, STATES } from './schemas.ts';

const SORTS = ['id', '-id', 'changedAt', '-changedAt', 'repository', '-repository'] as const;

/** `a` or `a,b`. */
const states = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(STATES)))
  .transform((all) => new Set(all));

export const listQuery = z.strictObject({
  state: states.optional().meta({ description: 'One or more states, by commas.', example: 'live,asleep' }),
  repository: repositoryText.optional(),
  search: z.string().max(255).optional().meta({ description: 'Part of an id or of a branch.' }),
  all: z.enum(['true', 'false']).optional().meta({ description: 'Also those that were removed in the last days.' }),
  sort: z.enum(SORTS).default('id').meta({ description: 'With - the other way round.' }),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  after: z.string().max(1_000).optional().meta({ description: '`next` of the page before.' }),
});
export type ListQuery = z.output<typeof listQuery>;

export interface Page {
  readonly records: readonly PreviewRecord[];
  readonly next: string | null;
}

/** @returns undefined where `after` is no cursor of this order. */
export function listed(all: readonly PreviewRecord[], query: ListQuery, principal: Principal): Page | undefined {
  const after = query.after === undefined ? undefined : cursorIn(query.after);
  if (query.after !== undefined && !after) return undefined;
  const search = query.search?.toLowerCase();
  const wanted = all.filter(
    (one) =>
      reaches(principal, one.repository) &&
      (query.all === 'true' || one.state !== 'removed' || query.state?.has('removed') === true) &&
      (query.state?.has(one.state) ?? true) &&
      (query.repository === undefined || one.repository.toLowerCase() === query.repository.toLowerCase()) &&
      (search === undefined || one.id.includes(search) || one.branch.toLowerCase().includes(search)),
  );
  const field = query.sort.replace('-', '') as 'id' | 'changedAt' | 'repository';
  const sign = query.sort.startsWith('-') ? -1 : 1;
  const keyed = wanted.map((record) => ({ record, key: [record[field], record.id] as Cursor }));
  const sorted = keyed.sort((a, b) => sign * order(a.key, b.key));
  const rest = after ? sorted.filter(({ key }) => sign * order(key, after) > 0) : sorted;
  const page = rest.slice(0, query.limit);
  const last = page.at(-1);
  return {
    records: page.map(({ record }) => record),
    next: last && rest.length > page.length ? Buffer.from(JSON.stringify(last.key)).toString('base64url') : null,
  };
}

/** What a page ended with: the value it is sorted by, then the id, so that no two are alike. */
type Cursor = readonly [value: string | number, id: string];

const cursorSchema = z.tuple([z.union([z.string(), z.number()]), z.string()]);

function cursorIn(text: string): Cursor | undefined {
  try {
    return cursorSchema.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString())).data;
  } catch {
    return undefined;
  }
}

function order(a: Cursor, b: Cursor): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  if (a[1] === b[1]) return 0;
  return a[1] < b[1] ? -1 : 1;
}
