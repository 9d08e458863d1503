import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGit } from '../../src/adapters/git.ts';
import { reasonOf } from '../../src/adapters/git-process.ts';
import { repositoryUrl } from '../../src/adapters/repository-url.ts';
import { branchName, type Commit, repositoryName } from '../../src/domain/names.ts';
import type { Git, Repository } from '../../src/domain/ports.ts';
import { TreehouseError } from '../../src/errors.ts';
import { failureOf } from '../support/failure.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';

const searchPath = process.env.PATH ?? '';
const signal = new AbortController().signal;
const checkoutSize = 2 ** 30;
let base: string;
let count = 0;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'treehouse-git-'));
});
afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

function repositoryAt(url: string): Repository {
  return { name: repositoryName('acme/shop'), slug: 'shop', url, branches: ['*'] };
}

interface World {
  readonly repo: TestRepo;
  readonly git: Git;
  readonly repository: Repository;
  readonly home: string;
  readonly folder: string;
}

async function world(files?: Parameters<typeof makeRepo>[1]): Promise<World> {
  const folder = join(base, `w${++count}`);
  const repo = await makeRepo(folder, files);
  const home = join(folder, 'home');
  return {
    repo,
    home,
    folder,
    git: createGit({ home, searchPath, checkoutSize }),
    repository: repositoryAt(repo.remote),
  };
}

const main = branchName('main');

