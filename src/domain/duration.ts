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

/** The same in milliseconds, also of days, which compose files do not know: `14d`. */
export function millisecondsOf(written: string): number | undefined {
  const days = /^(\d+)d$/.exec(written)?.[1];
  if (days !== undefined) return Number(days) * 86_400_000;
  const nanoseconds = nanosecondsOf(written);
  return nanoseconds === undefined ? undefined : nanoseconds / 1e6;
}

/** As they are written, to the second: `1h30m`. */
export function written(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor((seconds % 86_400) / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'm'],
    [seconds % 60, 's'],
  ] as const;
  return parts.map(([count, unit]) => (count === 0 ? '' : `${count}${unit}`)).join('') || '0s';
}

/** The largest unit that fits: 12 s, 5 min, 3 h, 2 d. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
