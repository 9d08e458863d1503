/** What is said to whoever waits for a preview that waits. */
import type { Wait } from './admission.ts';

const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth'];

/** "third in the queue, about 4 min: 2 builds run, …" */
export function waitText({ position, because, aboutMs }: Omit<Wait, 'kind'>): string {
  const place = ORDINALS[position - 1] ?? `${position}${endingOf(position)}`;
  const about = aboutMs === undefined ? '' : `, about ${aboutMs < 60_000 ? seconds(aboutMs) : minutes(aboutMs)}`;
  return `${place} in the queue${about}: ${because}`;
}

function seconds(ms: number): string {
  return `${Math.max(1, Math.round(ms / 1_000))} s`;
}

function minutes(ms: number): string {
  return `${Math.round(ms / 60_000)} min`;
}

function endingOf(count: number): string {
  if (Math.floor(count / 10) % 10 === 1) return 'th';
  return ['th', 'st', 'nd', 'rd'][count % 10] ?? 'th';
}
