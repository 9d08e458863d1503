/** Previews as a table for people. */
import Table from 'cli-table3';
import pc from 'picocolors';
import type { PreviewView } from '../api/schemas.ts';
import { age } from '../domain/duration.ts';
import { plain } from '../domain/plain.ts';

const COLOURS: Readonly<Record<PreviewView['state'], (text: string) => string>> = {
  live: pc.green,
  outdated: pc.yellow,
  building: pc.cyan,
  waiting: pc.cyan,
  failed: pc.red,
  asleep: pc.blue,
  waking: pc.cyan,
  removing: pc.dim,
  removed: pc.dim,
};

export function statusTable(previews: readonly PreviewView[], now: number): string {
  if (previews.length === 0) return 'There are no previews. Push a branch, and it gets one.';
  const table = new Table({
    head: ['PREVIEW', 'STATE', 'COMMIT', 'AGE', 'URL'],
    style: { head: [], border: [], compact: true },
    chars: PLAIN,
  });
  for (const one of previews) {
    table.push([
      one.id,
      COLOURS[one.state](one.pinned ? `${one.state}, pinned` : one.state),
      one.commit?.slice(0, 12) ?? '–',
      one.since === null ? '–' : age(now - Date.parse(one.since)),
      one.url ?? pc.dim(cut(one.reason)),
    ]);
  }
  const lines = [table.toString()];
  for (const one of previews) {
    if (one.position !== null) lines.push(`${pc.cyan('…')} ${one.id}: ${plain(one.reason)}`);
    else if (one.state === 'outdated' || one.state === 'failed')
      lines.push(`${pc.red('✘')} ${one.id}: ${plain(one.reason)}`);
    else if (one.state === 'removed') lines.push(`${pc.dim('○')} ${one.id}: ${plain(one.reason)}`);
  }
  for (const { id, expiresAt } of previews) {
    if (expiresAt === null) continue;
    const left = age(Date.parse(expiresAt) - now);
    lines.push(`${pc.yellow('!')} ${id} goes in ${left} unless somebody uses it; treehouse pin ${id} keeps it`);
  }
  return lines.join('\n');
}

/** A table's characters where it has no lines. */
export const PLAIN = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '' },
  ...{ 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
};

function cut(text: string): string {
  const line = plain(text.split('\n')[0] ?? '');
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
