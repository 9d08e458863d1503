/** `x-treehouse.idle`: after how long without a visit the preview sleeps, where that is sooner than its admin has it. */
import { millisecondsOf, written } from '../domain/duration.ts';
import type { Notes } from './notes.ts';

const WHERE = 'x-treehouse.idle';
const LEAST_MS = 1_000;

/** Milliseconds as the file says them; undefined where it asks for nothing. What the admin's own limit overrules is noted. */
export function readIdle(raw: unknown, notes: Notes): number | undefined {
  const { idle: most } = notes.policy;
  if (raw === undefined || raw === null) return undefined;
  // YAML of old takes the word for a boolean.
  if (raw === 'off' || raw === false) {
    if (most !== undefined) notes.change(WHERE, `it sleeps after ${written(most)}: that is the admin's to switch off`);
    return undefined;
  }
  const asked = typeof raw === 'string' ? millisecondsOf(raw) : undefined;
  if (asked === undefined || asked < LEAST_MS) {
    notes.refuse(
      WHERE,
      'value',
      `it is a time of at least a second, such as 30m, or off; ${JSON.stringify(raw)} is not`,
    );
    return undefined;
  }
  if (most !== undefined && asked > most) {
    notes.change(
      WHERE,
      `${written(most)} instead of ${written(asked)}: a file may say a shorter time than its admin, not a longer one`,
    );
  }
  return asked;
}
