/** `treehouse trail`: who did what. */
import Table from 'cli-table3';
import { type Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import type { TrailView } from '../api/trail.ts';
import { plain } from '../domain/plain.ts';
import type { Client } from '../web/client.ts';
import { PLAIN } from './status.ts';

export interface TrailCommandDeps {
  client(): Pick<Client, 'trail'>;
  print(text: string): void;
}

interface TrailOptions {
  readonly count: number;
  readonly json?: boolean;
}

/** As many as one page of the API holds. */
const MOST = 1_000;

export function trailCommand(program: Command, { client, print }: TrailCommandDeps): void {
  program
    .command('trail')
    .option('-n, --count <number>', 'how many of the newest entries', countOf, 20)
    .option('--json', 'for a program')
    .description('list who did what, newest first')
    .action(async ({ count, json }: TrailOptions) => {
      const entries = await client().trail(count);
      print(json === true ? JSON.stringify({ entries }, null, 2) : trailTable(entries));
    });
}

export function trailTable(entries: readonly TrailView[]): string {
  if (entries.length === 0) return 'Nobody did anything yet.';
  const table = new Table({
    head: ['WHEN', 'WHO', 'ACT', 'TO', 'CAME OF IT'],
    style: { head: [], border: [], compact: true },
    chars: PLAIN,
  });
  for (const { at, who, act, to, service, command, status } of entries) {
    const inside = service === null ? '' : ` ${service}${command === null ? '' : `: ${command.join(' ')}`}`;
    table.push([
      at.replace('T', ' ').replace(/\.\d+Z$/, ' UTC'),
      plain(who),
      act,
      plain(`${to}${inside}`),
      status < 400 ? pc.green('done') : pc.red(`refused (${status})`),
    ]);
  }
  return table.toString();
}

function countOf(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > MOST) {
    throw new InvalidArgumentError(`It is a number from 1 to ${MOST}.`);
  }
  return count;
}
