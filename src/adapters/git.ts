/** The Git port over simple-git: one bare mirror a repository, one worktree a checkout. */
import { lstat, mkdir, readFile, rm, statfs } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { type Branch, type Commit, commitId, type RepositoryName, shortCommit } from '../domain/names.ts';
import type { Git, Repository } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';
import { ensureMirror, fetchedAs, type Mirror, mirrorOf, refOf, remoteRef, removeStaleLocks } from './git-mirror.ts';
import { parseHeads, parseInfo, parseRef, parseTree, pathInTree } from './git-output.ts';
import { GitFailure, meansDiskFull, reasonOf, runGit } from './git-process.ts';
import { createRemote, type GitForge, type RemoteCall } from './git-remote.ts';
import { bounded, measureCheckout, TooLarge } from './git-size.ts';
import { stampOf } from './git-stamp.ts';
import { createTurns } from './git-turns.ts';

export interface GitOptions {
  /** Treehouse's home; mirrors are in `mirrors` under it. */
  readonly home: string;
  /** PATH for git and what it starts. */
  readonly searchPath: string;
  readonly sshAuthSock?: string | undefined;
  /** Bytes that a checkout may take on disk, and so also what may be fetched at once. */
  readonly checkoutSize: number;
  /** Whose private repositories are read; undefined: those of nobody. */
  readonly forge?: GitForge | undefined;
  /** Whether other processes use the same mirrors. */
  readonly isShared?: boolean;
}

const FETCH_MS = 600_000;
const OTHER_MS = 60_000;
const TOO_DEEP = 'a path in it is longer than 4095 bytes, which no disk here takes; have fewer folders in folders';

/** For whoever takes a mirror away; the next use makes it anew. */
export interface MirrorTurns {
  /** `act` while nothing here changes the repository's mirror. */
  alone(repository: RepositoryName, act: () => Promise<void>): Promise<void>;
}

