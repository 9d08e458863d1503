/** `treehouse secret …`: the admin's hands on the secrets of this home. */
import type { Command } from 'commander';
import { type RepositoryName, repositoryName } from '../domain/names.ts';
import { checkNamed, type Named } from './scope.ts';
import { openSecretStore, type SecretStore } from './store.ts';
import { readValue, type ValueInput } from './value.ts';
import { parseVaultReference } from './vault.ts';

export interface SecretCommandDeps {
  /** Read when a verb runs. */
  config(): { readonly home: string };
  /** Whether previews are made of it. */
  isKnown(repository: RepositoryName): Promise<boolean>;
  readonly input: ValueInput;
  /** Standard output, for what was asked. */
  print(text: string): void;
  /** Standard error, for what is said beside it. */
  say(text: string): void;
  now(): number;
}

interface ScopeOptions {
  readonly service: string;
  readonly branch: string;
}

export function secretCommands(program: Command, deps: SecretCommandDeps): void {
  const secret = program
    .command('secret')
    .description('the secrets that a compose file asks for by `secrets: {NAME: {external: true}}`');
  const scoped = (name: string, description: string): Command =>
    secret
      .command(name)
      .argument('<repository>', 'owner/name')
      .argument('<name>', 'as the compose file calls it')
      .option('--service <glob>', 'only for these services', '*')
      .option('--branch <glob>', 'only for these branches', '*')
      .description(description);

  scoped('set', 'set or replace a secret; its value is read from standard input, or asked for').action(
    async (repository: string, name: string, options: ScopeOptions) => {
      const { store, name: owner } = open(repository);
      const named: Named = { name, service: options.service, branch: options.branch };
      checkNamed(named);
      const value = await readValue(deps.input, deps.say);
      const reference = parseVaultReference(value.toString('utf8'));
      const replaced = await store.set(owner, named, value);
      deps.print(
        `${replaced ? 'replaced' : 'set'} ${name}${reference ? ', which Vault is asked for at each build' : ''}`,
      );
      deps.say('Running previews keep what they have until their next redeploy.\n');
      if (!(await deps.isKnown(owner))) deps.say(`Note: ${repository} is not in the configuration.\n`);
    },
  );

  scoped('rm', 'forget a secret of exactly this scope').action(
    async (repository: string, name: string, options: ScopeOptions) => {
      const { store, name: owner } = open(repository);
      await store.remove(owner, { name, service: options.service, branch: options.branch });
      deps.print(`removed ${name}`);
    },
  );

  secret
    .command('list')
    .argument('<repository>', 'owner/name')
    .option('--json', 'for a program')
    .description('the names, for what they are and when they were set; never a value')
    .action(async (repository: string, options: { json?: boolean }) => {
      const { store, name: owner } = open(repository);
      const { secrets } = await store.read(owner);
      const rows = secrets.map((one) => ({
        name: one.name,
        service: one.service,
        branch: one.branch,
        setAt: new Date(one.setAt).toISOString(),
        source: one.value().toString('utf8').startsWith('vault:') ? 'vault' : 'here',
      }));
      if (options.json) deps.print(JSON.stringify({ repository, secrets: rows }, null, 2));
      else if (rows.length === 0) deps.print(`${repository} has no secrets`);
      else deps.print(table([['NAME', 'SERVICE', 'BRANCH', 'SET', 'KEPT'], ...rows.map((one) => Object.values(one))]));
    });

  secret
    .command('rotate-key')
    .description('seal all secrets anew with a new key, and forget the old one')
    .action(async () => {
      const count = await openSecretStore(deps.config().home, { now: deps.now }).rotateKey();
      deps.print(
        `the key is new; the secrets of ${count} ${count === 1 ? 'repository' : 'repositories'} are sealed with it`,
      );
    });

  function open(text: string): { readonly store: SecretStore; readonly name: RepositoryName } {
    return { store: openSecretStore(deps.config().home, { now: deps.now }), name: repositoryName(text) };
  }
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
