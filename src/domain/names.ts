/** Identities: each is a branded string that only this file constructs. */
import { createHash } from 'node:crypto';
import { TreehouseError } from '../errors.ts';

type Brand<Name extends string> = string & { readonly __brand: Name };

/** `owner/name`, as GitHub spells it. */
export type RepositoryName = Brand<'RepositoryName'>;
/** A branch's name without `refs/heads/`. */
export type Branch = Brand<'Branch'>;
/** A full commit id, 40 (or 64) lower-case hex digits. */
export type Commit = Brand<'Commit'>;
/** The DNS label of a preview, `{branch}--{repo}`, or `{branch}` where there is one repository; at most 63 characters. */
export type PreviewId = Brand<'PreviewId'>;
/** One attempt at one commit; lower-case letters and digits, sorts by time. */
export type BuildId = Brand<'BuildId'>;

/** The longest DNS label, RFC 1035 section 2.3.4. */
const LABEL_MAX = 63;
/** Hex digits of SHA-256 kept: 40 bits; whoever finds a collision is still told that the id is taken. */
const HASH_LENGTH = 10;
const SEPARATOR = '--';

/** @throws {TreehouseError} `bad-config` unless `text` is `owner/name` in GitHub's alphabet. */
export function repositoryName(text: string): RepositoryName {
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,38}\/[A-Za-z0-9._-]{1,100}$/.test(text) || /\/\.{1,2}$/.test(text)) {
    throw new TreehouseError('bad-config', `'${text}' is not a repository's name: it has the form owner/name`);
  }
  return text as RepositoryName;
}

/**
 * @throws {TreehouseError} `bad-branch` where git itself would not accept the name (git-check-ref-format(1)).
 */
export function branchName(text: string): Branch {
  const fault = branchFault(text);
  if (fault) throw new TreehouseError('bad-branch', `branch ${JSON.stringify(text)} is refused: ${fault}`);
  return text as Branch;
}

/**
 * What stands for a branch where code comes from a fork: git allows no `~` in a branch's name, so no branch is ever called so.
 * @param pullRequest its number in the repository that it is to be merged into
 */
export function forkBranch(pullRequest: number): Branch {
  return `pull~${pullRequest}` as Branch;
}

/** The number of the fork's pull request; undefined for a branch of the repository itself. */
export function forkNumber(branch: Branch): number | undefined {
  const digits = /^pull~([1-9][0-9]{0,14})$/.exec(branch)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** What a preview is of, as Treehouse wrote it earlier: a branch's name, or what stands for one. @throws as {@link branchName}. */
export function previewBranch(text: string): Branch {
  return forkNumber(text as Branch) === undefined ? branchName(text) : (text as Branch);
}

function branchFault(text: string): string | undefined {
  if (text === '' || text === '@') return 'it has no name';
  if (Buffer.byteLength(text) > 255) return 'it is longer than 255 bytes';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[\u0000-\u0020\u007f~^:?*[\\]/.test(text)) return 'git allows no spaces, control characters or ~ ^ : ? * [ \\';
  if (/\.\.|@\{|\/\/|^\/|\/$|\.$/.test(text)) return 'git allows no "..", "@{", "//", or "/" and "." at its ends';
  if (text.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock'))) {
    return 'git allows no part that starts with "." or ends with ".lock"';
  }
  return undefined;
}

/** @throws {TreehouseError} `git-failed` unless `text` is a full commit id. */
export function commitId(text: string): Commit {
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) {
    throw new TreehouseError('git-failed', `'${text}' is not a commit id`);
  }
  return text as Commit;
}

/** The first 12 digits, for people. */
export function shortCommit(commit: Commit): string {
  return commit.slice(0, 12);
}

/** The part of a repository's name that its previews' ids end with: DNS-safe, no `--` in it. */
export function repositorySlug(name: RepositoryName): string {
  const own = name.slice(name.indexOf('/') + 1);
  return slug(own, 24, false);
}

/**
 * The id of a branch's preview. Two branches never share one: whenever normalising the name changes anything, a hash of the
 * whole name is added, and a name that only looks as if it carried such a hash is hashed too. With an empty slug it is the
 * branch alone; no part ever holds `--`, so ids of the two forms differ.
 */
export function previewId(slugOfRepository: string, branch: Branch): PreviewId {
  if (slugOfRepository === '') return slug(branch, LABEL_MAX, true) as PreviewId;
  const room = LABEL_MAX - SEPARATOR.length - slugOfRepository.length;
  return `${slug(branch, room, true)}${SEPARATOR}${slugOfRepository}` as PreviewId;
}

/** Reads an id that Treehouse wrote earlier (a label, a key); undefined where the text cannot be one. */
export function parsePreviewId(text: string): PreviewId | undefined {
  return /^[a-z0-9]+(?:-[a-z0-9]+)*(?:--[a-z0-9]+(?:-[a-z0-9]+)*)?$/.test(text) && text.length <= LABEL_MAX
    ? (text as PreviewId)
    : undefined;
}

/**
 * The host label of a service that is exposed beside the main one, `{service}--{preview id}`; it holds one `--` more than the
 * ids of its installation, so it is never one of them.
 */
export function sideHost(service: string, preview: PreviewId): string {
  const whole = `${slug(service, 20, true)}${SEPARATOR}${preview}`;
  return whole.length <= LABEL_MAX ? whole : `${slug(service, 20, true)}${SEPARATOR}h${hash(preview)}${SEPARATOR}x`;
}

/** A build's id from the time it began (milliseconds) and a random number below 1296. */
export function buildId(now: number, random: number): BuildId {
  return `${now.toString(36)}${random.toString(36).padStart(2, '0')}` as BuildId;
}

/** @returns undefined where it is no build's id; else when the build began, milliseconds since the epoch. */
export function parseBuildId(text: string): { readonly startedAt: number } | undefined {
  return /^[0-9a-z]{3,13}$/.test(text) ? { startedAt: Number.parseInt(text.slice(0, -2), 36) } : undefined;
}

function slug(text: string, room: number, hashShort: boolean): string {
  const plain = text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  const faithful = plain === text && plain.length <= room && !/(?:^|-)[0-9a-f]{10}$/.test(plain);
  // Labels with hyphens in places three and four are reserved (RFC 5891, 4.2.3.1): a two-letter branch would make one.
  if (faithful && !(hashShort && plain.length === 2)) return plain;
  const kept = plain.slice(0, Math.max(1, room - HASH_LENGTH - 1)).replace(/-+$/, '');
  return `${kept === '' ? 'x' : kept}-${hash(text)}`;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
}
