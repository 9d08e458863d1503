/** Times as compose files write them. */

const SECOND = 1e9;
const UNITS: Readonly<Record<string, number>> = {
  h: 3600 * SECOND,
  m: 60 * SECOND,
  s: SECOND,
  ms: 1e6,
  us: 1e3,
  µs: 1e3,
  ns: 1,
};

/** `1m30s` in nanoseconds, the unit of the engine's API; undefined for what is no duration. */
export function nanosecondsOf(written: string): number | undefined {
  const parts = [...written.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)];
  if (parts.length === 0 || parts.map(([all]) => all).join('') !== written) return undefined;
  return Math.round(parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? 0), 0));
}
