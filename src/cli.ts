#!/usr/bin/env node
/** The command line: verbs to acts, errors to one clear message and an exit code. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import pc from 'picocolors';
import { composeCommands, findPlugin } from './adapters/compose.ts';
import { engineAudit } from './adapters/engine-audit.ts';
import { hostAudit } from './adapters/host-audit.ts';
import { repositoryFile } from './adapters/repository-file.ts';
import { auditCommand } from './audit/command.ts';
import { checkCommand } from './check/command.ts';
import { readConfig } from './config.ts';
import { plain } from './domain/plain.ts';
import { messageOf, TreehouseError } from './errors.ts';
import { gitHubPlace, unaskedOf } from './github-side.ts';
import { secretCommands } from './secrets/command.ts';
import { previewCommands } from './terminal/acts.ts';
import { completionCommand } from './terminal/completion.ts';
import { confirm } from './terminal/confirm.ts';
import { execCommand } from './terminal/exec.ts';
import { forgeLines } from './terminal/forge.ts';
import { githubCommands } from './terminal/github.ts';
import { linkCommand } from './terminal/links.ts';
import { openCommand } from './terminal/open.ts';
import { passwordCommands } from './terminal/passwords.ts';
import { pullCommand } from './terminal/pull.ts';
import { repositoryCommands } from './terminal/repositories.ts';
import { statusTable } from './terminal/status.ts';
import { sweepTable } from './terminal/sweep.ts';
import { tokenCommands } from './terminal/tokens.ts';
import { trailCommand } from './terminal/trail.ts';
import { FULL_VERSION } from './version.ts';
import { type Client, createClient } from './web/client.ts';

const { env } = process;
const cwd = env.INIT_CWD ?? process.cwd();

const program = new Command('treehouse')
  .description('A live house on every branch.')
  .version(FULL_VERSION, '--version', 'print which Treehouse this is')
  .option('--config <file>', 'the configuration, treehouse.yml unless told')
  .showHelpAfterError()
  .addHelpText(
    'after',
    '\nExit codes: 0 well, 1 it failed, 2 the command line or the configuration is wrong; of exec the command’s own.',
  );

program
  .command('up')
  .argument('[repo...]', 'paths or URLs of repositories to preview; the configured ones, or the sample, unless told')
  .option('--json', 'the log as JSON lines')
  .description('start everything in this process, until Ctrl-C')
  .action(async (repositories: string[], options: { json?: boolean }) => {
    // All that runs a Treehouse: the other verbs begin without it.
    const { up } = await import('./up.ts');
    await up({
      env,
      cwd,
      file: program.opts<{ config?: string }>().config,
      repositories,
      json: options.json === true,
      terminal: {
        isTTY: process.stdout.isTTY === true,
        columns: () => process.stdout.columns ?? 80,
        write: (text) => void process.stdout.write(text),
      },
    });
    leave();
  });

for (const [kind, what] of [
  ['serve', 'serve webhooks, API and dashboard: one process of an installation of several'],
  ['worker', 'build and run previews; there may be any number of them'],
  ['gateway', 'run the nginx that serves previews'],
  ['walls', 'keep previews from this host'],
] as const) {
  program
    .command(kind)
    .description(what)
    .action(async () => {
      const { run } = await import('./run.ts');
      await run(kind, readConfig({ env, cwd, file: program.opts<{ config?: string }>().config }));
      leave();
    });
}

program
  .command('status')
  .option('-a, --all', 'also branches that have none any more, or are left out, and why')
  .option('-q, --quiet', 'their ids alone')
  .option('--json', 'for a program')
  .description('list the previews')
  .action(async (options: { all?: boolean; json?: boolean; quiet?: boolean }) => {
    const previews = await client().previews(options.all);
    if (options.quiet === true) return previews.forEach(({ id }) => void console.log(id));
    const forge = await client().forge();
    const said = [statusTable(previews, Date.now()), ...forgeLines(forge, Date.now())].join('\n');
    console.log(options.json === true ? JSON.stringify({ previews, forge }, null, 2) : said);
  });

program
  .command('logs')
  .argument('<preview>', 'its id, as status shows it')
  .option('-f, --follow', 'go on until the build ends')
  .option('--json', 'one event a line')
  .description("print the newest build's log")
  .action(async (id: string, options: { follow?: boolean; json?: boolean }) => {
    await printLog(client(), id, { follow: options.follow === true, json: options.json === true });
  });

previewCommands(program, {
  client,
  print: (text) => console.log(text),
  confirm: (question, yes) => confirm(question, { yes, input: process.stdin, output: process.stderr }),
});

program
  .command('sweep')
  .option('--dry-run', 'only say what would be done, and why')
  .option('--json', 'for a program')
  .description('look at everything now: previews that are not as they should be, and what belongs to none')
  .action(async (options: { dryRun?: boolean; json?: boolean }) => {
    const report = await client().sweep({ dryRun: options.dryRun === true });
    console.log(options.json === true ? JSON.stringify(report, null, 2) : sweepTable(report));
    if (report.lines.some((one) => one.failed !== undefined)) process.exitCode = 1;
  });

openCommand(program, {
  client,
  print: (text) => console.log(text),
  browse: process.stdout.isTTY === true && isDesktop() ? browse : undefined,
});

execCommand(program, {
  async run(command, ends) {
    const { runRemote } = await import('./web/exec-client.ts');
    return runRemote(server(), command, ends);
  },
  ...{ input: process.stdin, output: process.stdout, errors: process.stderr },
  exit: (code) => {
    process.exitCode = code;
  },
});

pullCommand(program, {
  client,
  write: (text) => void process.stdout.write(text),
  say: (text) => console.error(text),
  resolve: (file) => path.resolve(cwd, file),
  env,
});

repositoryCommands(program, {
  client,
  print: (text) => console.log(text),
  confirm: (question, yes) => confirm(question, { yes, input: process.stdin, output: process.stderr }),
});

tokenCommands(program, {
  client,
  print: (text) => console.log(text),
  say: (text) => console.error(text),
  now: Date.now,
});

linkCommand(program, {
  client,
  print: (text) => console.log(text),
  say: (text) => console.error(text),
  now: Date.now,
});

trailCommand(program, { client, print: (text) => console.log(text) });

passwordCommands(program, {
  client,
  input: process.stdin,
  print: (text) => console.log(text),
  say: (text) => void process.stderr.write(text),
});

githubCommands(program, {
  place: () => gitHubPlace(env, readConfig({ env, cwd, file: program.opts<{ config?: string }>().config })),
  print: (text) => console.log(text),
  say: (text) => console.error(text),
  browse: process.stdout.isTTY === true && isDesktop() ? browse : undefined,
  interrupted: () => {
    const stopping = new AbortController();
    const stop = () => stopping.abort(new TreehouseError('stopped', 'nothing was made'));
    // The second ends it as ever.
    process.once('SIGINT', stop).once('SIGTERM', stop);
    return stopping.signal;
  },
});

secretCommands(program, {
  config: () => readConfig({ env, cwd, file: program.opts<{ config?: string }>().config }),
  async isKnown(repository) {
    const { home, repositories } = readConfig({ env, cwd, file: program.opts<{ config?: string }>().config });
    return repositories.some((one) => one.name === repository) || (await repositoryFile(home).read()).has(repository);
  },
  input: process.stdin,
  print: (text) => console.log(text),
  say: (text) => void process.stderr.write(text),
  now: Date.now,
});

auditCommand(program, {
  config: () => readConfig({ env, cwd, file: program.opts<{ config?: string }>().config }),
  configFile: () =>
    path.resolve(cwd, program.opts<{ config?: string }>().config ?? (env.TREEHOUSE_CONFIG || 'treehouse.yml')),
  async engine(settings) {
    // The engine's client takes half a second to load.
    const { connectEngine } = await import('./adapters/engine.ts');
    return engineAudit(connectEngine(settings.dockerHost));
  },
  host: () => hostAudit({ searchPath: env.PATH ?? '' }),
  print: (text) => console.log(text),
  terminal: { colours: pc.isColorSupported, columns: process.stdout.columns ?? Number.POSITIVE_INFINITY },
  now: Date.now,
  exit: (code) => {
    process.exitCode = code;
  },
});

checkCommand(program, {
  resolve: (tree) => path.resolve(cwd, tree),
  async compose(work) {
    const home = await mkdtemp(path.join(tmpdir(), 'treehouse-'));
    try {
      const compose = await findPlugin('docker-compose', env.HOME ?? '/nonexistent');
      return await work(composeCommands({ home, path: env.PATH ?? '', dockerHost: undefined, compose, buildx: '' }));
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  },
  rules(name) {
    const config = readConfig({ env, cwd, file: program.opts<{ config?: string }>().config });
    const found = config.repositories.find((one) => one.name === name);
    if (found) return { ...found, warnings: unaskedOf(config, found) };
    throw new TreehouseError('bad-config', `the configuration has no repository '${name}'`);
  },
  templates: fileURLToPath(new URL('../templates', import.meta.url)),
  colours: pc.isColorSupported,
  print: (text) => console.log(text),
  exit: (code) => {
    process.exitCode = code;
  },
});

completionCommand(program, (text) => console.log(text));

async function printLog(api: Client, id: string, options: { follow: boolean; json: boolean }): Promise<void> {
  const build = (await api.preview(id)).build?.id;
  if (build === undefined) throw new TreehouseError('stopped', `${id} was not built yet`);
  let after: string | null = null;
  for (;;) {
    const page = await api.events(id, build, after);
    for (const event of page.events) {
      if (options.json) console.log(JSON.stringify(event));
      else if (event.type === 'log') console.log(`${pc.dim(`${event.stage} ${event.source} │`)} ${plain(event.line)}`);
      else if (event.type === 'build.failed') console.log(pc.red(`✘ ${event.stage} failed: ${plain(event.message)}`));
      else if (event.type === 'build.live') console.log(pc.green(`✔ live: ${event.urls[0] ?? ''}`));
      if (event.type === 'build.failed' || event.type === 'build.live' || event.type === 'build.superseded') return;
    }
    after = page.next;
    if (page.events.length > 0) continue;
    if (!options.follow) return;
    await delay(500);
  }
}

/** Whether there is a screen: on Linux a display says so. */
function isDesktop(): boolean {
  return process.platform !== 'linux' || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);
}

