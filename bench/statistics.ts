/** The few numbers that stand for many. */

/** NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/** `1.24 s`. */
export function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(2)} s` : '–';
}

/** `1.10–1.40 s`. */
export function range(values: readonly number[]): string {
  if (values.length === 0) return '–';
  return `${(Math.min(...values) / 1000).toFixed(2)}–${(Math.max(...values) / 1000).toFixed(2)} s`;
}

/** `0.43×`; a dash where there is nothing to compare with. */
export function ratio(of: number, to: number): string {
  return Number.isFinite(of / to) ? `${(of / to).toFixed(2)}×` : '–';
}
