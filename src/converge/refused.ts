/** Refusals as the error that ends a build. */
import type { Refusal } from '../domain/stack.ts';
import { TreehouseError } from '../errors.ts';

export function refused(refusals: readonly Pick<Refusal, 'path' | 'message'>[]): TreehouseError {
  const list = refusals.map((one) => `${one.path}: ${one.message}`);
  return new TreehouseError(
    'refused-by-policy',
    list.length === 1 ? (list[0] ?? '') : `${list.length} things are refused:\n  ${list.join('\n  ')}`,
  );
}
