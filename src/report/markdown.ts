/**
 * Text of strangers in GitHub's markdown: shown as it is, and nothing else. All of it stands in code, where neither markdown
 * nor GitHub looks for anything: no link, mention, image or HTML comes of it.
 */
import { plain } from '../domain/plain.ts';

const CUT = '…';
/** Whatever is not seen, or turns or breaks the line; half a character, too. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
/** Seen by nobody; between a backslash and a bar it keeps the first from making the second a part of the cell's border. */
const BETWEEN = '\u200b';

/** One line of code, for a sentence; cut to `max` characters. */
export function code(text: string, max = 300): string {
  const line = cut(visible(text).replaceAll(/\s+/g, ' ').trim(), max);
  if (line === '') return '–';
  // Entities would not do: addresses are looked for in what comes of them.
  const mark = '`'.repeat(longestRun(line) + 1);
  const room = line.startsWith('`') || line.endsWith('`') ? ' ' : '';
  return `${mark}${room}${line}${room}${mark}`;
}

/** The same for a cell of a table, which ends at a bar also in code. */
export function cell(text: string, max?: number): string {
  return code(text, max).replaceAll(/(\\*)\|/g, (_, before: string) => `${before}${before && BETWEEN}\\|`);
}

/** A block of lines that none of them ends; each is cut to `max` characters. */
export function fence(lines: readonly string[], max = 500): string {
  const body = lines
    .flatMap((line) => line.split(/\r\n|[\r\n\v\f\u0085\u2028\u2029]/))
    .map((line) => cut(visible(line), max));
  const mark = '`'.repeat(Math.max(3, ...body.map((line) => longestRun(line) + 1)));
  return [`${mark}text`, ...body, mark].join('\n');
}

/** A table of cells that are markdown already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
}

/** What is read on request. */
export function details(summary: string, body: string): string {
  return `<details><summary>${summary}</summary>\n\n${body}\n\n</details>`;
}

function visible(text: string): string {
  return plain(text).replaceAll('\t', '    ').replaceAll(UNSEEN, '');
}

/** Of backticks. */
function longestRun(text: string): number {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
}

/** By whole characters. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const kept = text.slice(0, max - CUT.length);
  return `${/[\ud800-\udbff]$/.test(kept) ? kept.slice(0, -1) : kept}${CUT}`;
}
