/** Reads the table of answers out of docs/webhooks.md, so that what is written there is what is tested. */
import { readFileSync } from 'node:fs';

export interface Row {
  /** Names of events; empty for "any other". */
  readonly events: readonly string[];
  readonly case: string;
  readonly status: number;
  readonly outcome: 'hinted' | 'noted' | 'ignored' | 'pong';
  /** Of the cause or the reason; undefined where the row gives none. */
  readonly text: RegExp | undefined;
}

export function answersTable(): readonly Row[] {
  const page = readFileSync(new URL('../../docs/webhooks.md', import.meta.url), 'utf8');
  const lines = page.split('\n');
  // A formatter may pad the cells.
  const head = lines.findIndex((line) => /^\| event +\| case +\| status +\| answer +\| effect +\|$/.test(line));
  const end = lines.indexOf('', head);
  if (head < 0 || end < 0) throw new Error('docs/webhooks.md has no table of answers');
  return lines.slice(head + 2, end).map(readRow);
}

function readRow(line: string): Row {
  const [event = '', case_ = '', status = '', answer = ''] = line
    .split('|')
    .slice(1)
    .map((cell) => cell.trim());
  const [, outcome, text] = /^(hinted|noted|ignored|pong)(?:: (.*))?$/.exec(answer) ?? [];
  if (!outcome) throw new Error(`docs/webhooks.md has a row that cannot be read: ${line}`);
  return {
    events: [...event.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''),
    case: case_.replaceAll('`', ''),
    status: Number(status),
    outcome: outcome as Row['outcome'],
    text: text === undefined ? undefined : new RegExp(`^${text.split('…').map(literally).join('.+')}$`),
  };
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
