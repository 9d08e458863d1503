/** `treehouse open`: a preview in the browser, or its address where there is none. */
import type { Command } from 'commander';
import { TreehouseError } from '../errors.ts';
import type { Client } from '../web/client.ts';

export interface OpenDeps {
  client(): Pick<Client, 'preview'>;
  print(text: string): void;
  /** Undefined where nobody sits before a browser. */
  readonly browse: ((url: string) => Promise<void>) | undefined;
}

export function openCommand(program: Command, { client, print, browse }: OpenDeps): void {
  program
    .command('open')
    .argument('<preview>', 'its id, as status shows it')
    .argument('[service]', 'another exposed service of it, by name')
    .option('--print', 'only print the address')
    .description('open it in the browser; without one, print its address')
    .action(async (id: string, service: string | undefined, options: { readonly print?: boolean }) => {
      const { urls, state, reason } = await client().preview(id);
      const url =
        service === undefined ? urls[0] : urls.find((one) => new URL(one).hostname.startsWith(`${service}--`));
      if (url === undefined) {
        const what =
          urls.length === 0 ? `${id} is ${state}: ${reason}` : `${id} exposes no service ${service}: ${urls.join(' ')}`;
        throw new TreehouseError('stopped', what);
      }
      print(url);
      if (options.print !== true) await browse?.(url);
    });
}
