/** Small parts of pages. */

import { age } from '../domain/duration.ts';
import type { PreviewState } from '../domain/preview.ts';
import { h } from './markup.ts';

const STATE_MARKS: Readonly<Record<PreviewState, string>> = {
  waiting: '…',
  building: '▶',
  live: '●',
  outdated: '◐',
  failed: '✕',
  asleep: '☾',
  waking: '◔',
  removing: '↓',
  removed: '○',
};

/** A state by word and mark, never by colour alone. */
export function State({ state }: { readonly state: PreviewState }): JSX.Element {
  return (
    <span class={`state is-${state}`}>
      <span class="mark" aria-hidden="true">
        {STATE_MARKS[state]}
      </span>
      {state}
    </span>
  );
}

/** How long ago it was; the page's script keeps it true. */
export function Ago({ at, now }: { readonly at: number | undefined; readonly now: number }): JSX.Element {
  if (at === undefined) return <span class="none">–</span>;
  const iso = new Date(at).toISOString();
  return (
    <time datetime={iso} title={iso} class="ago">
      {age(now - at)}
    </time>
  );
}

/** A link to a preview itself; what is no web address is shown and leads nowhere. */
export function Visit({ url, label }: { readonly url: string; readonly label: string }): JSX.Element {
  if (!/^https?:\/\//.test(url)) return <span>{url}</span>;
  return (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {label}
      <span class="hidden"> (opens in a new tab)</span>
    </a>
  );
}

/** The attribute of what is sent alone: it takes the place of the element with its id. */
export function oob(alone: boolean): { readonly 'hx-swap-oob'?: 'true' } {
  return alone ? { 'hx-swap-oob': 'true' } : {};
}
