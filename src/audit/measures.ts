/** Small measures of addresses and times. */
import { isLoopback } from '../domain/loopback.ts';

export const DAY_MS = 86_400_000;

export function days(ms: number): string {
  const count = Math.floor(ms / DAY_MS);
  return count === 1 ? '1 day' : `${count} days`;
}

export function isReachable(address: string): boolean {
  return !isLoopback(address);
}
