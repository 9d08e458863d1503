/** `treehouse token …`: who else may use the API. */
import Table from 'cli-table3';
import { type Command, Option } from 'commander';
import pc from 'picocolors';
import type { TokenView } from '../api/tokens.ts';
import { ROLES, type Role } from '../domain/access.ts';
import { age } from '../domain/duration.ts';
import { plain } from '../domain/plain.ts';
import type { Client } from '../web/client.ts';
import { collect, timeLike } from './options.ts';
import { PLAIN } from './status.ts';

export interface TokenCommandDeps {
  client(): Pick<Client, 'tokens' | 'createToken' | 'revokeToken'>;
  print(text: string): void;
  /** Beside the output, for people. */
  say(text: string): void;
  now(): number;
}

interface CreateOptions {
  readonly role: Role;
  readonly repo: readonly string[];
  readonly for?: number;
  readonly json?: boolean;
}

export function tokenCommands(program: Command, { client, print, say, now }: TokenCommandDeps): void {
  const token = program.command('token').description('who else may use the API, and for how much');

  token
    .command('create')
    .argument('<name>', 'whose it is or what it is for; the audit trail says it')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).makeOptionMandatory())
    .option('--repo <owner/name>', 'a repository that it reaches, as often as you like; all unless told', collect, [])
    .option('--for <time>', 'how long it lasts, such as 30d or 12h; for good unless told', timeLike('30d'))
    .option('--json', 'for a program')
    .description('make a token; it is shown this once')
    .action(async (name: string, options: CreateOptions) => {
      const expiresAt = options.for === undefined ? {} : { expiresAt: new Date(now() + options.for).toISOString() };
      const made = await client().createToken({
        name,
        role: options.role,
        repositories: [...options.repo],
        ...expiresAt,
      });
      if (options.json === true) return print(JSON.stringify(made, null, 2));
      print(made.token);
      say(
        pc.dim(`Keep it: it is not shown again. TREEHOUSE_TOKEN takes it; treehouse token revoke ${made.id} ends it.`),
      );
    });

  token
    .command('list')
    .option('--json', 'for a program')
    .description('list the tokens, never what they are')
    .action(async (options: { readonly json?: boolean }) => {
      const tokens = await client().tokens();
      print(options.json === true ? JSON.stringify({ tokens }, null, 2) : tokenTable(tokens, now()));
    });

  token
    .command('revoke')
    .argument('<id>', 'as the list shows it')
    .option('--json', 'for a program')
    .description('end a token at once')
    .action(async (id: string, options: { readonly json?: boolean }) => {
      await client().revokeToken(id);
      print(options.json === true ? JSON.stringify({ revoked: id }) : `${id} is no token any more`);
    });
}

export function tokenTable(tokens: readonly TokenView[], now: number): string {
  if (tokens.length === 0)
    return 'There are no tokens but the admin token of the home. Make one: treehouse token create NAME --role reader';
  const table = new Table({
    head: ['ID', 'NAME', 'ROLE', 'REACHES', 'MADE', 'ENDS'],
    style: { head: [], border: [], compact: true },
    chars: PLAIN,
  });
  for (const one of tokens) {
    const ends = one.expiresAt === null ? 'never' : `in ${age(Date.parse(one.expiresAt) - now)}`;
    table.push([
      one.id,
      plain(one.name),
      one.role,
      one.repositories.length === 0 ? 'everything' : one.repositories.join(', '),
      `${age(now - Date.parse(one.createdAt))} ago`,
      one.expired ? pc.red('has ended') : ends,
    ]);
  }
  return table.toString();
}
