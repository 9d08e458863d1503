/** `treehouse github …`: who Treehouse is on GitHub. */
import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import pc from 'picocolors';
import { TreehouseError } from '../errors.ts';
import type { HomeApp } from '../github/app-file.ts';
import { appName, installUrl, NAME_MAX, organisation, webhookUrl } from '../github/manifest.ts';
import { timeLike } from './options.ts';

/** Where and what GitHub is to this Treehouse. */
export interface GitHubPlace {
  /** Where the App is kept, for people. */
  readonly file: string;
  /** Of the pages that people see, `https://github.com`. */
  readonly web: string;
  /** The dashboard's address, for the App's page. */
  readonly homepage: string;
  /** Whether variables say who Treehouse is: they go before the file. */
  readonly isSaid: boolean;
  /** What is kept now; undefined where nothing is. @throws where it cannot be read. */
  read(): HomeApp | undefined;
  /** Asks GitHub for what a code is good for, and keeps it. `fresh`: nothing may be replaced. */
  take(code: string, fresh: boolean): Promise<HomeApp>;
}

export interface GitHubCommandDeps {
  /** Read when the verb runs. */
  place(): GitHubPlace;
  print(text: string): void;
  /** Beside the output, for people. */
  say(text: string): void;
  /** Undefined where nobody sits before a browser. */
  readonly browse: ((url: string) => Promise<void>) | undefined;
  /** Aborted by Ctrl-C, from when it is asked for. */
  interrupted(): AbortSignal;
}

interface InitOptions {
  readonly org?: string;
  readonly name: string;
  readonly webhook?: string;
  readonly wait: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

const USUAL_WAIT = '15m';

export function githubCommands(program: Command, deps: GitHubCommandDeps): void {
  const github = program.command('github').description('who Treehouse is on GitHub');

  github
    .command('init')
    .option('--org <organisation>', 'whose App it is; your own unless told')
    .option('--name <name>', 'what it is called, on GitHub nobody else’s', usualName())
    .option(
      '--webhook <url>',
      'where GitHub reaches this server, such as https://treehouse.example.com; none unless told',
    )
    .addOption(
      new Option('--wait <time>', 'how long it is waited for')
        .argParser(timeLike('10m'))
        .default(timeLike('10m')(USUAL_WAIT), USUAL_WAIT),
    )
    .option('--force', 'also where there is an App already, in its place')
    .option('--json', 'for a program')
    .description('make a GitHub App of your own, in your browser: what it may do is in docs/github.md')
    .action(async (options: InitOptions) => init(options, deps));
}

async function init(
  options: InitOptions,
  { place, print, say, browse, interrupted }: GitHubCommandDeps,
): Promise<void> {
  const at = place();
  const before = options.force === true ? undefined : at.read();
  if (before) {
    throw new TreehouseError(
      'bad-config',
      `there is an App already, ${before.slug} (${before.url}), kept in ${at.file}: --force puts another in its place`,
    );
  }
  const hook = options.webhook === undefined ? undefined : webhookUrl(options.webhook);
  // What serves pages: the other verbs begin without it.
  const { makeApp } = await import('./app-maker.ts');
  const app = await makeApp({
    app: { name: appName(options.name), homepage: at.homepage, webhookUrl: hook },
    web: at.web,
    org: options.org === undefined ? undefined : organisation(options.org),
    waitMs: options.wait,
    signal: interrupted(),
    onOpen(url) {
      say(`Open ${pc.cyan(url)} in a browser on this machine, and make the App on GitHub; Ctrl-C ends it.`);
      if (!browse)
        say(
          pc.dim(
            `From another machine: ssh -L ${new URL(url).port}:${new URL(url).host} THIS-MACHINE, then the same address.`,
          ),
        );
      void browse?.(url);
    },
    take: (code) => at.take(code, options.force !== true),
  });
  const { id, slug, url } = app;
  if (options.json === true) {
    const made = { id, slug, url, installUrl: installUrl(app), file: at.file, webhookUrl: hook ?? null };
    print(JSON.stringify(made, null, 2));
  } else {
    print(`${slug} is made. Install it for the repositories that get previews:\n  ${installUrl(app)}`);
    say(`Its key is kept in ${at.file}, where treehouse up finds it from its next start on.`);
  }
  if (hook === undefined) say('It has no webhook: Treehouse looks at the branches itself, once a minute.');
  if (at.isSaid) say(pc.yellow('GITHUB_TOKEN or GITHUB_APP_ID is set, and goes before it: take that away.'));
}

/** GitHub wants one that nobody else has; its page lets people change it. */
function usualName(): string {
  return `Treehouse ${hostname().split('.')[0]}`.slice(0, NAME_MAX).trim();
}
