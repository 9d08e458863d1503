/** When what failed is tried again. */
import { ForgeFault } from '../domain/forge.ts';
import { TreehouseError } from '../errors.ts';

/** Milliseconds. */
export interface Patience {
  /** After the first failure. */
  readonly firstMs: number;
  readonly mostMs: number;
}

export function isTerminal(error: unknown): boolean {
  return error instanceof TreehouseError && error.kind === 'terminal';
}

/** When the forge will hear it again, where it said so; milliseconds since the epoch. */
export function retryAtOf(error: unknown): number | undefined {
  return error instanceof ForgeFault ? error.retryAt : undefined;
}

/**
 * Longer after each failure in a row, and never at the same time for all; where the forge named a time, a little after that.
 * @returns milliseconds
 */
export function backOff(failures: number, at: number | undefined, now: number, { firstMs, mostMs }: Patience): number {
  const most = Math.min(mostMs, firstMs * 2 ** Math.min(failures, 30));
  if (at !== undefined) return Math.max(0, at - now) + Math.random() * firstMs;
  return most / 2 + (Math.random() * most) / 2;
}
