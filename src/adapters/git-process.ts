/** One git command through simple-git: a closed environment, a time limit, an AbortSignal, and exit codes kept. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GitError, GitPluginError, simpleGit } from 'simple-git';
import { abortReason } from '../errors.ts';
import { timeLimit } from '../time-limit.ts';
import type { Askpass } from './git-askpass.ts';

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
  /** Where git finds what a remote asks for; without it such a remote ends the command. */
  readonly askpass?: Askpass | undefined;
}

/** git did not exit with 0. */
export class GitFailure extends GitError {
  /** Undefined where a signal ended it. */
  readonly exitCode: number | undefined;
  /** Unscrubbed, but for what was given by `askpass`: see `reasonOf`. */
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
const ALLOWED = ['GIT_CONFIG_NOSYSTEM', 'GIT_CONFIG_GLOBAL', 'GIT_TERMINAL_PROMPT', 'GIT_ASKPASS'] as const;

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
    // GIT_CONFIG_GLOBAL and GIT_ASKPASS are set by us and by nobody else; all else that simple-git holds for unsafe stays refused.
    unsafe: { allowUnsafeConfigPaths: true, allowUnsafeAskPass: call.askpass !== undefined },
    errors(error, { exitCode, stdErr }) {
      if (error instanceof GitPluginError) return error;
      if (exitCode === 0) return undefined;
      const said = Buffer.concat(stdErr).toString('utf8');
      return new GitFailure(exitCode ?? undefined, without(said, call.askpass?.secrets ?? []));
    },
  }).env({ ...gitEnvironment(around, call.globalConfig), ...call.askpass?.environment, [MARK]: mark });
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

/** A remote's own words are in what git says, and may be those that it was told. */
function without(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '…'), text);
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

/** What a remote made of who asked, and which host it was; as with a full disk git has only words for it. */
export interface Refusal {
  readonly kind: 'who' | 'forbidden' | 'not found';
  /** With its port, as in a URL. */
  readonly host: string;
}

const REFUSALS: readonly (readonly [Refusal['kind'], RegExp])[] = [
  ['who', /^fatal: (?:Authentication failed for|could not read (?:Username|Password) for) '(https:[^']+)'/m],
  ['forbidden', /^fatal: unable to access '(https:[^']+)': The requested URL returned error: 403$/m],
  ['not found', /^fatal: repository '(https:[^']+)' not found$/m],
];

/** Undefined where git failed otherwise. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof GitFailure)) return undefined;
  for (const [kind, pattern] of REFUSALS) {
    const url = pattern.exec(error.stderr)?.[1];
    if (url !== undefined && URL.canParse(url)) return { kind, host: new URL(url).host };
  }
  return undefined;
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
