/** What a sweep did or would do, as a table for people. */
import Table from 'cli-table3';
import pc from 'picocolors';
import { plain } from '../domain/plain.ts';
import type { SweepLine, SweepReport } from '../domain/sweep.ts';
import { PLAIN } from './status.ts';

const DONE: Readonly<Record<SweepLine['action'], string>> = {
  hint: 'looked at',
  remove: 'removed',
  wait: 'waits',
  leave: 'left',
  note: 'noted',
};
const WOULD: Readonly<Record<SweepLine['action'], string>> = {
  hint: 'look at',
  remove: 'remove',
  wait: 'wait',
  leave: 'leave',
  note: 'note',
};
const COLOURS: Readonly<Record<SweepLine['action'], (text: string) => string>> = {
  hint: pc.cyan,
  remove: pc.red,
  wait: pc.dim,
  leave: pc.yellow,
  note: pc.cyan,
};

export function sweepTable(report: SweepReport): string {
  const { dryRun, lines } = report;
  if (lines.length === 0) return 'All is as it should be, and nothing is there that belongs to no preview.';
  const table = new Table({
    head: [dryRun ? 'WOULD' : 'DID', 'WHAT', 'NAME', 'WHY'],
    style: { head: [], border: [], compact: true },
    chars: PLAIN,
  });
  for (const { what, name, action, why, failed } of lines) {
    const word = failed === undefined ? COLOURS[action]((dryRun ? WOULD : DONE)[action]) : pc.red('failed');
    table.push([word, what, plain(name), plain(why)]);
  }
  const failures = lines.filter((one) => one.failed !== undefined);
  return [
    table.toString(),
    ...failures.map((one) => `${pc.red('✘')} ${one.what} ${plain(one.name)}: ${plain(one.failed ?? '')}`),
  ].join('\n');
}
