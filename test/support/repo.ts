/** A bare "remote" with a working clone beside it, for tests: real git by argv, in an environment of its own. */
import { spawn } from 'node:child_process';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Branch, type Commit, commitId } from '../../src/domain/names.ts';

/** Content by path; null removes the file, and an object says more of it. */
export type Files = Readonly<Record<string, string | Uint8Array | null | { readonly link: string } | Executable>>;
interface Executable {
  readonly executable: string;
}

export interface TestRepo {
  /** The bare repository: what a Treehouse is configured with. */
  readonly remote: string;
  /** The working clone. */
  readonly work: string;
  /** Commits on the branch that is checked out, and gives the commit's id. */
  commit(files: Files, message?: string): Promise<Commit>;
  /** Pushes the branch that is checked out, or `branch`. */
  push(options?: { readonly branch?: string; readonly force?: boolean }): Promise<void>;
  /** Checks the branch out, made from where the clone is (or from `from`) if it is new. */
  branch(name: string, from?: string): Promise<void>;
  /** Deletes the branch at the remote and, unless it is checked out, in the clone. */
  deleteBranch(name: string): Promise<void>;
  /** The branch at the remote. */
  head(branch?: string): Promise<Commit>;
  /** Any other git command in the clone; gives stdout. */
  git(...args: readonly string[]): Promise<string>;
}

/** Makes `remote.git` and `work` in `directory`, with `files` committed to `main` and pushed. */
export async function makeRepo(directory: string, files: Files = { 'README.md': 'hello\n' }): Promise<TestRepo> {
  await mkdir(directory, { recursive: true });
  const remote = join(directory, 'remote.git');
  const work = join(directory, 'work');
  await git(directory, ['init', '--quiet', '--bare', '--initial-branch=main', remote]);
  await git(directory, ['init', '--quiet', '--initial-branch=main', work]);
  await git(work, ['remote', 'add', 'origin', remote]);
  let ticks = 0;
  const repo: TestRepo = {
    remote,
    work,
    async commit(changes, message = `change ${ticks + 1}`) {
      for (const [path, content] of Object.entries(changes)) await put(join(work, path), content);
      await git(work, ['add', '--all']);
      // A time of its own for each, or equal content would make equal commits.
      const time = `${1_700_000_000 + ticks++} +0000`;
      const dates = { GIT_AUTHOR_DATE: time, GIT_COMMITTER_DATE: time };
      await git(work, ['commit', '--quiet', '--allow-empty', `--message=${message}`], dates);
      return commitId((await git(work, ['rev-parse', 'HEAD'])).trim());
    },
    async push({ branch, force = false } = {}) {
      const ref = branch === undefined ? (await git(work, ['symbolic-ref', 'HEAD'])).trim() : `refs/heads/${branch}`;
      await git(work, ['push', '--quiet', 'origin', `${force ? '+' : ''}${ref}:${ref}`]);
    },
    async branch(name, from) {
      const ref = `refs/heads/${name}`;
      const known = await git(work, ['for-each-ref', '--format=%(refname)', ref]);
      // By plumbing, since `git checkout` takes a name like -x for an option.
      if (!known.split('\n').includes(ref)) await git(work, ['update-ref', ref, from ?? 'HEAD']);
      await git(work, ['symbolic-ref', 'HEAD', ref]);
      await git(work, ['reset', '--quiet', '--hard']);
    },
    async deleteBranch(name) {
      const ref = `refs/heads/${name}`;
      await git(work, ['push', '--quiet', 'origin', `:${ref}`]);
      if ((await git(work, ['symbolic-ref', 'HEAD'])).trim() !== ref) await git(work, ['update-ref', '-d', ref]);
    },
    async head(branch = 'main') {
      return commitId((await git(remote, ['rev-parse', `refs/heads/${branch}`])).trim());
    },
    git: (...args) => git(work, args),
  };
  await repo.commit(files, 'first');
  await repo.push();
  return repo;
}

/** For names that only a test makes up. */
export function asBranch(name: string): Branch {
  return name as Branch;
}

async function put(path: string, content: Files[string]): Promise<void> {
  await rm(path, { recursive: true, force: true });
  if (content === null || content === undefined) return;
  await mkdir(dirname(path), { recursive: true });
  if (typeof content === 'string' || content instanceof Uint8Array) return writeFile(path, content);
  if ('link' in content) return symlink(content.link, path);
  await writeFile(path, content.executable);
  await chmod(path, 0o755);
}

function git(cwd: string, args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<string> {
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'Ada Test',
    GIT_AUTHOR_EMAIL: 'ada@example.com',
    GIT_COMMITTER_NAME: 'Ada Test',
    GIT_COMMITTER_EMAIL: 'ada@example.com',
    ...more,
  };
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`git ${args.join(' ')} exited with ${code}: ${said}`));
    });
  });
}
