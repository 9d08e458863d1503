/** The bare mirror of one repository: where it is, how it is configured, and what a killed git left in it. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { type Branch, forkNumber, type RepositoryName, repositoryName } from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import { configValue, type GitSurroundings, runGit, safeDirectories } from './git-process.ts';
import { urlForm } from './repository-url.ts';

export interface Mirror {
  readonly directory: string;
  readonly globalConfig: string;
}

/** Longer than any git command may take: a lock file that is older has no owner. */
const STALE_AFTER_MS = 15 * 60_000;

export function mirrorOf(mirrors: string, repository: Pick<Repository, 'name'>): Mirror {
  const base = join(mirrors, repository.name.replace('/', '__'));
  return { directory: `${base}.git`, globalConfig: `${base}.gitconfig` };
}

/** All that a mirror consists of. */
export function mirrorFiles(mirrors: string, name: RepositoryName): readonly string[] {
  const { directory, globalConfig } = mirrorOf(mirrors, { name });
  return [directory, globalConfig];
}

/** Whose mirror a file among them is; undefined for what is none. Owners have no underscores, so the first two are the slash. */
export function repositoryOfMirror(file: string): RepositoryName | undefined {
  const base = /^([^_]+__.+)\.git(?:config)?$/.exec(file)?.[1]?.replace('__', '/');
  try {
    return base === undefined ? undefined : repositoryName(base);
  } catch {
    return undefined;
  }
}

/**
 * The ref under which a mirror keeps a branch. Not the branch's own name: `a` and a later `a/b` would exclude each other, and
 * a name of 255 bytes leaves no room for git's `.lock`.
 */
export function refOf(branch: Branch): string {
  return `refs/treehouse/${createHash('sha256').update(branch).digest('hex').slice(0, 40)}`;
}

/**
 * Where the remote has it. Of a pull request the forge keeps the head in the repository that it is to be merged into, whoever's
 * repository its code is from: https://docs.github.com/en/pull-requests, "Checking out pull requests locally".
 */
export function remoteRef(branch: Branch): string {
  const number = forkNumber(branch);
  return number === undefined ? `refs/heads/${branch}` : `refs/pull/${number}/head`;
}

/** What git calls it in FETCH_HEAD. */
export function fetchedAs(branch: Branch): string {
  return forkNumber(branch) === undefined ? `branch '${branch}'` : `'${remoteRef(branch)}'`;
}

/**
 * Goes before a repository's own `.gitattributes`. `ident` makes a file 12 times as large as its blob, UTF-32 4 times, so that
 * the size of a checkout could not be told from its trees; line ends may still double it.
 */
const ATTRIBUTES = '* -ident -working-tree-encoding\n';

/** Makes the mirror, or brings its configuration up to date; does nothing where both are so. */
export async function ensureMirror(around: GitSurroundings, mirror: Mirror, repository: Repository): Promise<void> {
  const form = urlForm(repository.url);
  const own = form.transport === 'file' ? [mirror.directory, form.url, await realPath(form.url)] : [mirror.directory];
  await writeChanged(mirror.globalConfig, safeDirectories(own));
  await mkdir(join(mirror.directory, 'info'), { recursive: true, mode: 0o700 });
  await writeChanged(join(mirror.directory, 'info', 'attributes'), ATTRIBUTES);
  const config = join(mirror.directory, 'config');
  const wanted = mirrorConfig(form);
  if ((await contentOf(config)) === wanted) return;
  // Written last, so that its content says that the rest is there; an older one could keep `init` from reading it.
  await rm(config, { force: true });
  await runGit(around, {
    ...mirror,
    args: ['init', '--bare', '--quiet', '--initial-branch=none'],
    timeoutMs: 60_000,
    signal: new AbortController().signal,
  });
  await writeChanged(config, wanted);
}

/** Removes the lock files of a git that was killed with its machine, or longer ago than any git runs. */
export async function removeStaleLocks(mirror: Mirror): Promise<void> {
  const before = Math.max(Date.now() - STALE_AFTER_MS, Date.now() - uptime() * 1_000);
  for (const folder of ['.', 'refs/treehouse', 'worktrees']) {
    const path = join(mirror.directory, folder);
    for (const name of await readdir(path).catch(() => [])) {
      if (!name.endsWith('.lock')) continue;
      const lock = join(path, name);
      const found = await stat(lock).catch(() => undefined);
      if (found && found.mtimeMs < before) await rm(lock, { force: true });
    }
  }
}

/**
 * Everything in a mirror is at its remote too. What no branch needs any more is kept for as long as a build may still be about to use
 * it; by git's own two weeks a busy mirror would hold far more of it than of the rest, and be packed anew with every branch that goes.
 */
const PRUNE_EXPIRE = '1.hour.ago';

function mirrorConfig({ transport, url }: ReturnType<typeof urlForm>): string {
  const { clean, header } = withoutCredentials(transport, url);
  return `# Written by Treehouse.
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tsymlinks = true
\tautocrlf = false
\thooksPath = /dev/null
\tfsmonitor = false
\tsshCommand = ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=3
[remote "origin"]
\turl = ${configValue(clean)}
[protocol]
\tallow = never
[protocol "${transport}"]
\tallow = always
[transfer]
\tfsckObjects = true
[submodule]
\trecurse = false
[credential]
\thelper =
[http]
\tlowSpeedLimit = 1
\tlowSpeedTime = 60
[gc]
\tauto = 2000
\tautoDetach = false
\tpruneExpire = ${PRUNE_EXPIRE}
${header}`;
}

/** A password in a URL would show in the list of processes; in a header it stays in a file that only we read. */
function withoutCredentials(transport: string, url: string): { readonly clean: string; readonly header: string } {
  if (transport !== 'https') return { clean: url, header: '' };
  const parsed = new URL(url);
  if (parsed.username === '' && parsed.password === '') return { clean: url, header: '' };
  const pair = `${decodeURIComponent(parsed.username)}:${decodeURIComponent(parsed.password)}`;
  parsed.username = '';
  parsed.password = '';
  const header = `Authorization: Basic ${Buffer.from(pair).toString('base64')}`;
  return { clean: parsed.href, header: `[http "${parsed.origin}/"]\n\textraHeader = ${configValue(header)}\n` };
}

async function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

async function contentOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

async function writeChanged(path: string, text: string): Promise<void> {
  if ((await contentOf(path)) === text) return;
  const aside = `${path}.${process.pid}.new`;
  await writeFile(aside, text, { mode: 0o600 });
  await rename(aside, path);
}