export function createGit(options: GitOptions): Git & MirrorTurns {
  const { checkoutSize: limit } = options;
  const mirrors = resolve(options.home, 'mirrors');
  const around = { ...options, emptyHome: join(mirrors, '.home') };
  const inTurn = createTurns(options.isShared ? join(options.home, 'locks', 'mirrors') : undefined);
  const askRemote = createRemote({ around, forge: options.forge, folder: join(mirrors, '.askpass') });
  const ensured = new Map<string, string>();
  /** Branch → what could not be fetched of it, and the commit at which that was, once it is known. */
  const refused = new Map<string, { readonly why: TooLarge; readonly tip: Commit | undefined }>();

  async function git(mirror: Mirror, args: readonly string[], signal: AbortSignal, timeoutMs = OTHER_MS) {
    return runGit(around, { ...mirror, args, timeoutMs, signal });
  }

  /** The same of what speaks with the remote. */
  async function remote(mirror: Mirror, args: readonly string[], job: Job, timeoutMs = OTHER_MS) {
    return askRemote({ ...job, mirror, args, timeoutMs });
  }

  /** The repository's mirror, made and swept at its first use by this process. */
  async function open(repository: Repository): Promise<Mirror> {
    const mirror = mirrorOf(mirrors, repository);
    if (ensured.get(repository.name) === repository.url && (await exists(mirror.directory))) return mirror;
    await mkdir(around.emptyHome, { recursive: true, mode: 0o700 });
    await ensureMirror(around, mirror, repository);
    await removeStaleLocks(mirror);
    ensured.set(repository.name, repository.url);
    return mirror;
  }

  /** `act` alone at the repository's mirror, its failures made into errors that name the act. */
  function write<T>(job: Job, act: (mirror: Mirror) => Promise<T>): Promise<T> {
    return naming(job, () => inTurn(job.repository.name, job.signal, async () => act(await open(job.repository))));
  }

  /** The same beside others: nothing of the mirror changes. */
  function read<T>(job: Job, act: (mirror: Mirror) => Promise<T>): Promise<T> {
    const known = ensured.has(job.repository.name);
    return known ? naming(job, async () => act(await open(job.repository))) : write(job, act);
  }

  async function naming<T>(job: Job, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      // A lock that nobody holds any more is looked for at the next use.
      ensured.delete(job.repository.name);
      throw await named(job, error, job.folder ?? mirrors);
    }
  }

  /** What the remote says of the branch, without fetching it. */
  async function tipOf(mirror: Mirror, branch: Branch, job: Job): Promise<Commit | undefined> {
    try {
      const ref = remoteRef(branch);
      return parseRef(await remote(mirror, ['ls-remote', '--exit-code', 'origin', ref], job), ref);
    } catch (error) {
      if (error instanceof GitFailure && error.exitCode === 2) return undefined;
      throw error;
    }
  }

  async function fetchHead(mirror: Mirror, branch: Branch, job: Job): Promise<Commit | undefined> {
    const ref = refOf(branch);
    // -v, since simple-git waits 50 ms longer for a command that says nothing.
    const options = ['-v', '--force', '--depth=1', '--no-tags', '--no-recurse-submodules', '--no-auto-maintenance'];
    const args = ['fetch', ...options, 'origin', `+${remoteRef(branch)}:${ref}`];
    const bounds = {
      ...{ mirror, limit, signal: job.signal, tooLarge: new TooLarge(job.act, limit) },
      // A fetch that was ended at its very end has set the ref to what is gone.
      onRemoved: async () => {
        if (!(await has(mirror, ref))) await git(mirror, ['update-ref', '-d', ref], never());
      },
    };
    await bounded(bounds, (one) => remote(mirror, args, { ...job, signal: one }, FETCH_MS));
    const [id = '', , from] = (await readFile(join(mirror.directory, 'FETCH_HEAD'), 'utf8')).split('\t', 3);
    if (from?.startsWith(`${fetchedAs(branch)} of `)) return commitId(id);
    // Where there is no refs/heads/x, fetch takes refs/heads/refs/heads/x or refs/tags/refs/heads/x for it.
    if ((await tipOf(mirror, branch, job)) === undefined) return undefined;
    return commitId((await git(mirror, ['rev-parse', '--verify', `${ref}^{commit}`], job.signal)).trim());
  }

  /** As `fetchHead`; what was too large is not fetched again and again. */
  async function fetchOnce(mirror: Mirror, branch: Branch, job: Job): Promise<Commit | undefined> {
    const key = keyOf(job.repository, branch);
    const before = refused.get(key);
    const tip = before && (await tipOf(mirror, branch, job));
    if (before && tip !== undefined && tip === before.tip) throw before.why;
    try {
      const commit = await fetchHead(mirror, branch, job);
      refused.delete(key);
      return commit;
    } catch (error) {
      // Only a second time is it known of which commit: the branch may have moved while it was fetched.
      if (error instanceof TooLarge) refused.set(key, { why: error, tip });
      throw error;
    }
  }

  async function tidy(mirror: Mirror, signal: AbortSignal): Promise<void> {
    await git(mirror, ['worktree', 'prune', '--verbose'], signal);
    await git(mirror, ['gc', '--auto', '--quiet'], signal, FETCH_MS);
  }

  return {
    head(repository, branch, signal) {
      const act = `fetching ${repository.name} (branch ${branch})`;
      const job: Job = { repository, act, signal, kind: 'transient' };
      return write(job, async (mirror) => {
        try {
          return await fetchOnce(mirror, branch, job);
        } catch (error) {
          if (!(error instanceof GitFailure)) throw error;
          if ((await tipOf(mirror, branch, job)) === undefined) return undefined;
          throw error;
        }
      });
    },

    branches(repository, signal) {
      const act = `listing the branches of ${repository.name}`;
      const job: Job = { repository, act, signal, kind: 'transient' };
      return read(job, async (mirror) => parseHeads(await remote(mirror, ['ls-remote', '--heads', 'origin'], job)));
    },

    checkout(repository, commit, directory, signal) {
      const act = `checking out ${repository.name} at ${shortCommit(commit)}`;
      const folder = dirname(directory);
      return write({ repository, act, signal, kind: 'transient', folder }, async (mirror) => {
        if (!isAbsolute(directory))
          throw new TreehouseError('git-failed', `${act} failed: ${directory} is not absolute`);
        if (await exists(directory))
          throw new TreehouseError('git-failed', `${act} failed: ${directory} exists already`);
        await mkdir(folder, { recursive: true });
        try {
          const measure = { mirror, commit, limit, timeoutMs: FETCH_MS, signal };
          const verdict = await measureCheckout(around, measure);
          if (verdict === 'large') throw new TooLarge(act, limit);
          if (verdict === 'deep') throw new TreehouseError('refused-by-policy', `${act} failed: ${TOO_DEEP}`);
          await git(mirror, ['worktree', 'add', '--detach', directory, commit], signal, FETCH_MS);
        } catch (error) {
          await rm(directory, { recursive: true, force: true });
          if (error instanceof GitFailure && !(await has(mirror, commit))) {
            const text = `${act} failed: the commit is not in what was fetched; it may have been pushed over`;
            throw new TreehouseError('git-failed', text, { cause: error });
          }
          throw error;
        }
      });
    },

    removeCheckout(repository, directory) {
      const act = `removing the checkout ${directory} of ${repository.name}`;
      const signal = never();
      return write({ repository, act, signal, kind: 'transient' }, async (mirror) => {
        await rm(directory, { recursive: true, force: true, maxRetries: 3 });
        await tidy(mirror, signal);
      });
    },

    stamp: async (repository) => stampOf(repository.url),

    alone: (repository, act) => inTurn(repository, never(), act),

    objectIds(repository, commit, paths) {
      const act = `looking up files of ${repository.name} at ${shortCommit(commit)}`;
      return read({ repository, act, signal: never(), kind: 'transient' }, async (mirror) => {
        const inside = new Map(paths.flatMap((one) => pathInTree(one) ?? []).map((one) => [one, undefined]));
        const root = inside.delete('');
        try {
          const [tree, listed] = await Promise.all([
            root ? git(mirror, ['rev-parse', '--verify', `${commit}^{tree}`], never()) : '',
            // `./`, so that no path is a word of pathspecs; -t, since a folder and what is in it may both be asked for.
            inside.size === 0
              ? ''
              : git(
                  mirror,
                  ['ls-tree', '-z', '-t', commit, '--', ...[...inside.keys()].map((one) => `./${one}`)],
                  never(),
                ),
          ]);
          const ids = parseTree(listed).set('', tree.trim());
          return new Map(
            paths.flatMap((path) => {
              const id = ids.get(pathInTree(path) ?? '/');
              return id === undefined || id === '' ? [] : [[path, id] as const];
            }),
          );
        } catch (error) {
          if (error instanceof GitFailure && !(await has(mirror, commit))) return new Map();
          throw error;
        }
      });
    },

    describe(repository, commit) {
      const act = `describing ${repository.name} at ${shortCommit(commit)}`;
      return read({ repository, act, signal: never(), kind: 'terminal' }, async (mirror) =>
        parseInfo(
          await git(mirror, ['log', '-1', '--no-show-signature', '--format=%ct%x00%an%x00%s', commit], never()),
        ),
      );
    },

    forget(repository, branch) {
      const act = `forgetting branch ${branch} of ${repository.name}`;
      const signal = never();
      return write({ repository, act, signal, kind: 'transient' }, async (mirror) => {
        refused.delete(keyOf(repository, branch));
        await git(mirror, ['update-ref', '-d', refOf(branch)], signal);
        await tidy(mirror, signal);
      });
    },
  };

  async function has(mirror: Mirror, commit: string): Promise<boolean> {
    try {
      return (await git(mirror, ['cat-file', '-t', commit], never())).trim() === 'commit';
    } catch (error) {
      if (error instanceof GitFailure && error.exitCode !== undefined) return false;
      throw error;
    }
  }
}

interface Job extends Pick<RemoteCall, 'repository' | 'signal'> {
  /** "fetching acme/shop (branch x)". */
  readonly act: string;
  readonly kind: 'terminal' | 'transient';
  /** Where files are written, if not among the mirrors. */
  readonly folder?: string;
}

async function named(job: Job, error: unknown, folder: string): Promise<unknown> {
  if (error instanceof TreehouseError) return error;
  const full = meansDiskFull(error) || (error instanceof Error && 'code' in error && error.code === 'ENOSPC');
  if (full) {
    const text = `${job.act} failed: the disk is full${await freeSpace(folder)}; free some space, and it is tried again`;
    return new TreehouseError('disk-full', text, { kind: 'transient', cause: error });
  }
  return new TreehouseError('git-failed', `${job.act} failed: ${reasonOf(error)}`, { kind: job.kind, cause: error });
}

async function freeSpace(folder: string): Promise<string> {
  const stats = await statfs(folder).catch(() => undefined);
  return stats ? ` (${Math.floor((stats.bavail * stats.bsize) / 2 ** 20)} MB free)` : '';
}

function keyOf(repository: Repository, branch: Branch): string {
  return `${repository.name} ${branch}`;
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function never(): AbortSignal {
  return new AbortController().signal;
}
