/** What was measured at each number of previews, as a table. */
import type { Table } from './report.ts';
import type { ScaleResult } from './scale-rounds.ts';
import { median, ratio } from './statistics.ts';

export function scaleTable(results: readonly ScaleResult[]): Table {
  const head = [
    'previews',
    'asleep',
    'page of ten',
    'list of all',
    'sweep',
    'CPU of a sweep',
    'route change',
    'wake p50',
    '`docker start` p50',
    'wake of start',
    'one more',
    'memory',
  ];
  const rows = results.map((one) => [
    String(one.previews),
    String(one.asleep),
    ms(one.page),
    ms(one.list),
    ms(one.sweep),
    ms(one.sweepCpu),
    ms(one.route),
    ms(median(one.wakes)),
    ms(median(one.bare)),
    ratio(median(one.wakes), median(one.bare)),
    ms(one.up),
    `${Math.round(one.memory / 1e6)} MB`,
  ]);
  return { title: 'With more and more previews', head, rows };
}

function ms(value: number): string {
  return Number.isFinite(value) ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : '–';
}
