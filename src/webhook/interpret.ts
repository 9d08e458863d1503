/** What a delivery of GitHub's means here: a hint for one preview, or nothing, with the reason. Pure. */
import { z } from 'zod';
import { excludedBecause } from '../domain/desired.ts';
import { selects } from '../domain/globs.ts';
import { type Branch, branchName, type Commit, commitId, previewId, shortCommit } from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { PullRequestFact } from '../domain/pull-requests.ts';
import { messageOf } from '../errors.ts';

export interface InterpretedHint {
  readonly kind: 'hint';
  readonly key: PreviewKey;
  /** Why the preview is looked at, in one sentence. */
  readonly cause: string;
  readonly pullRequest?: PullRequestFact;
}

export type Interpretation =
  | InterpretedHint
  | { readonly kind: 'ignored'; readonly reason: string }
  | { readonly kind: 'ping'; readonly zen: string }
  /** The payload is not what GitHub sends for this event; the reason names the field. */
  | { readonly kind: 'malformed'; readonly reason: string };

// Only the fields that are read: GitHub adds others freely, and a payload's URLs are never used.
const commit = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'a commit id was expected');
const repository = z.object({ full_name: z.string() });
const ping = z.object({ zen: z.string().default('') });
const ofRepository = z.object({ repository });
const push = z.object({
  ref: z.string(),
  after: commit,
  created: z.boolean(),
  deleted: z.boolean(),
  forced: z.boolean(),
});
const refOnly = z.object({ ref: z.string(), ref_type: z.string() });
const action = z.object({ action: z.string() });
const pullRequest = z.object({
  pull_request: z.object({
    number: z.int().positive(),
    state: z.enum(['open', 'closed']),
    merged: z.boolean().nullish(),
    updated_at: z.iso.datetime({ offset: true }),
    head: z.object({ ref: z.string(), sha: commit, repo: repository.nullable() }),
  }),
});

/** The actions on a pull request after which its branch is looked at; what they are called in a cause. */
const PULL_REQUEST_ACTIONS = new Map([
  ['opened', 'was opened'],
  ['reopened', 'was reopened'],
  ['synchronize', 'got new commits'],
  ['edited', 'was edited'],
  ['closed', 'was closed'],
]);

export function interpret(event: string, payload: unknown, repositories: readonly Repository[]): Interpretation {
  switch (event) {
    case 'ping':
      return reading(ping, payload, ({ zen }) => ({ kind: 'ping', zen }));
    case 'push':
    case 'create':
    case 'delete':
    case 'pull_request':
      return reading(ofRepository, payload, (read) => {
        const name = read.repository.full_name;
        const known = repositories.find((one) => one.name.toLowerCase() === name.toLowerCase());
        if (!known) return ignored(`${quote(name)} is not a repository of this server's configuration`);
        if (event === 'pull_request') return ofPullRequest(payload, known);
        return event === 'push' ? ofPush(payload, known) : ofRef(event, payload, known);
      });
    default:
      return ignored(`events of the kind ${quote(event)} change nothing of a preview`);
  }
}

function ofPush(payload: unknown, known: Repository): Interpretation {
  return reading(push, payload, ({ ref, after, created, deleted, forced }) => {
    const prefix = 'refs/heads/';
    if (!ref.startsWith(prefix)) return ignored(notABranch(ref));
    const to = shortCommit(after as Commit);
    return hint(known, ref.slice(prefix.length), (branch) => {
      if (deleted) return `${branch} was deleted`;
      if (created) return `${branch} was created at ${to}`;
      return forced ? `${branch} was force-pushed, to ${to}` : `${branch} was pushed, to ${to}`;
    });
  });
}

function ofRef(event: 'create' | 'delete', payload: unknown, known: Repository): Interpretation {
  return reading(refOnly, payload, ({ ref, ref_type }) => {
    if (ref_type !== 'branch') return ignored(notABranch(ref, ref_type));
    return hint(known, ref, (branch) => `${branch} was ${event}d`);
  });
}

function ofPullRequest(payload: unknown, known: Repository): Interpretation {
  return reading(action, payload, (read) => {
    const did = PULL_REQUEST_ACTIONS.get(read.action);
    if (!did) return ignored(`the action ${quote(read.action)} on a pull request changes nothing of a preview`);
    return reading(pullRequest, payload, ({ pull_request: { number, state, merged, updated_at, head } }) => {
      if (!head.repo) return ignored(`pull request #${number} comes from a repository that is gone`);
      if (head.repo.full_name.toLowerCase() !== known.name.toLowerCase()) {
        const fork = quote(head.repo.full_name);
        return ignored(`pull request #${number} comes from the fork ${fork}, and builds of forks are not enabled`);
      }
      const fact: PullRequestFact = {
        number,
        open: state === 'open',
        merged: merged ?? false,
        head: commitId(head.sha),
        updatedAt: Date.parse(updated_at),
      };
      const cause = `pull request #${number} ${read.action === 'closed' && merged ? 'was merged' : did}`;
      return hint(known, head.ref, () => cause, fact);
    });
  });
}

function hint(
  known: Repository,
  ref: string,
  cause: (branch: Branch) => string,
  fact?: PullRequestFact,
): Interpretation {
  let branch: Branch;
  try {
    branch = branchName(ref);
  } catch (error) {
    return ignored(messageOf(error));
  }
  if (!selects(known.branches, branch)) {
    return ignored(`the \`branches\` setting of ${known.name} leaves out ${quote(branch)}`);
  }
  const key: PreviewKey = { id: previewId(known.slug, branch), repository: known.name, branch };
  if (key.id === known.reserved) return ignored(excludedBecause(key, known) ?? '');
  return { kind: 'hint', key, cause: cause(branch), ...(fact ? { pullRequest: fact } : {}) };
}

function notABranch(ref: string, type = 'no branch'): string {
  return `${quote(ref)} is ${type === 'no branch' ? type : `a ${type}`}, and only branches have previews`;
}

function ignored(reason: string): Interpretation {
  return { kind: 'ignored', reason };
}

/** Text of a stranger inside a sentence: quoted, without control characters, and not a page long. */
function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

function reading<T>(schema: z.ZodType<T>, payload: unknown, then: (read: T) => Interpretation): Interpretation {
  const read = schema.safeParse(payload);
  if (read.success) return then(read.data);
  const faults = read.error.issues.map((issue) => {
    const field = issue.path.join('.');
    return field === '' ? issue.message : `${field}: ${issue.message}`;
  });
  return { kind: 'malformed', reason: `the payload is not one of GitHub's: ${faults.join('; ')}` };
}
