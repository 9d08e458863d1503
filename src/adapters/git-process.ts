/** One git command through simple-git: a closed environment, a time limit, an AbortSignal, and exit codes kept. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GitError, GitPluginError, simpleGit } from 'simple-git';
import { abortReason } from '../errors.ts';
import { timeLimit } from '../time-limit.ts';

export interface GitSurroundings {
  /** PATH for git and what it starts (ssh). */
  readonly searchPath: string;
  /** HOME for git: a folder without anything in it. */
  readonly emptyHome: string;
  /** Where an ssh agent listens, for repositories over ssh. */
  readonly sshAuthSock?: string | undefined;
}

export interface GitCall {
  /** Where it runs: the bare repository, so that no option has to name one. */
  readonly directory: string;
  /**
   * The only configuration read beside the repository's own. A file rather than /dev/null, since git takes safe.directory
   * from nowhere else for the process that serves a local repository.
   */
  readonly globalConfig: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** git did not exit with 0. */
export class GitFailure extends GitError {
  /** Undefined where a signal ended it. */
  readonly exitCode: number | undefined;
  /** Unscrubbed: see `reasonOf`. */
  readonly stderr: string;

  constructor(exitCode: number | undefined, stderr: string) {
    super(undefined, `git exited with code ${exitCode ?? 'none'}`);
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** The variable by which the children of one call are found again. */
const MARK = 'TREEHOUSE_GIT_CALL';
/** From SIGTERM to SIGKILL. */
const GRACE_MS = 5_000;
const ALLOWED = ['GIT_CONFIG_NOSYSTEM', 'GIT_CONFIG_GLOBAL', 'GIT_TERMINAL_PROMPT'] as const;

/**
 * @returns stdout.
 * @throws {GitFailure} on any other exit than 0 and on the time limit; the abort's reason where `signal` was aborted. Both
 * only when git has ended.
 */
export async function runGit(around: GitSurroundings, call: GitCall): Promise<string> {
  if (call.signal.aborted) throw abortReason(call.signal);
  const limit = timeLimit(call.signal, call.timeoutMs);
  const either = limit.signal;
  const mark = randomUUID();
  const git = simpleGit({
    baseDir: call.directory,
    // simple-git's own time limit starts again with each line of output; a whole one is wanted.
    abort: either,
    // Its default takes the output for complete 50 ms after the exit; `close` is exact.
    completion: { onClose: true, onExit: false },
    allowEnvironment: ALLOWED,
    // GIT_CONFIG_GLOBAL is set by us and by nobody else; everything else that simple-git holds for unsafe stays refused.
    unsafe: { allowUnsafeConfigPaths: true },
    errors(error, { exitCode, stdErr }) {
      if (error instanceof GitPluginError) return error;
      if (exitCode === 0) return undefined;
      return new GitFailure(exitCode ?? undefined, Buffer.concat(stdErr).toString('utf8'));
    },
  }).env({ ...gitEnvironment(around, call.globalConfig), [MARK]: mark });
  const done = new AbortController();
  either.addEventListener('abort', () => void endMarked(mark, done.signal), { once: true, signal: done.signal });
  try {
    return await git.raw([...call.args]);
  } catch (error) {
    if (call.signal.aborted) throw abortReason(call.signal);
    if (limit.reached()) throw new GitFailure(undefined, `it took longer than ${call.timeoutMs / 1000} s`);
    throw error;
  } finally {
    limit.clear();
    done.abort();
  }
}

/** All that a git of ours sees of the world. */
export function gitEnvironment(around: GitSurroundings, globalConfig: string): Record<string, string> {
  return {
    PATH: around.searchPath,
    HOME: around.emptyHome,
    ...(around.sshAuthSock === undefined ? {} : { SSH_AUTH_SOCK: around.sshAuthSock }),
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: globalConfig,
    GIT_TERMINAL_PROMPT: '0',
  };
}

/**
 * Ends all that carries the mark in its environment. simple-git interrupts only git itself, and a transport (ssh,
 * git-remote-https) that waits for a silent server outlives that and holds git's pipes open. Without a /proc it is left to
 * the time limits of the transports.
 */
async function endMarked(mark: string, done: AbortSignal): Promise<void> {
  const killFrom = performance.now() + GRACE_MS;
  while (!done.aborted) {
    for (const pid of await marked(mark)) {
      try {
        process.kill(pid, performance.now() < killFrom ? 'SIGTERM' : 'SIGKILL');
      } catch {
        // Gone meanwhile.
      }
    }
    await delay(100, undefined, { signal: done }).catch(() => undefined);
  }
}

async function marked(mark: string): Promise<number[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')));
  return pids.filter((_, index) => environments[index]?.includes(`${MARK}=${mark}`)).map(Number);
}

/** What git said, fit to be shown: no credentials, no control characters, three lines at most. */
export function reasonOf(error: unknown): string {
  const said = error instanceof GitFailure ? error.stderr : error instanceof Error ? error.message : String(error);
  const lines = said
    .split(/[\r\n]+/)
    .map((line) => scrub(line).trim())
    .filter((line) => line !== '' && !line.startsWith('hint:'));
  const worst = lines.filter((line) => /^(?:fatal|error|ERROR|remote|ssh): /.test(line));
  const text = (worst.length > 0 ? worst : lines).slice(0, 3).join('; ').slice(0, 600);
  if (text !== '') return text;
  return error instanceof GitFailure && error.exitCode === undefined ? 'git was ended by a signal' : String(error);
}

/** Takes user names and passwords out of URLs, and control characters out of the text. */
export function scrub(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ').replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^/\s'"]*@/gi, '$1');
}

/**
 * git has no exit code for a full disk, so here its words must do: the C library's under LC_ALL=C, and those of a checkout
 * that could open a file and not write it.
 */
export function meansDiskFull(error: unknown): boolean {
  return (
    error instanceof GitFailure &&
    /No space left on device|Disk quota exceeded|error: unable to write file /.test(error.stderr)
  );
}

/** A configuration that lets git read repositories of another user at these paths. */
export function safeDirectories(paths: readonly string[]): string {
  const all = new Set(paths.flatMap((path) => [path, join(path, '.git')]));
  return `[safe]\n${[...all].map((path) => `\tdirectory = ${configValue(path)}\n`).join('')}`;
}

/** As git's configuration files quote. */
export function configValue(value: string): string {
  return `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
}
