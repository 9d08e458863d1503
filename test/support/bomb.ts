/** A few small objects of git that check out to more than any disk holds. */
import { execFileSync } from 'node:child_process';
import { type Commit, commitId } from '../../src/domain/names.ts';

const LEVELS = 10;
const ENTRIES = [...'0123456789'];

/** Commits ten levels of ten entries, each the same tree: 10^10 files, or as many folders without a file, in 12 objects. */
export function commitBomb(work: string, of: 'files' | 'folders'): Commit {
  const git = (input: string, ...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=Eve', '-c', 'user.email=eve@example.com', ...args], {
      cwd: work,
      input,
      encoding: 'utf8',
    }).trim();
  const tree = (mode: string, type: string, id: string) =>
    git(ENTRIES.map((name) => `${mode} ${type} ${id}\t${name}\n`).join(''), 'mktree');
  let id = of === 'files' ? tree('100644', 'blob', git('boom\n', 'hash-object', '-w', '--stdin')) : git('', 'mktree');
  for (let level = of === 'files' ? 1 : 0; level < LEVELS; level++) id = tree('040000', 'tree', id);
  return commitId(git('', 'commit-tree', '-m', `a bomb of ${of}`, id));
}
