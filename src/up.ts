/** `treehouse up`: everything in one process, shown on the terminal, until Ctrl-C, after which all of it goes again, or SIGTERM, after which previews stay. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pc from 'picocolors';
import { repositoryUrl } from './adapters/repository-url.ts';
import { type Config, type ConfigInput, readConfig } from './config.ts';
import { messageOf } from './errors.ts';
import { createLogger } from './log.ts';
import { startTreehouse, type Treehouse } from './main.ts';
import { openSample, type Sample } from './sample.ts';
import { type Progress, startProgress } from './terminal/progress.ts';

export interface UpOptions extends Omit<ConfigInput, 'repositories'> {
  readonly repositories: readonly string[];
  readonly terminal: { readonly isTTY: boolean; readonly columns: () => number; write(text: string): void };
  /** JSON lines on standard output instead of text for people. */
  readonly json: boolean;
}

const SAMPLE = fileURLToPath(new URL('../templates/sample', import.meta.url));
const TAIL_LINES = 20;

export async function up(options: UpOptions): Promise<void> {
  const { config, sample } = await configure(options);
  const stopping = new AbortController();
  const signals = onSignals(stopping);
  const log = createLogger({ level: options.json ? config.logLevel : quiet(options, config) });
  let treehouse: Treehouse | undefined;
  let stopped = 'Stopped: nothing that Treehouse started is running any more. A Docker engine stays as it was.';
  const progress = startProgress({
    write: options.json ? () => undefined : options.terminal.write,
    live: options.terminal.isTTY && !options.json,
    columns: options.terminal.columns,
    now: () => Date.now(),
    tail: (preview, build) => treehouse?.store.tail(preview, build, TAIL_LINES) ?? Promise.resolve([]),
  });
  try {
    progress.say(pc.dim('starting Redis, the registry and the gateway …'));
    treehouse = await startTreehouse(config, log, stopping.signal);
    const shown = showEvents(treehouse, progress);
    progress.say(greeting(config, treehouse, sample));
    if ((await signals.asked) === 'SIGINT') {
      progress.say(`\n${pc.bold('Stopping')}: the previews go first. Ctrl-C again to leave them as they are.`);
      await Promise.race([treehouse.removePreviews(), signals.again]);
    } else {
      stopped = 'Stopped. The previews run on, and cannot be reached until Treehouse is started again.';
      progress.say(`\n${pc.bold('Stopping')}: builds are given ${config.stopLimit} s to end; the previews stay.`);
      await Promise.race([treehouse.drain(config.stopLimit * 1000), signals.again]);
    }
    await shown.stop();
  } finally {
    await treehouse?.stop();
    progress.say(stopped);
    progress.stop();
    signals.off();
  }
}

/** Text for people comes from the events; the log has only what went wrong, unless asked for. */
function quiet(options: UpOptions, config: Config): string {
  return options.env.TREEHOUSE_LOG_LEVEL === undefined ? 'warn' : config.logLevel;
}

async function configure(options: UpOptions): Promise<{ config: Config; sample: Sample | undefined }> {
  const named = await Promise.all(options.repositories.map((one) => namedRepository(one, options)));
  const config = readConfig({ ...options, repositories: named });
  for (const one of config.repositories) await repositoryUrl(one.url, config.path);
  if (config.repositories.length > 0) return { config, sample: undefined };
  const sample = await openSample(config.home, SAMPLE, config.path);
  return {
    config: readConfig({ ...options, repositories: [{ name: 'treehouse/sample', url: sample.remote }] }),
    sample,
  };
}