describe('head', () => {
  it('follows a branch through pushes and force-pushes', async () => {
    const { repo, git, repository } = await world();
    expect(await git.head(repository, main, signal)).toBe(await repo.head());
    const second = await repo.commit({ a: '1' });
    await repo.push();
    expect(await git.head(repository, main, signal)).toBe(second);
    await repo.git('reset', '--quiet', '--hard', 'HEAD~1');
    const other = await repo.commit({ b: '2' });
    await repo.push({ force: true });
    expect(await git.head(repository, main, signal)).toBe(other);
    expect(await git.head(repository, main, signal)).toBe(other);
  });

  it('reads local paths and file URLs, also where the source is shallow itself', async () => {
    const { repo, git, repository, folder } = await world();
    await repo.commit({ a: '1' });
    await repo.push();
    const url = pathToFileURL(repo.remote).href;
    expect(await git.head({ ...repository, url }, main, signal)).toBe(await repo.head());
    execFileSync('git', ['clone', '-q', '--bare', '--depth=1', url, join(folder, 'shallow.git')]);
    const shallow = { ...repository, name: repositoryName('acme/shallow'), url: join(folder, 'shallow.git') };
    expect(await git.head(shallow, main, signal)).toBe(await repo.head());
    await git.checkout(shallow, await repo.head(), join(folder, 'co'), signal);
    expect(await readFile(join(folder, 'co', 'a'), 'utf8')).toBe('1');
  });

  it('says undefined of a branch that is not there, was deleted, or only ends alike', async () => {
    const { repo, git, repository } = await world();
    expect(await git.head(repository, branchName('nope'), signal)).toBeUndefined();
    await repo.branch('gone');
    await repo.push();
    expect(await git.head(repository, branchName('gone'), signal)).toBeDefined();
    await repo.branch('main');
    await repo.deleteBranch('gone');
    expect(await git.head(repository, branchName('gone'), signal)).toBeUndefined();
    await repo.branch('refs/heads/x');
    await repo.push();
    expect(await git.head(repository, branchName('x'), signal)).toBeUndefined();
  });

  it('says undefined of an empty repository', async () => {
    const { git, repository, folder } = await world();
    execFileSync('git', ['init', '-q', '--bare', join(folder, 'empty.git')]);
    expect(await git.head({ ...repository, url: join(folder, 'empty.git') }, main, signal)).toBeUndefined();
  });

  it('takes a branch for what it is where a folder of branches had its name before', async () => {
    const { repo, git, repository } = await world();
    await repo.branch('a');
    await repo.push();
    expect(await git.head(repository, branchName('a'), signal)).toBe(await repo.head('a'));
    await repo.branch('main');
    await repo.deleteBranch('a');
    await repo.branch('a/b');
    const inner = await repo.commit({ z: 'z' });
    await repo.push();
    expect(await git.head(repository, branchName('a/b'), signal)).toBe(inner);
  });

  it('takes no name for an option, a pattern or a command', async () => {
    const { repo, git, repository, folder } = await world();
    const marker = join(folder, 'touched');
    const names = [
      '-x',
      '--upload-pack=touch',
      `--upload-pack=touch${'\u00a0'}${marker}`,
      `$(touch\${IFS}${marker.replaceAll('/', '_')})`,
      "it's",
      'say-"hi"',
      '`id`',
      'a;b',
      'a|b&c',
      'größe/ünï',
      '日本語',
      '%2e%2e',
      '+plus',
      '!bang',
      'HEAD',
      'x'.repeat(200),
    ];
    for (const name of names) {
      await repo.branch(name, 'main');
      const commit = await repo.commit({ name });
      await repo.push();
      expect(await git.head(repository, branchName(name), signal), name).toBe(commit);
    }
    const listed = await git.branches(repository, signal);
    for (const name of names) expect(listed.get(branchName(name)), name).toBe(await repo.head(name));
    for (const name of names) await git.forget(repository, branchName(name));
    expect((await readdir(folder)).sort()).toEqual(['home', 'remote.git', 'work']);
  });

  it('tells of a remote that is not there, transiently, and never of a password', async () => {
    const { git, repository } = await world();
    const missing = await failureOf(git.head({ ...repository, url: '/nonexistent/x.git' }, main, signal));
    expect(missing).toMatchObject({ code: 'git-failed', kind: 'transient' });
    expect(missing.message).toMatch(/^fetching acme\/shop \(branch main\) failed: .*\/nonexistent\/x\.git/);
    const url = 'https://user:hunter2@127.0.0.1:9/x.git';
    const refused = await failureOf(git.head({ ...repository, url }, main, signal));
    expect(refused).toMatchObject({ code: 'git-failed', kind: 'transient' });
    expect(refused.message).toContain('127.0.0.1');
    expect(refused.message).not.toContain('hunter2');
    expect(reasonOf(new Error('at https://u:p@host/x and ssh://me@h/y'))).toBe('at https://host/x and ssh://h/y');
  });

  it('keeps a password out of the list of processes: it is a header in a file of mode 0600', async () => {
    const { git, repository, home } = await world();
    const url = 'https://user:hunter2@127.0.0.1:9/x.git';
    await failureOf(git.head({ ...repository, url }, main, signal));
    const config = join(home, 'mirrors', 'acme__shop.git', 'config');
    expect(await readFile(config, 'utf8')).toContain('url = "https://127.0.0.1:9/x.git"');
    expect(await readFile(config, 'utf8')).toContain(Buffer.from('user:hunter2').toString('base64'));
    expect((await lstat(config)).mode & 0o777).toBe(0o600);
  });

  it('reads a local repository that belongs to another user', async () => {
    const { repo, git, repository } = await world();
    const head = await repo.head();
    execFileSync('chown', ['-R', '65534:65534', repo.remote, repo.work]);
    expect(await git.head(repository, main, signal)).toBe(head);
    const clone = { ...repository, name: repositoryName('acme/clone'), url: repo.work };
    expect(await git.head(clone, main, signal)).toBe(head);
  });

  it('runs no hook of the remote and none of the mirror', async () => {
    const { repo, git, repository, home, folder } = await world();
    await git.head(repository, main, signal);
    const mirror = join(home, 'mirrors', 'acme__shop.git');
    const hook = `#!/bin/sh\ntouch ${folder}/hooked\n`;
    await mkdir(join(mirror, 'hooks'), { recursive: true });
    for (const name of ['post-checkout', 'reference-transaction', 'post-index-change', 'pre-auto-gc']) {
      await writeFile(join(mirror, 'hooks', name), hook);
      await chmod(join(mirror, 'hooks', name), 0o755);
    }
    const commit = await repo.commit({ a: '2' });
    await repo.push();
    await git.head(repository, main, signal);
    await git.checkout(repository, commit, join(folder, 'co'), signal);
    await git.removeCheckout(repository, join(folder, 'co'));
    expect(await readdir(folder)).not.toContain('hooked');
  });

  it('ends with the abort while a server says nothing, and leaves no git behind', async () => {
    const { git, repository } = await world();
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const stop = new AbortController();
    const began = performance.now();
    const url = `https://127.0.0.1:${port}/x.git`;
    const heading = git.head({ ...repository, url }, main, stop.signal);
    silent.once('connection', () => stop.abort(new TreehouseError('superseded', 'a newer commit came')));
    expect(await failureOf(heading)).toMatchObject({ code: 'superseded' });
    expect(performance.now() - began).toBeLessThan(5_000);
    silent.close();
    expect(processesNaming(`127.0.0.1:${port}`)).toEqual([]);
  });

  it('lets a waiting command go when it is aborted, and the next one on', async () => {
    const { git, repository, repo } = await world();
    const stop = new AbortController();
    const first = git.head(repository, main, signal);
    const waiting = git.head(repository, main, stop.signal);
    const last = git.head(repository, main, signal);
    stop.abort();
    expect(await failureOf(waiting)).toMatchObject({ code: 'stopped' });
    expect(await first).toBe(await repo.head());
    expect(await last).toBe(await repo.head());
  });

  it('recovers from lock files that a killed git left', async () => {
    const { git, repository, repo, home } = await world();
    await git.head(repository, main, signal);
    const mirror = join(home, 'mirrors', 'acme__shop.git');
    const ref = (await readdir(join(mirror, 'refs', 'treehouse')))[0];
    for (const lock of [join(mirror, 'shallow.lock'), join(mirror, 'refs', 'treehouse', `${ref}.lock`)]) {
      await writeFile(lock, '');
      await utimes(lock, 1_000, 1_000);
    }
    await repo.commit({ a: '3' });
    await repo.push();
    expect((await failureOf(git.head(repository, main, signal))).kind).toBe('transient');
    expect(await git.head(repository, main, signal)).toBe(await repo.head());
  });
});

