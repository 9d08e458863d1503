/** Tables on a terminal, and between two marks of a page. */
import { readFile, writeFile } from 'node:fs/promises';
import CliTable from 'cli-table3';
import type { Table } from './report.ts';

/** What a page has before and after the tables that are written into it. */
export interface Marks {
  readonly begin: string;
  readonly end: string;
}

export const BENCH_MARKS: Marks = marksOf('bench');
export const SCALE_MARKS: Marks = marksOf('scale');

function marksOf(command: string): Marks {
  return { begin: `<!-- begin: written by npm run ${command} -- --write-docs -->`, end: `<!-- end of ${command} -->` };
}

export function terminalText(table: Table): string {
  const made = new CliTable({ head: [...table.head], style: { head: [], border: [] } });
  for (const row of table.rows) made.push([...row]);
  return `${table.title}\n${made.toString()}`;
}

function markdownText(table: Table): string {
  const widths = table.head.map((name, index) =>
    Math.max(name.length, ...table.rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(' | ')} |`;
  return [
    `**${table.title}**`,
    '',
    line(table.head),
    line(widths.map((width) => '-'.repeat(width))),
    ...table.rows.map(line),
  ].join('\n');
}

/** @throws where the page lacks its marks. */
export async function writeDocs(
  file: string,
  intro: string,
  tables: readonly Table[],
  { begin, end }: Marks,
): Promise<void> {
  const page = await readFile(file, 'utf8');
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} has no place for the tables: ${begin} … ${end}`);
  const body = [intro, ...tables.map(markdownText)].join('\n\n');
  await writeFile(file, `${page.slice(0, from)}${begin}\n\n${body}\n\n${page.slice(to)}`);
}
