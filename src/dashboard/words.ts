/** How pages write numbers, and what they call acts. Pure. */
import type { PreviewAct } from '../api/acts.ts';

/** 1.2 GB, in powers of ten, as disks are sold. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [count, 0];
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** 340 ms, 2.4 s, 3 min 20 s. */
export function took(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

export function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What the button says, what is said once it was asked for, and what is asked before where it cannot be taken back. */
export const ACTS: Readonly<
  Record<PreviewAct, { readonly label: string; readonly said: string; readonly confirm?: string }>
> = {
  redeploy: { label: 'Redeploy', said: 'Its newest commit is built and started anew.' },
  cancel: { label: 'Cancel the build', said: 'The build under way is ended.' },
  sleep: { label: 'Put to sleep', said: 'It is put to sleep; a visit wakes it.' },
  wake: { label: 'Wake', said: 'It is woken.' },
  pin: { label: 'Pin', said: 'It is pinned: neither idleness nor time ends it.' },
  unpin: { label: 'Unpin', said: 'It is pinned no more.' },
  reset: {
    label: 'Reset its data',
    said: 'Its data is thrown away and made anew.',
    confirm: 'Its volumes are thrown away with all that is in them, and seeded again.',
  },
  down: {
    label: 'Take down',
    said: 'It is taken down.',
    confirm:
      'Its containers and its data go. It comes back when its branch moves on, or when somebody asks for a build.',
  },
};
