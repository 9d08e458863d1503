/** Small measures of addresses and times. */

export const DAY_MS = 86_400_000;

export function days(ms: number): string {
  const count = Math.floor(ms / DAY_MS);
  return count === 1 ? '1 day' : `${count} days`;
}

/** An address or name that only this host reaches. */
export function isLoopback(host: string): boolean {
  return /^(?:127\.[\d.]+|\[?::1\]?|\[?::ffff:127\.[\d.]+\]?|localhost)$/i.test(host);
}

export function isReachable(address: string): boolean {
  return !isLoopback(address);
}
