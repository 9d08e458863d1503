/** Collects what policy refuses and changes while it reads a file. */
import type { Change, Refusal } from '../domain/stack.ts';
import type { Policy } from './policy.ts';
import type { Section, Verdict } from './table.ts';

export class Notes {
  readonly refusals: Refusal[] = [];
  readonly changes: Change[] = [];
  readonly policy: Policy;

  constructor(policy: Policy) {
    this.policy = policy;
  }

  refuse(path: string, rule: string, message: string): void {
    this.refusals.push({ path, rule, message });
  }

  change(path: string, message: string): void {
    this.changes.push({ path, message });
  }

  /** What the policy says of a key; what it refuses or drops is noted. */
  verdict(section: Section, key: string, path: string): Verdict['verdict'] {
    const row = this.policy.tables[section].get(key);
    if (!row) {
      if (key.startsWith('x-')) return 'skip';
      this.refuse(path, 'unknown', 'this key is not known to Treehouse, so it is not allowed');
      return 'refuse';
    }
    if (row.verdict === 'refuse') this.refuse(path, key, row.message);
    if (row.verdict === 'drop') this.change(path, row.message);
    return row.verdict;
  }

  /** Looks every key up that is set; of the section only those are left that are to be read. */
  section(section: Section, path: string, raw: unknown): Record<string, unknown> {
    const left: Record<string, unknown> = Object.create(null);
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return left;
    for (const [key, value] of Object.entries(raw)) {
      if (!isSet(value)) continue;
      const verdict = this.verdict(section, key, path === '' ? key : `${path}.${key}`);
      if (verdict === 'allow' || verdict === 'read') left[key] = value;
    }
    return left;
  }
}

/** Compose prints keys that nobody set as null, false or empty. */
export function isSet(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
