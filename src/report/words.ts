/** How times and sizes are written in what is said on the forge; times of day in UTC, since it cannot know its readers'. */

const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'UTC' });

/** `27 Nov 2026, 12:31 UTC`. @param at milliseconds since the epoch */
export function moment(at: number): string {
  return `${DAY.format(at)}, ${TIME.format(at)} UTC`;
}

/** 0.3 s, 42 s, 3 min 20 s. */
export function took(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** 210 MB, 1.2 GB: in powers of ten, as disks are sold. */
export function bytes(count: number): string {
  return count < 1e9 ? `${Math.max(1, Math.round(count / 1e6))} MB` : `${(count / 1e9).toFixed(1)} GB`;
}

/** One line, for places that take no markdown; cut to `max` characters. */
export function oneLine(text: string, max: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= max ? line : `${line.slice(0, max - 1)}…`;
}
