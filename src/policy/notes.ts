/** Collects what policy refuses and changes while it reads a file. */
import type { Change, Refusal } from '../domain/stack.ts';
import type { Verdict } from './table.ts';

export class Notes {
  readonly refusals: Refusal[] = [];
  readonly changes: Change[] = [];

  refuse(path: string, rule: string, message: string): void {
    this.refusals.push({ path, rule, message });
  }

  change(path: string, message: string): void {
    this.changes.push({ path, message });
  }

  /** Looks one key up; true where its value is to be kept or read. */
  verdict(table: ReadonlyMap<string, Verdict>, key: string, path: string): Verdict['verdict'] {
    const row = table.get(key);
    if (!row) {
      if (key.startsWith('x-')) return 'skip';
      this.refuse(path, 'unknown', 'this key is not known to Treehouse, so it is not allowed');
      return 'refuse';
    }
    if (row.verdict === 'refuse') this.refuse(path, key, row.message);
    if (row.verdict === 'drop') this.change(path, row.message);
    return row.verdict;
  }

  /** Looks every key of a section up. */
  verdicts(table: ReadonlyMap<string, Verdict>, path: string, section: Record<string, unknown>): void {
    for (const key of Object.keys(section)) {
      if (isSet(section[key])) this.verdict(table, key, `${path}.${key}`);
    }
  }
}

/** Compose prints keys that nobody set as null, false or empty. */
export function isSet(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
