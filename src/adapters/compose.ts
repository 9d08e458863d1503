/**
 * The compose and buildx command lines, called as plugins without the `docker` wrapper (which costs 120 ms a call), in a clean
 * environment: nothing of Treehouse's own can be interpolated, and no `.env` steers them (../shared/POLICY-FACTS.md).
 */
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Builder, BuildTarget, Composer } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';
import { buildFailure } from './build-failure.ts';
import { onlyKnownWords } from './compose-words.ts';
import { ProcessError, runProcess } from './run-process.ts';

export interface CommandOptions {
  /** Folder for temporary files and empty homes; 0700. */
  readonly home: string;
  readonly path: string;
  readonly dockerHost: string | undefined;
  /** Where compose and buildx lie, from `findPlugin`. */
  readonly compose: string;
  readonly buildx: string;
}

const PLUGIN_FOLDERS = [
  '/usr/libexec/docker/cli-plugins',
  '/usr/lib/docker/cli-plugins',
  '/usr/local/libexec/docker/cli-plugins',
  '/usr/local/lib/docker/cli-plugins',
];

/** The docker CLI's own places for plugins, the user's first. @throws `bad-config` naming the package. */
export async function findPlugin(name: 'docker-compose' | 'docker-buildx', userHome: string): Promise<string> {
  for (const folder of [path.join(userHome, '.docker/cli-plugins'), ...PLUGIN_FOLDERS]) {
    const file = path.join(folder, name);
    if (
      await access(file).then(
        () => true,
        () => false,
      )
    )
      return file;
  }
  throw new TreehouseError(
    'bad-config',
    `the ${name} plugin is missing: install the package ${name}, or run npm start`,
  );
}

const CONFIG_TIMEOUT = 20_000;
const MAX_MODEL = 20 * 1024 * 1024;
/** Bytes of memory for reading a file, whose variables can make it grow without end. */
const READ_MEMORY = 192 * 1024 * 1024;
const PRLIMIT = '/usr/bin/prlimit';

/** Set in the process's own environment, so that no `.env` can say otherwise. */
const STEADY = {
  COMPOSE_DISABLE_ENV_FILE: '1',
  COMPOSE_EXPERIMENTAL_GIT_REMOTE: '0',
  COMPOSE_EXPERIMENTAL_OCI_REMOTE: '0',
  COMPOSE_IGNORE_ORPHANS: '1',
  COMPOSE_ANSI: 'never',
  COMPOSE_PROGRESS: 'plain',
  BUILDX_NO_DEFAULT_ATTESTATIONS: '1',
};

