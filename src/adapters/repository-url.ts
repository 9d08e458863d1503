/** What a person may write for a repository: https, ssh (also as host:path), a file URL or a path; all else is refused. */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TreehouseError } from '../errors.ts';
import { GitFailure, reasonOf, runGit, safeDirectories, scrub } from './git-process.ts';

export type Transport = 'https' | 'ssh' | 'file';

/**
 * The URL, or the absolute path, that git is given.
 * @throws {TreehouseError} `bad-config`, naming what was written, where it is none of these or no repository with a branch.
 */
export async function repositoryUrl(text: string, searchPath: string): Promise<string> {
  const form = urlForm(text);
  if (form.transport !== 'file') return form.url;
  await checkLocal(form.url, searchPath);
  return form.url;
}

/** The same without looking at the disk. @throws {TreehouseError} `bad-config`. */
export function urlForm(text: string): { readonly transport: Transport; readonly url: string } {
  const url = text.trim();
  if (url === '') throw refusal(text, 'it is empty');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(url)) throw refusal(text, 'it holds control characters');
  if (url.startsWith('-')) throw refusal(text, 'it starts with "-"; write ./ before a path that does');
  if (/^[A-Za-z0-9_+.-]+::/.test(url)) throw refusal(text, 'remote helpers (name::…) run commands');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(url)?.[1]?.toLowerCase();
  if (scheme === 'https') return { transport: 'https', url: checkHost(text, url) };
  if (scheme === 'ssh') return { transport: 'ssh', url: checkHost(text, url) };
  if (scheme === 'file') return { transport: 'file', url: pathOf(text, url) };
  if (scheme === 'http' || scheme === 'git')
    throw refusal(text, `${scheme}:// proves nothing of the other side; use https or ssh`);
  if (scheme !== undefined) throw refusal(text, 'only https, ssh and file URLs are known');
  // As git decides it: a colon before the first slash makes it host:path.
  const colon = url.indexOf(':');
  if (colon === -1 || url.slice(0, colon).includes('/')) return { transport: 'file', url: resolve(url) };
  if (!/^(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:[^-].*$/.test(url)) {
    throw refusal(text, 'it is no host:path; write ./ before a path with a colon');
  }
  return { transport: 'ssh', url };
}

function checkHost(text: string, url: string): string {
  if (!URL.canParse(url)) throw refusal(text, 'it is not a URL');
  const { hostname, username, pathname } = new URL(url);
  if (!/^(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-f:.]+\])$/i.test(hostname)) throw refusal(text, 'it names no host');
  if (username.startsWith('-') || pathname.startsWith('/-')) throw refusal(text, 'a part of it starts with "-"');
  if (pathname === '' || pathname === '/') throw refusal(text, 'it names no repository on that host');
  return url;
}

function pathOf(text: string, url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw refusal(text, 'a file URL has the form file:///path', cause);
  }
}

async function checkLocal(path: string, searchPath: string): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (!there) throw refusal(path, 'there is no such folder');
  if (!there.isDirectory()) throw refusal(path, 'it is not a folder');
  const scratch = await mkdtemp(join(tmpdir(), 'treehouse-'));
  try {
    const globalConfig = join(scratch, 'gitconfig');
    await writeFile(globalConfig, safeDirectories([path]));
    const heads = await runGit(
      { searchPath, emptyHome: scratch },
      {
        directory: scratch,
        globalConfig,
        // The path is absolute, so never an option; a folder inside a repository does not count as that repository.
        args: ['ls-remote', '--heads', path],
        timeoutMs: 60_000,
        signal: new AbortController().signal,
      },
    );
    if (heads === '') throw refusal(path, 'it has no branch yet; commit something to it first');
  } catch (error) {
    if (!(error instanceof GitFailure)) throw error;
    if (error.exitCode === 128) throw refusal(path, 'it is not a git repository; `git init` makes it one', error);
    throw refusal(path, `git could not read it: ${reasonOf(error)}`, error);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function refusal(text: string, why: string, cause?: unknown): TreehouseError {
  return new TreehouseError('bad-config', `repository '${scrub(text)}' cannot be used: ${why}`, { cause });
}