/** `https://host/owner/name.git` is owner/name; a path is `local/` and its last part. */
async function namedRepository(text: string, options: UpOptions): Promise<{ name: string; url: string }> {
  const local = !/^[a-z][a-z0-9+.-]*:\/\/|^[^/]+@[^/]+:/i.test(text);
  const url = await repositoryUrl(local ? path.resolve(options.cwd, text) : text, options.env.PATH ?? '');
  const parts = url
    .replace(/[/]+$/, '')
    .replace(/\.git$/, '')
    .split(/[/:]/)
    .filter((one) => one !== '');
  const name = clean(parts.at(-1) ?? 'repository');
  const owner = local ? 'local' : clean(parts.at(-2) ?? 'local').replaceAll(/[._]/g, '-');
  return { name: `${owner}/${name}`, url };
}

function clean(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replaceAll(/^[-.]+|[-.]+$/g, '') || 'repository';
}

function greeting(config: Config, treehouse: Treehouse, sample: Sample | undefined): string {
  const lines = [
    '',
    pc.bold('Treehouse is up'),
    `  webhooks  ${treehouse.url}webhooks/github`,
    `  dashboard ${treehouse.url}`,
    `  previews  ${treehouse.urlOf(config.shortNames ? 'BRANCH' : 'BRANCH--REPO')}`,
    `  status    ${pc.dim('npx treehouse status')}`,
  ];
  for (const [what, secret] of [
    ['webhook secret', treehouse.webhookSecret],
    ['admin token', treehouse.adminToken],
  ] as const) {
    if (secret?.made) lines.push(`  ${what}  ${secret.value}  ${pc.dim(`(kept in ${secret.file}, shown this once)`)}`);
  }
  const names = config.repositories.map((one) => `${one.name} ${pc.dim(one.url)}`);
  lines.push(`  watching  ${names.join('\n            ')}`);
  if (!treehouse.walls.startsWith('up')) {
    lines.push(pc.yellow(`  previews can reach this host: the firewall is ${treehouse.walls}`));
  }
  if (sample) {
    lines.push(
      '',
      'This is the sample. When its page is open, change it on a branch of its own:',
      pc.cyan(`  cd ${path.relative(process.cwd(), sample.work) || '.'}`),
      pc.cyan('  git switch -c my-branch'),
      pc.cyan('  echo "Hello from my branch" > web/greeting.txt'),
      pc.cyan('  git commit -am "Say hello" && git push -u origin my-branch'),
      `and open ${treehouse.urlOf(config.shortNames ? 'my-branch' : 'my-branch--sample')} ; delete the branch, and it is gone:`,
      pc.cyan('  git push origin --delete my-branch'),
    );
  }
  lines.push('', pc.dim('Ctrl-C stops all of it, previews included.'), '');
  return lines.join('\n');
}

function showEvents(treehouse: Treehouse, progress: Progress): { stop(): Promise<void> } {
  const over = new AbortController();
  const done = (async () => {
    try {
      for await (const { event } of treehouse.store.follow({ signal: over.signal })) await progress.show(event);
    } catch (error) {
      if (!over.signal.aborted) progress.say(pc.red(`builds cannot be shown any more: ${messageOf(error)}`));
    }
  })();
  return {
    async stop() {
      over.abort();
      await done;
    },
  };
}

type Asked = 'SIGINT' | 'SIGTERM';

/** The first signal asks: SIGINT is a person's, SIGTERM a service manager's, who will start Treehouse again. The second insists. */
function onSignals(stopping: AbortController): { asked: Promise<Asked>; again: Promise<void>; off(): void } {
  let ask: (signal: Asked) => void = () => undefined;
  let insist: () => void = () => undefined;
  const asked = new Promise<Asked>((resolve) => {
    ask = resolve;
  });
  const again = new Promise<void>((resolve) => {
    insist = resolve;
  });
  const heard = (signal: Asked) => {
    if (stopping.signal.aborted) return insist();
    stopping.abort();
    ask(signal);
  };
  const onInterrupt = () => heard('SIGINT');
  const onTerminate = () => heard('SIGTERM');
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  return {
    asked,
    again,
    off() {
      process.off('SIGINT', onInterrupt);
      process.off('SIGTERM', onTerminate);
    },
  };
}
