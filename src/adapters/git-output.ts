/** What git prints, read. */
import { posix } from 'node:path';
import { type Branch, branchName, type Commit, commitId } from '../domain/names.ts';
import type { CommitInfo } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';
import { scrub } from './git-process.ts';

/** Of `ls-remote --heads`: branch → commit; what is not a name or a commit of ours is left out. */
export function parseHeads(text: string): ReadonlyMap<Branch, Commit> {
  const heads = new Map<Branch, Commit>();
  for (const line of text.split('\n')) {
    const [id, ref] = line.split('\t', 2);
    // A name that is not UTF-8 cannot be asked for again.
    if (id === undefined || !ref?.startsWith('refs/heads/') || ref.includes('\ufffd')) continue;
    try {
      heads.set(branchName(ref.slice('refs/heads/'.length)), commitId(id));
    } catch (error) {
      if (!(error instanceof TreehouseError)) throw error;
    }
  }
  return heads;
}

/** Of `ls-remote` that was asked for one ref: its commit. */
export function parseRef(text: string, ref: string): Commit | undefined {
  // The pattern matches at the end, so `refs/heads/refs/heads/x` is among the answers for `x`.
  const line = text.split('\n').find((one) => one.endsWith(`\t${ref}`));
  return line === undefined ? undefined : commitId(line.slice(0, line.indexOf('\t')));
}

/** Of `ls-tree -z`: path → object id. */
export function parseTree(text: string): Map<string, string> {
  const ids = new Map<string, string>();
  for (const entry of text.split('\0')) {
    const [, id, path] = /^\d+ \w+ ([0-9a-f]+)\t(.*)$/s.exec(entry) ?? [];
    if (id !== undefined && path !== undefined) ids.set(path, id);
  }
  return ids;
}

/** Of `log --format=%ct%x00%an%x00%s`. */
export function parseInfo(text: string): CommitInfo {
  const [seconds = '', author = '', ...subject] = text.split('\0');
  return { subject: scrub(subject.join(' ')).trim(), author: scrub(author).trim(), at: Number(seconds) * 1_000 };
}

/** The path as a tree has it; undefined where no tree can hold it. */
export function pathInTree(path: string): string | undefined {
  if (path.includes('\0') || path.startsWith('/')) return undefined;
  const plain = posix.normalize(path).replace(/\/$/, '');
  if (plain === '.') return '';
  return plain === '..' || plain.startsWith('../') ? undefined : plain;
}
