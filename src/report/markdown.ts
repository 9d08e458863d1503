/**
 * Text of strangers in GitHub's markdown: shown as it is, and nothing else. All of it stands in code, where neither markdown
 * nor GitHub looks for anything: no link, mention, image or HTML comes of it.
 */
import { plain } from '../domain/plain.ts';

const CUT = '…';
/** Whatever is not seen, or turns or breaks the line; half a character, too. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
/** In backticks all of these are themselves, also in a cell of a table. */
const HARMLESS = /^[^\s`|\\](?:[^`|\\]*[^\s`|\\])?$/u;

/** One line of code, for a sentence or a cell of a table; cut to `max` characters. */
export function code(text: string, max = 300): string {
  const line = visible(text).replaceAll(/\s+/g, ' ').trim();
  const kept = cut(line, max);
  if (kept === '') return '–';
  if (HARMLESS.test(kept)) return `\`${kept}\``;
  // Backticks would end it and a bar the cell: as numbers they are letters to all who read it.
  const inert = kept.replaceAll(/[^A-Za-z0-9 ]/gu, (char) => `&#${char.codePointAt(0)};`);
  return `<code>${inert}</code>`;
}

/** A block of lines that none of them ends; each is cut to `max` characters. */
export function fence(lines: readonly string[], max = 500): string {
  const body = lines
    .flatMap((line) => line.split(/\r\n|[\r\n\v\f\u0085\u2028\u2029]/))
    .map((line) => cut(visible(line), max));
  const longest = Math.max(0, ...body.flatMap((line) => (line.match(/`+/g) ?? []).map((run) => run.length)));
  const mark = '`'.repeat(Math.max(3, longest + 1));
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

/** By whole characters. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const kept = text.slice(0, max - CUT.length);
  return `${/[\ud800-\udbff]$/.test(kept) ? kept.slice(0, -1) : kept}${CUT}`;
}