describe('checkout', () => {
  it('lays out exactly the commit, links as links and modes kept, in a worktree that goes again', async () => {
    const { repo, git, repository, home, folder } = await world({
      'src/a.txt': 'a\n',
      run: { executable: '#!/bin/sh\n' },
      'out-of-here': { link: '/etc/passwd' },
      '.gitattributes': '* filter=evil text=auto eol=lf\n',
    });
    const commit = await repo.head();
    await git.head(repository, main, signal);
    const directory = join(folder, 'deep', 'co');
    await git.checkout(repository, commit, directory, signal);
    expect(await readFile(join(directory, 'src/a.txt'), 'utf8')).toBe('a\n');
    expect(await readlink(join(directory, 'out-of-here'))).toBe('/etc/passwd');
    expect((await lstat(join(directory, 'run'))).mode & 0o100).toBe(0o100);
    await git.removeCheckout(repository, directory);
    await git.removeCheckout(repository, directory);
    await expect(lstat(directory)).rejects.toThrow();
    const left = await readdir(join(home, 'mirrors', 'acme__shop.git', 'worktrees')).catch(() => []);
    expect(left).toEqual([]);
  });

  it('does six of one mirror at once, beside fetches', async () => {
    const { repo, git, repository, folder } = await world();
    const commits: Commit[] = [];
    for (let index = 0; index < 6; index++) {
      await repo.branch(`b${index}`, 'main');
      commits.push(await repo.commit({ n: `${index}` }));
      await repo.push();
    }
    await Promise.all(
      commits.map(async (commit, index) => {
        expect(await git.head(repository, branchName(`b${index}`), signal)).toBe(commit);
        await git.checkout(repository, commit, join(folder, `co${index}`), signal);
        expect(await readFile(join(folder, `co${index}`, 'n'), 'utf8')).toBe(`${index}`);
      }),
    );
    await Promise.all(commits.map((_, index) => git.removeCheckout(repository, join(folder, `co${index}`))));
  });

  it('still lays out a commit that was pushed over after it was fetched', async () => {
    const { repo, git, repository, folder } = await world();
    const old = await git.head(repository, main, signal);
    await repo.git('commit', '--quiet', '--amend', '--message=other');
    await repo.push({ force: true });
    await git.head(repository, main, signal);
    await git.checkout(repository, old as Commit, join(folder, 'co'), signal);
    expect(await readdir(join(folder, 'co'))).toContain('README.md');
  });

  it('refuses a commit that is not there, terminally, and a folder that is', async () => {
    const { git, repository, folder, repo } = await world();
    await git.head(repository, main, signal);
    const error = await failureOf(git.checkout(repository, 'ab'.repeat(20) as Commit, join(folder, 'co'), signal));
    expect(error).toMatchObject({ code: 'git-failed', kind: 'terminal' });
    expect(error.message).toMatch(/^checking out acme\/shop at abababababab failed: the commit is not in/);
    await expect(lstat(join(folder, 'co'))).rejects.toThrow();
    const there = await failureOf(git.checkout(repository, await repo.head(), folder, signal));
    expect(there.message).toContain('exists already');
    expect(await readdir(folder)).toContain('remote.git');
  });

  it('says disk-full, with the folder and what is free, and leaves nothing half laid out', async () => {
    const { repo, git, repository, folder } = await world({ big: new Uint8Array(3 * 2 ** 20).fill(7) });
    const small = join(folder, 'small');
    await mkdir(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
    try {
      await git.head(repository, main, signal);
      const error = await failureOf(git.checkout(repository, await repo.head(), join(small, 'co'), signal));
      expect(error).toMatchObject({ code: 'disk-full', kind: 'transient' });
      expect(error.message).toMatch(/the disk is full \(\d+ MB free\)/);
      expect(await readdir(small)).toEqual([]);
      const elsewhere = createGit({ home: small, searchPath, checkoutSize });
      await repo.commit({ noise: new Uint8Array(4 * 2 ** 20).map(() => Math.floor(Math.random() * 256)) });
      await repo.push();
      const fetching = await failureOf(elsewhere.head(repository, main, signal));
      expect(fetching, fetching.message).toMatchObject({ code: 'disk-full', kind: 'transient' });
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it('is quick: a fetch and a worktree', async () => {
    const { repo, git, repository, folder } = await world();
    await git.head(repository, main, signal);
    const times: number[] = [];
    for (let index = 0; index < 5; index++) {
      const commit = await repo.commit({ n: `${index}` });
      await repo.push();
      const began = performance.now();
      await git.head(repository, main, signal);
      await git.checkout(repository, commit, join(folder, `co${index}`), signal);
      times.push(Math.round(performance.now() - began));
    }
    console.log('fetch and worktree, ms:', times.join(' '));
    expect(Math.min(...times)).toBeLessThan(1_000);
  });
});

describe('forget', () => {
  it('gives back what branches that are gone left in the mirror an hour ago, once there is much of it', async () => {
    const { repo, git, repository, home, folder } = await world();
    expect(await git.head(repository, main, signal)).toBe(await repo.head());
    const mirror = join(home, 'mirrors', 'acme__shop.git');
    const files = Array.from({ length: 3_000 }, (_, at) => join(folder, `blob-${at}`));
    for (const [at, file] of files.entries()) await writeFile(file, `blob ${at}`);
    const inMirror = (args: readonly string[], input = '') =>
      execFileSync('git', ['--git-dir', mirror, ...args], { input, encoding: 'utf8' });
    inMirror(['hash-object', '-w', '--stdin-paths'], files.join('\n'));
    const loose = () => Number(/^count: (\d+)$/m.exec(inMirror(['count-objects', '-v']))?.[1]);
    expect(loose()).toBeGreaterThanOrEqual(files.length);
    const before = Date.now() / 1_000 - 2 * 3_600;
    for (const name of await readdir(join(mirror, 'objects'), { recursive: true })) {
      if (/^[0-9a-f]{2}\/[0-9a-f]{38}$/.test(name)) await utimes(join(mirror, 'objects', name), before, before);
    }
    await git.forget(repository, branchName('gone'));
    expect(loose()).toBe(0);
    expect(await git.head(repository, main, signal)).toBe(await repo.head());
  });
});

describe('objectIds and describe', () => {
  it('finds files, folders and the root, whatever the path is called', async () => {
    const { repo, git, repository } = await world({
      'src/a': 'a',
      '-x': 'dash',
      'a:b': 'colon',
      'a b': 'space',
      '--help': 'x',
      'l\nf': 'line',
      'HEAD^{tree}': 'peel',
      '@{0}': 'at',
      ':(top)x': 'magic',
    });
    const commit = await repo.head();
    await git.head(repository, main, signal);
    const paths = ['src/a', '-x', 'a:b', 'a b', '--help', 'l\nf', 'HEAD^{tree}', '@{0}', ':(top)x', 'src', ''];
    const ids = await git.objectIds(repository, commit, paths);
    for (const path of paths) {
      const expected = (await repo.git('rev-parse', `${commit}:${path}`)).trim();
      expect(ids.get(path), path).toBe(expected);
      expect((await git.objectIds(repository, commit, [path])).get(path), path).toBe(expected);
    }
    const same = await git.objectIds(repository, commit, ['src', './src/', '.', '']);
    expect(same.get('./src/')).toBe(ids.get('src'));
    expect(same.get('.')).toBe(ids.get(''));
    const none = ['nope', '../x', '/src', 'src/a/b', 'a\0b', 'src/../../x'];
    expect(await git.objectIds(repository, commit, none)).toEqual(new Map());
    expect([...(await git.objectIds(repository, commit, [...none, 'src/a'])).keys()]).toEqual(['src/a']);
    expect(await git.objectIds(repository, 'ab'.repeat(20) as Commit, ['src', ''])).toEqual(new Map());
  });

  it('describes a commit, without control characters', async () => {
    const { repo, git, repository } = await world();
    const commit = await repo.commit({ a: 'x' }, 'Add \u001b[31mred\n\nbody');
    await repo.push();
    await git.head(repository, main, signal);
    expect(await git.describe(repository, commit)).toEqual({
      subject: 'Add  [31mred',
      author: 'Ada Test',
      at: 1_700_000_001_000,
    });
  });
});

describe('repositoryUrl', () => {
  it.each([
    'https://github.com/acme/shop.git',
    'https://user:pw@github.com/acme/shop',
    'ssh://git@example.com:2222/acme/shop.git',
    'git@github.com:acme/shop.git',
    'example.com:shop.git',
  ])('accepts %s', async (text) => {
    expect(await repositoryUrl(text, searchPath)).toBe(text);
  });

  it.each([
    ['', 'empty'],
    ['-x', 'starts with "-"'],
    ['--upload-pack=touch /tmp/x', 'starts with "-"'],
    ['ext::sh -c "touch /tmp/x"', 'remote helpers'],
    ['fd::17', 'remote helpers'],
    ['http://example.com/x.git', 'use https or ssh'],
    ['git://example.com/x.git', 'use https or ssh'],
    ['ftp://example.com/x', 'only https, ssh and file'],
    ['https://', 'not a URL'],
    ['https://example.com', 'names no repository'],
    ['ssh://-oProxyCommand=touch/x', 'no host'],
    ['ssh://git@host/-x', 'starts with "-"'],
    ['git@-oProxyCommand=x:y', 'no host:path'],
    ['git@host:-x', 'no host:path'],
    ['file://elsewhere/x', 'file:///path'],
    ['a\nb', 'control characters'],
    ['/nonexistent', 'no such folder'],
    ['/etc/passwd', 'not a folder'],
  ])('refuses %j: %s', async (text, why) => {
    const error = await failureOf(repositoryUrl(text, searchPath));
    expect(error.code).toBe('bad-config');
    expect(error.message).toContain(why);
  });

  it('makes paths absolute, and tells a repository from a folder, a folder in one, and an empty one', async () => {
    const { repo, folder } = await world({ 'sub/x': 'x' });
    expect(await repositoryUrl(repo.work, searchPath)).toBe(repo.work);
    expect(await repositoryUrl(pathToFileURL(repo.remote).href, searchPath)).toBe(repo.remote);
    const plain = await failureOf(repositoryUrl(join(repo.work, 'sub'), searchPath));
    expect(plain.message).toContain(`'${join(repo.work, 'sub')}' cannot be used: it is not a git repository`);
    execFileSync('git', ['init', '-q', join(folder, 'empty')]);
    expect((await failureOf(repositoryUrl(join(folder, 'empty'), searchPath))).message).toContain('no branch yet');
    execFileSync('chown', ['-R', '65534:65534', repo.work]);
    expect(await repositoryUrl(repo.work, searchPath)).toBe(repo.work);
  });

  it('shows no password', async () => {
    expect((await failureOf(repositoryUrl('https://me:hunter2@ho st/x', searchPath))).message).not.toContain('hunter2');
  });
});

function processesNaming(text: string): string[] {
  return execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('git') && line.includes(text));
}

describe('stamp', () => {
  it('is another whenever a branch moves, comes or goes, and the same while none does', async () => {
    const { repo, git, repository } = await world();
    const seen = [await git.stamp(repository)];
    expect(seen[0]).toBeDefined();
    const look = async () => {
      const now = await git.stamp(repository);
      expect(await git.stamp(repository)).toBe(now);
      expect(seen).not.toContain(now);
      seen.push(now);
    };
    await repo.commit({ a: 'of the same length' });
    await repo.push();
    await look();
    await repo.branch('other', 'main');
    await repo.push();
    await look();
    await repo.git('-C', repo.remote, 'pack-refs', '--all');
    await look();
    await repo.deleteBranch('other');
    await look();
  });

  it('is not told of what is elsewhere, or not in a form that is known', async () => {
    const { git, repository } = await world();
    expect(await git.stamp({ ...repository, url: 'https://example.invalid/a.git' })).toBeUndefined();
    expect(await git.stamp({ ...repository, url: '/nonexistent' })).toBeUndefined();
  });
});
