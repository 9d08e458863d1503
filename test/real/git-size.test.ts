/** What a branch may take on the host's disk, against real git: bombs of trees, large files, large fetches. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGit } from '../../src/adapters/git.ts';
import { branchName, type Commit, repositoryName } from '../../src/domain/names.ts';
import type { Git, Repository } from '../../src/domain/ports.ts';
import { TreehouseError } from '../../src/errors.ts';
import { commitBomb } from '../support/bomb.ts';
import { failureOf } from '../support/failure.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';

const MIB = 2 ** 20;
const BLOCK = 4096;
const main = branchName('main');
const signal = new AbortController().signal;
let base: string;
let count = 0;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'treehouse-size-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

interface World {
  readonly repo: TestRepo;
  readonly git: Git;
  readonly repository: Repository;
  /** Where a checkout may go. */
  readonly target: string;
  readonly mirror: string;
}

async function world(checkoutSize: number, files?: Parameters<typeof makeRepo>[1]): Promise<World> {
  const folder = join(base, `w${++count}`);
  const repo = await makeRepo(folder, files);
  const home = join(folder, 'home');
  return {
    repo,
    git: createGit({ home, searchPath: process.env.PATH ?? '', checkoutSize }),
    repository: { name: repositoryName('acme/shop'), slug: 'shop', url: repo.remote, branches: ['*'] },
    target: join(folder, 'co'),
    mirror: join(home, 'mirrors', 'acme__shop.git'),
  };
}

/** Fetches the head of main and lays it out. */
async function layOut({ git, repository, target }: World): Promise<Commit> {
  const commit = (await git.head(repository, main, signal)) as Commit;
  await git.checkout(repository, commit, target, signal);
  return commit;
}

const REFUSED = { code: 'refused-by-policy', kind: 'terminal' };

describe('a checkout', () => {
  it.each(['files', 'folders'] as const)('of a git bomb of %s is refused before anything is laid out', async (of) => {
    const one = await world(16 * MIB);
    const commit = commitBomb(one.repo.work, of);
    await one.repo.git('push', '--quiet', 'origin', `+${commit}:refs/heads/main`);
    expect(await one.git.head(one.repository, main, signal)).toBe(commit);
    const memory = process.memoryUsage().rss;
    const error = await failureOf(one.git.checkout(one.repository, commit, one.target, signal));
    expect(process.memoryUsage().rss - memory).toBeLessThan(64 * MIB);
    expect(error).toMatchObject(REFUSED);
    expect(error.message).toBe(
      `checking out acme/shop at ${commit.slice(0, 12)} failed: it takes more than 16 MiB on disk, the most that a checkout may take; take out what is large, or ask an admin to raise checkoutSize (TREEHOUSE_CHECKOUT_SIZE)`,
    );
    await expect(lstat(one.target)).rejects.toThrow();
    expect(await readdir(join(one.mirror, 'worktrees')).catch(() => [])).toEqual([]);
    expect(await processesIn(one.mirror)).toEqual([]);
  });

  it('of a file of zeros, which is nothing to fetch, is refused', async () => {
    const one = await world(16 * MIB, { zeros: new Uint8Array(17 * MIB) });
    expect(await failureOf(layOut(one))).toMatchObject(REFUSED);
    await expect(lstat(one.target)).rejects.toThrow();
  });

  it('of folders in folders, deeper than any disk takes, is refused', async () => {
    const one = await world(1024 * MIB);
    const path = Array.from({ length: 3_000 }, () => 'a').join('/');
    execFileSync('git', ['fast-import', '--quiet', '--force'], {
      cwd: one.repo.remote,
      input: `commit refs/heads/main\ncommitter Eve <e@x> 1700000000 +0000\ndata 0\nM 100644 inline ${path}\ndata 0\n`,
    });
    const error = await failureOf(layOut(one));
    expect(error).toMatchObject(REFUSED);
    expect(error.message).toContain('a path in it is longer than 4095 bytes');
  });

  it('just below the limit is laid out, one byte above it is not', async () => {
    // A file, a folder, and the file in it.
    const files = { large: new Uint8Array(8 * MIB), 'folder/small': 'x' };
    const fits = await world(8 * MIB + 2 * BLOCK, files);
    await layOut(fits);
    expect((await lstat(join(fits.target, 'large'))).size).toBe(8 * MIB);
    const tight = await world(8 * MIB + 2 * BLOCK - 1, files);
    expect(await failureOf(layOut(tight))).toMatchObject(REFUSED);
  });

  it('is as large as its trees say: no attribute makes a file grow', async () => {
    const id = '$Id$\n'.repeat(100);
    const wide = Buffer.from([...'wide\n'].flatMap((letter) => [letter.charCodeAt(0), 0, 0, 0]));
    const attributes = 'id ident\nwide working-tree-encoding=UTF-32LE\n';
    const one = await world(16 * MIB, { '.gitattributes': attributes, id, wide });
    await layOut(one);
    expect(await readFile(join(one.target, 'id'), 'utf8')).toBe(id);
    expect(await readFile(join(one.target, 'wide'), 'utf8')).toBe('wide\n');
  });

  it('of many files is measured in one short git', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, index) => [`${index % 50}/${index}`, `${index}`]),
    );
    const one = await world(64 * MIB, files);
    await one.git.head(one.repository, main, signal);
    const began = performance.now();
    execFileSync('git', ['ls-tree', '-r', '-t', '-l', 'HEAD'], { cwd: one.repo.work });
    console.log('ls-tree of 2,000 files, ms:', Math.round(performance.now() - began));
    await layOut(one);
    expect(await readdir(one.target)).toHaveLength(51);
  });
});