/** All was ended; what BullMQ still wants of a Redis that is away keeps no process here. */
function leave(): never {
  process.exit();
}

/** The desktop knows which browser; where it does not, the printed address is enough. */
async function browse(url: string): Promise<void> {
  const command = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(command, [url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}

/** The API of TREEHOUSE_URL, or of the Treehouse of this folder; its token from the environment or its home. */
function client(): Client {
  return createClient(server());
}

function server(): { readonly url: string; readonly token: string } {
  const config = readConfig({ env, cwd, file: program.opts<{ config?: string }>().config });
  const token = env.TREEHOUSE_TOKEN ?? config.adminToken ?? tokenOfHome(config.home);
  return { url: env.TREEHOUSE_URL ?? `http://${config.host}:${config.port}/`, token };
}

function tokenOfHome(home: string): string {
  try {
    return readFileSync(path.join(home, 'admin-token'), 'utf8').trim();
  } catch {
    throw new TreehouseError(
      'bad-config',
      `there is no admin token in ${home}: run this where Treehouse was started, or set TREEHOUSE_TOKEN`,
    );
  }
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(`${pc.red('treehouse:')} ${messageOf(error)}`);
  if (!(error instanceof TreehouseError)) console.error(error);
  process.exitCode = error instanceof TreehouseError && error.code === 'bad-config' ? 2 : 1;
}
