/** `treehouse link`: share links of previews. */
import Table from 'cli-table3';
import type { Command } from 'commander';
import pc from 'picocolors';
import type { LinkView } from '../api/links.ts';
import { age } from '../domain/duration.ts';
import { plain } from '../domain/plain.ts';
import { TreehouseError } from '../errors.ts';
import type { Client } from '../web/client.ts';
import { timeLike } from './options.ts';
import { PLAIN } from './status.ts';

export interface LinkCommandDeps {
  client(): Pick<Client, 'links' | 'createLink' | 'revokeLink'>;
  print(text: string): void;
  /** Beside the output, for people. */
  say(text: string): void;
  now(): number;
}

interface LinkOptions {
  readonly for: number;
  readonly list?: boolean;
  readonly revoke?: string;
  readonly json?: boolean;
}

const USUAL = '3d';

export function linkCommand(program: Command, { client, print, say, now }: LinkCommandDeps): void {
  async function make(preview: string, options: LinkOptions): Promise<void> {
    const made = await client().createLink(preview, { expiresAt: new Date(now() + options.for).toISOString() });
    if (options.json === true) return print(JSON.stringify(made, null, 2));
    print(made.urls.join('\n'));
    const many = made.urls.length > 1 ? ' Each of its hosts is opened by its own line.' : '';
    say(
      pc.dim(
        `It opens ${preview} for ${age(options.for)}, and is not shown again; treehouse link --revoke ${made.id} ends it.${many}`,
      ),
    );
  }

  async function list(preview: string | undefined, options: LinkOptions): Promise<void> {
    const links = await client().links(preview);
    print(options.json === true ? JSON.stringify({ links }, null, 2) : linkTable(links, now()));
  }

  async function revoke(id: string, options: LinkOptions): Promise<void> {
    const link = (await client().links()).find((one) => one.id === id);
    if (!link) throw new TreehouseError('stopped', `there is no link ${id}: treehouse link --list shows them`);
    await client().revokeLink(link.preview, id);
    print(options.json === true ? JSON.stringify({ revoked: id }) : `${id} opens nothing any more`);
  }

  program
    .command('link')
    .argument('[preview]', 'its id, as status shows it')
    .option('--for <time>', 'how long the link lasts, such as 3d or 12h', timeLike('3d'), timeLike('3d')(USUAL))
    .option('--list', 'list links, never what they are: of the preview, or all')
    .option('--revoke <id>', 'end a link at once, with all that was opened by it')
    .option('--json', 'for a program')
    .description('make a link that opens a preview to whoever has it, for some time; it is shown this once')
    .action(async (preview: string | undefined, options: LinkOptions) => {
      if (options.revoke !== undefined) return revoke(options.revoke, options);
      if (options.list === true) return list(preview, options);
      if (preview === undefined) {
        throw new TreehouseError('bad-config', 'say which preview: treehouse link PREVIEW, or --list or --revoke ID');
      }
      return make(preview, options);
    });
}

export function linkTable(links: readonly LinkView[], now: number): string {
  if (links.length === 0) return 'There are no links. Make one: treehouse link PREVIEW --for 3d';
  const table = new Table({
    head: ['ID', 'PREVIEW', 'BY', 'MADE', 'ENDS'],
    style: { head: [], border: [], compact: true },
    chars: PLAIN,
  });
  for (const one of links) {
    const made = `${age(now - Date.parse(one.createdAt))} ago`;
    table.push([one.id, one.preview, plain(one.by), made, `in ${age(Date.parse(one.expiresAt) - now)}`]);
  }
  return table.toString();
}
