/** Whether a program can go on with what lies in Redis. Pure. */
import { TreehouseError } from '../errors.ts';

/** What Redis says of its state. */
export interface Found {
  /** Undefined: nothing says which version it is of. */
  readonly version: string | undefined;
  /** The Treehouse that stamped it. */
  readonly by: string | undefined;
  /** Whether there is anything of a Treehouse's beside that. */
  readonly isEmpty: boolean;
}

/** `stamp` an empty one, `migrate` an older one. */
export type Verdict =
  | { readonly act: 'go' }
  | { readonly act: 'stamp' }
  | { readonly act: 'migrate'; readonly from: number };

/**
 * @param known the newest version that this program knows
 * @throws {TreehouseError} `bad-config` where a newer Treehouse wrote it, or nobody can tell
 */
export function judge({ version, by, isEmpty }: Found, known: number, program: string): Verdict {
  // All that was written before there were versions is of version 0.
  if (version === undefined) return isEmpty ? { act: 'stamp' } : { act: 'migrate', from: 0 };
  const found = /^\d{1,9}$/.test(version) ? Number(version) : undefined;
  if (found === known) return { act: 'go' };
  if (found !== undefined && found < known) return { act: 'migrate', from: found };
  const is = found === undefined ? `no version that Treehouse writes (${JSON.stringify(version)})` : `version ${found}`;
  const writer = by === undefined ? '' : `, written by Treehouse ${by}`;
  throw new TreehouseError(
    'bad-config',
    `the state in Redis is of ${is}${writer}; this is Treehouse ${program}, which knows version ${known} at most. ` +
      `Nothing was touched. Start ${by === undefined ? 'the Treehouse that wrote it' : `Treehouse ${by}`} or a newer one, ` +
      'or go back to a state from before: docs/install.md#back',
  );
}