describe('a fetch', () => {
  it('past the limit is ended, what it wrote is gone, and a smaller commit is fetched as ever', async () => {
    const one = await world(16 * MIB);
    const small = await layOut(one);
    const before = await objectsOf(one.mirror);
    await one.repo.commit({ noise: randomBytes(40 * MIB) });
    await one.repo.push();
    const error = await failureOf(one.git.head(one.repository, main, signal));
    expect(error).toMatchObject(REFUSED);
    expect(error.message).toMatch(/^fetching acme\/shop \(branch main\) failed: it takes more than 16 MiB on disk/);
    expect(await objectsOf(one.mirror)).toEqual(before);
    expect(await processesIn(one.mirror)).toEqual([]);
    // What was live before can still be read and laid out.
    await one.git.checkout(one.repository, small, `${one.target}2`, signal);
    const next = await one.repo.commit({ noise: 'quiet' });
    await one.repo.push();
    expect(await one.git.head(one.repository, main, signal)).toBe(next);
    await one.git.checkout(one.repository, next, `${one.target}3`, signal);
  });

  it('that was refused twice is not begun again until the branch moves', async () => {
    const one = await world(8 * MIB, { noise: randomBytes(12 * MIB) });
    const calls = join(base, 'calls');
    const tools = join(base, 'tools');
    await mkdir(tools);
    const real = execFileSync('which', ['git'], { encoding: 'utf8' }).trim();
    await writeFile(join(tools, 'git'), `#!/bin/sh\necho "$*" >> ${calls}\nexec ${real} "$@"\n`, { mode: 0o755 });
    const searchPath = `${tools}:${process.env.PATH}`;
    const git = createGit({ home: join(base, 'counted'), searchPath, checkoutSize: 8 * MIB });
    for (let tries = 0; tries < 4; tries++) {
      expect(await failureOf(git.head(one.repository, main, signal))).toMatchObject(REFUSED);
    }
    expect((await readFile(calls, 'utf8')).match(/^.*\bfetch\b/gm)).toHaveLength(2);
    const next = await one.repo.commit({ noise: 'quiet' });
    await one.repo.push();
    expect(await git.head(one.repository, main, signal)).toBe(next);
  });

  it('that is ended by an abort leaves nothing of it, either', async () => {
    const one = await world(1024 * MIB);
    await layOut(one);
    const before = await objectsOf(one.mirror);
    await one.repo.commit({ noise: randomBytes(24 * MIB) });
    await one.repo.push();
    const stop = new AbortController();
    const heading = failureOf(one.git.head(one.repository, main, stop.signal));
    await expect.poll(() => objectsOf(one.mirror), { timeout: 30_000, interval: 5 }).not.toEqual(before);
    stop.abort(new TreehouseError('superseded', 'a newer commit came'));
    expect(await heading).toMatchObject({ code: 'superseded' });
    expect(await objectsOf(one.mirror)).toEqual(before);
  });
});

async function objectsOf(mirror: string): Promise<string[]> {
  const names = await readdir(join(mirror, 'objects'), { recursive: true });
  // Folders may stay.
  return names.filter((name) => name.includes('/')).sort();
}

/** Programs that run in a mirror. */
async function processesIn(mirror: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return pids.filter((_, index) => folders[index] === mirror);
}
