/** `treehouse password …`: what opens the previews of a repository with `access: password`. */
import type { Command } from 'commander';
import { repositoryName } from '../domain/names.ts';
import { readValue, type ValueInput } from '../secrets/value.ts';
import type { Client } from '../web/client.ts';

export interface PasswordCommandDeps {
  client(): Pick<Client, 'setPassword' | 'clearPassword'>;
  readonly input: ValueInput;
  print(text: string): void;
  /** Beside the output, for people. */
  say(text: string): void;
}

export function passwordCommands(program: Command, { client, input, print, say }: PasswordCommandDeps): void {
  const password = program.command('password').description('what opens the previews of a repository that asks for it');

  password
    .command('set')
    .argument('<repository>', 'owner/name')
    .option('--json', 'for a program')
    .description('set or replace it; it is read from standard input, or asked for')
    .action(async (text: string, options: { readonly json?: boolean }) => {
      const repository = repositoryName(text);
      const value = await readValue(input, say);
      await client().setPassword(repository, value.toString('utf8'));
      print(
        options.json === true
          ? JSON.stringify({ repository, hasPassword: true })
          : `the password of ${repository} is set; whoever came in by another is asked again`,
      );
    });

  password
    .command('clear')
    .argument('<repository>', 'owner/name')
    .option('--json', 'for a program')
    .description('forget it: links alone open its previews then')
    .action(async (text: string, options: { readonly json?: boolean }) => {
      const repository = repositoryName(text);
      await client().clearPassword(repository);
      print(
        options.json === true
          ? JSON.stringify({ repository, hasPassword: false })
          : `${repository} has no password any more`,
      );
    });
}
