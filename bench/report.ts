/** The results as tables: rows of text, for a terminal and for a page alike. */
import type { Way } from './contender.ts';
import type { Sample } from './measure.ts';
import type { StackResult, WayResult } from './rounds.ts';
import type { Change } from './stacks.ts';
import { median, range, ratio, seconds } from './statistics.ts';

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const NAMES: Readonly<Record<Way, string>> = { treehouse: 'Treehouse', script: 'the script', floor: 'the floor' };

export function tables(results: readonly StackResult[]): readonly Table[] {
  return [redeploys(results), around(results), stages(results)];
}

function redeploys(results: readonly StackResult[]): Table {
  const rows = results.flatMap((result) =>
    result.changes.flatMap((change) => {
      const medianOf = (way: Way) => median(times(result.ways.find((one) => one.way === way)?.redeploys[change]));
      return result.ways.map((one) => {
        const all = times(one.redeploys[change]);
        return [
          changeText(result, change),
          NAMES[one.way],
          String(all.length),
          seconds(median(all)),
          range(all),
          one.way === 'script' ? '1' : ratio(median(all), medianOf('script')),
          one.way === 'floor' ? '1' : ratio(median(all), medianOf('floor')),
          one.way === 'floor' ? '–' : failures(one.redeploys[change] ?? []),
        ];
      });
    }),
  );
  const head = [
    'push that changes',
    'way',
    'n',
    'median',
    'min–max',
    'of the script',
    'of the floor',
    'failed requests',
  ];
  return { title: 'From the push to the new content served', head, rows };
}

function around(results: readonly StackResult[]): Table {
  const rows = results.flatMap((result) =>
    result.ways.map((one) => [
      stackText(result),
      NAMES[one.way],
      seconds(one.first.servedMs),
      seconds(one.removalMs),
      one.memoryBytes === undefined ? '–' : `${Math.round(one.memoryBytes / 1e6)} MB`,
    ]),
  );
  const head = ['stack', 'way', 'first deployment', 'deleted branch: all gone', 'resident memory after it all'];
  return { title: 'Before and after', head, rows };
}

function stages(results: readonly StackResult[]): Table {
  const rows = results.flatMap((result) =>
    result.changes.flatMap((change) => {
      const samples = treehouse(result)?.redeploys[change] ?? [];
      const parts = (name: string) =>
        median(samples.flatMap((one) => (one.parts?.[name] === undefined ? [] : [one.parts[name]])));
      return [[changeText(result, change), ...PARTS.map((name) => milliseconds(parts(name)))]];
    }),
  );
  const title = 'Where the time of Treehouse goes: medians in milliseconds, `push` beside `start`';
  return { title, head: ['push that changes', ...PARTS], rows };
}

const PARTS = ['queue', 'checkout', 'plan', 'build', 'push', 'start', 'route', 'between'] as const;

function treehouse(result: StackResult): WayResult | undefined {
  return result.ways.find((one) => one.way === 'treehouse');
}

function milliseconds(ms: number): string {
  return Number.isFinite(ms) ? String(Math.round(ms)) : '–';
}

function stackText(result: StackResult): string {
  return `${result.stack} (${result.services})`;
}

function changeText(result: StackResult, change: Change): string {
  return change === 'web' ? `web of ${result.stack}` : `web, api and worker of ${result.stack}`;
}

function times(samples: readonly Sample[] | undefined): readonly number[] {
  return (samples ?? []).map((one) => one.servedMs);
}

function failures(samples: readonly Sample[]): string {
  const sum = (pick: (one: Sample) => number) => samples.reduce((all, one) => all + pick(one), 0);
  return `${sum((one) => one.visits.failed)} of ${sum((one) => one.visits.total)}`;
}
