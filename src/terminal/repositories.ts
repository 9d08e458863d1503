/** `treehouse repo …`: of which repositories previews are made, changed while Treehouse runs. */
import { readFile } from 'node:fs/promises';
import Table from 'cli-table3';
import type { Command } from 'commander';
import pc from 'picocolors';
import { parse } from 'yaml';
import type { RepositoryView } from '../api/repositories.ts';
import { age } from '../domain/duration.ts';
import { plain } from '../domain/plain.ts';
import { selectionWords } from '../domain/selection-words.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import type { Client } from '../web/client.ts';
import { collect } from './options.ts';
import { PLAIN } from './status.ts';

export interface RepositoryCommandDeps {
  client(): Pick<Client, 'repositories' | 'putRepository' | 'removeRepository'>;
  print(text: string): void;
  /** Resolves where a person agrees, or `yes` says so. @throws where not. */
  confirm(lost: string, yes: boolean): Promise<void>;
}

interface AddOptions {
  readonly url?: string;
  readonly branch: readonly string[];
  readonly settings?: string;
  readonly json?: boolean;
}

export function repositoryCommands(program: Command, { client, print, confirm }: RepositoryCommandDeps): void {
  const repo = program
    .command('repo')
    .description('of which repositories previews are made, changed as Treehouse runs');

  repo
    .command('list')
    .option('--json', 'for a program')
    .description('list the repositories')
    .action(async (options: { readonly json?: boolean }) => {
      const repositories = await client().repositories();
      print(options.json === true ? JSON.stringify({ repositories }, null, 2) : repositoryTable(repositories));
    });

  repo
    .command('add')
    .argument('<owner/name>')
    .option('--url <url>', 'https, ssh or a path; on GitHub by its name unless told')
    .option('--branch <pattern>', 'which branches, as often as you like; all unless told', collect, [])
    .option('--settings <file>', 'YAML of what would stand below its name in treehouse.yml')
    .option('--json', 'for a program')
    .description('add a repository, or change one that was added; its branches get previews at once')
    .action(async (name: string, options: AddOptions) => {
      const section = {
        ...(options.settings === undefined ? {} : await settingsIn(options.settings)),
        ...(options.url === undefined ? {} : { url: options.url }),
        ...(options.branch.length === 0 ? {} : { branches: options.branch }),
      };
      const made = await client().putRepository(name, section);
      print(
        options.json === true
          ? JSON.stringify(made, null, 2)
          : `${made.name} is there: ${made.branches.join(', ')} of ${made.url} get previews`,
      );
    });

  repo
    .command('remove')
    .argument('<owner/name>')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'for a program')
    .description('take out a repository that was added; its previews go')
    .action(async (name: string, options: { readonly yes?: boolean; readonly json?: boolean }) => {
      await confirm(`The previews of ${name} go, with their data.`, options.yes === true);
      await client().removeRepository(name);
      print(
        options.json === true ? JSON.stringify({ removed: name }) : `${name} is out; its previews are being removed`,
      );
    });
}

/** Patterns of a list that a cell has room for; `--json` has all. */
const PATTERNS = 3;

/** The column of pull requests is there where anything is asked of them. */
export function repositoryTable(all: readonly RepositoryView[]): string {
  if (all.length === 0) return 'There are no repositories. Add one: treehouse repo add OWNER/NAME';
  const asked = all.map((one) => plain(selectionWords(one, PATTERNS).join('; ')));
  const isAsked = asked.some((words) => words !== '');
  const table = new Table({
    head: ['NAME', 'BRANCHES', ...(isAsked ? ['PULL REQUESTS'] : []), 'SLEEPS AFTER', 'GOES AFTER', 'FROM', 'URL'],
    style: { head: [], border: [], compact: true },
    chars: PLAIN,
  });
  const after = (seconds: number | null) => (seconds === null ? pc.dim('never') : age(seconds * 1000));
  for (const [at, one] of all.entries()) {
    table.push([
      one.name,
      plain(one.branches.join(', ')),
      ...(isAsked ? [asked[at] || pc.dim('any')] : []),
      after(one.idle),
      after(one.ttl),
      one.configured ? 'configuration' : 'API',
      plain(one.url),
    ]);
  }
  return table.toString();
}

async function settingsIn(file: string): Promise<Readonly<Record<string, unknown>>> {
  const refused = (why: string) => new TreehouseError('bad-config', `--settings ${file}: ${why}`);
  let found: unknown;
  try {
    found = parse(await readFile(file, 'utf8'), { maxAliasCount: 100 });
  } catch (error) {
    throw refused(messageOf(error).split('\n')[0] ?? '');
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) throw refused('it holds no keys');
  return { ...found };
}
