/**
 * The compose and buildx command lines, called as plugins without the `docker` wrapper (which costs 120 ms a call), in a clean
 * environment: nothing of Treehouse's own can be interpolated, and no `.env` steers them (../shared/POLICY-FACTS.md).
 */
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Builder, BuildTarget, Composer } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';
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
const CREATE_TIMEOUT = 120_000;
const BUILD_TIMEOUT = 15 * 60_000;
const MAX_MODEL = 20 * 1024 * 1024;

export function composeCommands(options: CommandOptions): Composer & Builder {
  const empty = path.join(options.home, 'empty');

  async function environment(): Promise<Record<string, string>> {
    await mkdir(empty, { recursive: true, mode: 0o700 });
    return {
      PATH: options.path,
      HOME: empty,
      DOCKER_CONFIG: empty,
      BUILDX_CONFIG: path.join(options.home, 'buildx'),
      ...(options.dockerHost === undefined ? {} : { DOCKER_HOST: options.dockerHost }),
      COMPOSE_DISABLE_ENV_FILE: '1',
      COMPOSE_EXPERIMENTAL_GIT_REMOTE: '0',
      COMPOSE_EXPERIMENTAL_OCI_REMOTE: '0',
      COMPOSE_IGNORE_ORPHANS: '1',
      COMPOSE_ANSI: 'never',
      COMPOSE_PROGRESS: 'plain',
      BUILDX_NO_DEFAULT_ATTESTATIONS: '1',
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
          command: options.compose,
          args,
          cwd: root,
          env: await environment(),
          timeoutMs: CONFIG_TIMEOUT,
          maxOutputBytes: MAX_MODEL,
          signal,
          act: 'reading the compose file',
        }).catch((error: unknown) => {
          if (error instanceof ProcessError && error.exitCode !== undefined) throw unreadable(error, root);
          throw error;
        });
        return JSON.parse(result.stdout) as unknown;
      });
    },

    async create({ project, directory, model, onLine, signal }) {
      await runProcess({
        command: options.compose,
        args: [
          ...['-p', project, '--project-directory', directory, '--env-file', '/dev/null', '-f', '-'],
          ...['create', '--no-build', '--pull', 'never', '--quiet-pull'],
        ],
        cwd: directory,
        env: await environment(),
        input: JSON.stringify(model),
        timeoutMs: CREATE_TIMEOUT,
        signal,
        onLine,
        act: 'making the containers',
      }).catch((error: unknown) => {
        if (error instanceof ProcessError && error.exitCode !== undefined) {
          throw new TreehouseError('start-failed', `making the containers failed: ${lastLine(error.tail)}`, {
            cause: error,
          });
        }
        throw error;
      });
    },

    async build({ root, targets, onLine, signal }) {
      await scratch(async (folder) => {
        const file = path.join(folder, 'bake.json');
        await writeFile(file, JSON.stringify(bakeFile(root, targets)), { mode: 0o600 });
        await runProcess({
          command: options.buildx,
          args: ['bake', '--progress', 'plain', '-f', file, 'all'],
          cwd: root,
          env: await environment(),
          timeoutMs: BUILD_TIMEOUT,
          signal,
          onLine,
          act: 'building the images',
        }).catch((error: unknown) => {
          if (error instanceof ProcessError && (error.exitCode !== undefined || error.timedOut))
            throw buildFailure(error);
          throw error;
        });
      });
    },
  };
}

/** Bake reads `${…}` and `%{…}` in its JSON as templates: every text is escaped. */
function bakeFile(root: string, targets: readonly BuildTarget[]): unknown {
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
      ...(build.noNetwork ? { network: 'none' } : {}),
    };
    return [`t${index}`, section] as const;
  });
  return {
    group: { all: { targets: sections.map(([name]) => name) } },
    target: Object.fromEntries(sections),
  };
}

function literal(text: string): string {
  // As functions: in a replacement text `$$` is one `$`.
  return text.replaceAll('${', () => '$${').replaceAll('%{', () => '%%{');
}

function escaped(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, literal(value)]));
}

/** Compose's own words may print a line of a file that it should not have read: only what is known is passed on. */
function unreadable(error: ProcessError, root: string): TreehouseError {
  const said = error.tail
    .split('\n')
    .filter((line) => !/level=warning/.test(line))
    .join(' ')
    .replaceAll(`${root}/`, '')
    .slice(0, 400);
  return new TreehouseError('compose-unreadable', `the compose file cannot be read: ${said}`, { cause: error });
}

function buildFailure(error: ProcessError): TreehouseError {
  if (error.timedOut) {
    return new TreehouseError('build-failed', 'building the images took longer than 15 minutes and was ended', {
      cause: error,
    });
  }
  if (/no space left on device/i.test(error.tail)) {
    return new TreehouseError(
      'disk-full',
      'the disk is full, so the images could not be built; free some space, then redeploy',
      {
        kind: 'transient',
        cause: error,
      },
    );
  }
  return new TreehouseError('build-failed', lastLine(error.tail).replace(/^ERROR: /, ''), { cause: error });
}

function lastLine(text: string): string {
  return (
    text
      .trim()
      .split('\n')
      .filter((line) => line.trim() !== '')
      .at(-1)
      ?.trim() ?? 'it said nothing'
  );
}
