/** Refusals as the error that ends a build. */
import type { Refusal } from '../domain/stack.ts';
import { TreehouseError } from '../errors.ts';

export function refused(refusals: readonly Omit<Refusal, 'rule'>[]): TreehouseError {
  const list = refusals.map(({ at, path, message }) => `${at ? `${at.file}:${at.line}: ` : ''}${path}: ${message}`);
  return new TreehouseError(
    'refused-by-policy',
    list.length === 1 ? (list[0] ?? '') : `${list.length} things are refused:\n  ${list.join('\n  ')}`,
  );
}
