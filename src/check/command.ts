/** `treehouse check PATH`: what a push would meet, before the push. */
import type { Command } from 'commander';
import type { Composer } from '../domain/ports.ts';
import { checkTree, type RepositoryRules } from './check.ts';
import { reportText } from './report.ts';

export interface CheckCommandDeps {
  /** A relative path as the person meant it. */
  resolve(path: string): string;
  /** Run with a composer that lives as long as the work. */
  compose<T>(work: (composer: Composer) => Promise<T>): Promise<T>;
  /** The rules of a repository of the configuration, and what of them cannot be kept here. @throws `bad-config` where there is none of the name. */
  rules(repository: string): RepositoryRules & { readonly warnings?: readonly string[] };
  readonly templates: string;
  readonly colours: boolean;
  print(text: string): void;
  exit(code: number): void;
}

export function checkCommand(program: Command, deps: CheckCommandDeps): void {
  program
    .command('check')
    .argument('[path]', "a repository's working tree, or a compose file", '.')
    .option('--repo <owner/name>', 'judge by what the configuration says of this repository')
    .option('--json', 'for a program')
    .description(
      'say what a push of a working tree would meet: what is refused, changed and run; 1 where it is refused, 2 unreadable',
    )
    .action(async (path: string, options: { repo?: string; json?: boolean }) => {
      const { warnings = [], ...rules } = options.repo === undefined ? {} : deps.rules(options.repo);
      const report = await deps.compose((composer) =>
        checkTree({
          composer,
          tree: deps.resolve(path),
          templates: deps.templates,
          rules,
          signal: new AbortController().signal,
        }),
      );
      deps.print(
        options.json === true
          ? JSON.stringify(options.repo === undefined ? report : { ...report, warnings }, null, 2)
          : reportText(report, deps.colours, warnings),
      );
      if (!report.accepted) deps.exit(report.verdict === 'refused' ? 1 : 2);
    });
}