export function composeCommands(options: CommandOptions): Composer & Builder {
  const empty = path.join(options.home, 'empty');

  async function environment(): Promise<Record<string, string>> {
    await mkdir(empty, { recursive: true, mode: 0o700 });
    return {
      ...STEADY,
      PATH: options.path,
      HOME: empty,
      DOCKER_CONFIG: empty,
      BUILDX_CONFIG: path.join(options.home, 'buildx'),
      ...(options.dockerHost === undefined ? {} : { DOCKER_HOST: options.dockerHost }),
    };
  }

  async function scratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
    await mkdir(path.join(options.home, 'tmp'), { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(path.join(options.home, 'tmp', 'run-'));
    try {
      return await work(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  return {
    async read({ root, files, env, signal }) {
      return scratch(async (folder) => {
        const envFile = path.join(folder, 'env');
        await writeFile(envFile, env ?? '', { mode: 0o600 });
        const args = ['-p', 'preview', '--project-directory', root, '--env-file', envFile];
        for (const file of files) args.push('-f', file);
        args.push('--profile', '*', 'config', '--format', 'json');
        const result = await runProcess({
          ...(await bounded(options.compose, args)),
          cwd: root,
          // A file can ask for any variable of this process: there is none but these.
          env: { ...STEADY, HOME: '/nonexistent' },
          timeoutMs: CONFIG_TIMEOUT,
          maxOutputBytes: MAX_MODEL,
          signal,
          act: 'reading the compose file',
        }).catch(async (error: unknown) => {
          if (error instanceof ProcessError) throw await unreadable(error, { root, files, env });
          throw error;
        });
        if (result.truncated) throw tooLarge();
        return JSON.parse(result.stdout) as unknown;
      });
    },

    async build({ root, targets, onLine, signal }) {
      await scratch(async (folder) => {
        await runProcess({
          command: options.buildx,
          args: await bakeArguments(folder, root, targets),
          // Not the checkout, whose `.env` bake would read.
          cwd: folder,
          env: await environment(),
          signal,
          onLine,
          act: 'building the images',
        }).catch((error: unknown) => {
          if (error instanceof ProcessError && error.exitCode !== undefined)
            throw buildFailure({ said: error.tail, cause: error });
          throw error;
        });
      });
    },
  };
}

async function bakeArguments(folder: string, root: string, targets: readonly BuildTarget[]): Promise<string[]> {
  const files = [
    // A later file says more of the same targets. JSON is YAML.
    { name: 'network.yml', content: networkFile(folder, targets) },
    { name: 'bake.json', content: bakeFile(root, targets) },
  ].filter((one) => one.content !== undefined);
  for (const { name, content } of files) {
    await writeFile(path.join(folder, name), JSON.stringify(content), { mode: 0o600 });
  }
  return ['bake', '--progress', 'plain', ...files.flatMap((one) => ['-f', path.join(folder, one.name)]), GROUP];
}

/** All targets together, to bake. */
const GROUP = 'all';

/** Bake reads `${…}` and `%{…}` in its JSON as templates: every text is escaped. */
function bakeFile(root: string, targets: readonly BuildTarget[]): unknown {
  const names = targetNames(targets);
  const sections = targets.map((target, index) => {
    const { build } = target;
    const section = {
      context: literal(path.join(root, build.context)),
      ...(build.dockerfile === undefined ? {} : { dockerfile: literal(path.join(root, build.dockerfile)) }),
      ...(build.dockerfileInline === undefined ? {} : { 'dockerfile-inline': literal(build.dockerfileInline) }),
      ...(build.target === undefined ? {} : { target: literal(build.target) }),
      args: escaped(build.args),
      contexts: escaped(
        Object.fromEntries(Object.entries(build.contexts).map(([name, folder]) => [name, path.join(root, folder)])),
      ),
      labels: escaped(target.labels),
      tags: [literal(target.reference)],
      output: ['type=docker'],
    };
    return [names[index] ?? '', section] as const;
  });
  return {
    group: { [GROUP]: { targets: sections.map(([name]) => name) } },
    target: Object.fromEntries(sections),
  };
}

/** Bake's own format had no word for the network before buildx 0.14, and says nothing of a key that it does not know. */
function networkFile(folder: string, targets: readonly BuildTarget[]): unknown {
  const names = targetNames(targets);
  const services = targets.flatMap((target, index) =>
    target.build.noNetwork
      ? [[names[index] ?? '', { build: { context: folder.replaceAll('$', '$$$$'), network: 'none' } }]]
      : [],
  );
  return services.length === 0 ? undefined : { services: Object.fromEntries(services) };
}

/** Each by its service, which the log then names, as far as bake takes the name and no other target has it. */
function targetNames(targets: readonly BuildTarget[]): readonly string[] {
  const taken = new Set<string>([GROUP]);
  return targets.map(({ service }, index) => {
    const name = service.replaceAll(/[^A-Za-z0-9_-]/g, '-');
    const free = taken.has(name) ? `${name}-${index}` : name;
    taken.add(free);
    return free;
  });
}

function literal(text: string): string {
  // As functions: in a replacement text `$$` is one `$`.
  return text.replaceAll('${', () => '$${').replaceAll('%{', () => '%%{');
}

function escaped(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, literal(value)]));
}

/** With a limit of memory where there is a program to set one, as on every Debian. */
async function bounded(command: string, args: readonly string[]): Promise<{ command: string; args: string[] }> {
  const found = await access(PRLIMIT).then(
    () => true,
    () => false,
  );
  return found
    ? { command: PRLIMIT, args: [`--data=${READ_MEMORY}`, '--', command, ...args] }
    : { command, args: [...args] };
}

function tooLarge(cause?: unknown): TreehouseError {
  return new TreehouseError(
    'compose-unreadable',
    'the compose file cannot be read: with its variables filled in it grows too large',
    cause === undefined ? {} : { cause },
  );
}

/** Exit code of a Go program that panicked, as it does where memory ends. */
const GO_PANIC = 2;

async function unreadable(
  error: ProcessError,
  input: { readonly root: string; readonly files: readonly string[]; readonly env: string | undefined },
): Promise<TreehouseError> {
  if (error.exitCode === undefined) return error;
  if (error.exitCode === GO_PANIC) return tooLarge(error);
  const texts = await Promise.all(input.files.map((file) => readFile(file, 'utf8').catch(() => '')));
  const said = error.tail
    .split('\n')
    .filter((line) => !/level=warning/.test(line))
    .join(' ')
    .replaceAll(`${input.root}/`, '');
  const shown = onlyKnownWords(said, [...texts, ...input.files, input.env ?? ''].join(' ')).slice(0, 400);
  return new TreehouseError('compose-unreadable', `the compose file cannot be read: ${shown}`, { cause: error });
}
