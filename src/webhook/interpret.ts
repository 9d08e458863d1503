/** What a delivery of GitHub's means here: a hint for one preview, a command, or nothing, with the reason. Pure. */
import { z } from 'zod';
import { type Commit, shortCommit } from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import { hint } from './hint.ts';
import {
  commitField,
  findRepository,
  type Interpretation,
  ignored,
  notConfigured,
  quote,
  reading,
  repositoryField,
} from './interpretation.ts';
import { ofComment } from './of-comment.ts';
import { ofInstallation, ofRepository } from './of-installation.ts';
import { ofPullRequest } from './of-pull-request.ts';

const ping = z.object({ zen: z.string().default('') });
const withRepository = z.object({ repository: repositoryField });
const push = z.object({
  ref: z.string(),
  after: commitField,
  created: z.boolean(),
  deleted: z.boolean(),
  forced: z.boolean(),
});
const refOnly = z.object({ ref: z.string(), ref_type: z.string() });

export function interpret(event: string, payload: unknown, repositories: readonly Repository[]): Interpretation {
  switch (event) {
    case 'ping':
      return reading(ping, payload, ({ zen }) => ({ kind: 'ping', zen }));
    case 'push':
      return ofKnown(payload, repositories, ofPush);
    case 'create':
    case 'delete':
      return ofKnown(payload, repositories, (read, known) => ofRef(event, read, known));
    case 'pull_request':
      return ofKnown(payload, repositories, ofPullRequest);
    case 'issue_comment':
      return ofKnown(payload, repositories, ofComment);
    case 'repository':
      return ofRepository(payload, repositories);
    case 'installation':
    case 'installation_repositories':
      return ofInstallation(event, payload, repositories);
    default:
      return ignored(`events of the kind ${quote(event)} change nothing of a preview`);
  }
}

function ofKnown(
  payload: unknown,
  repositories: readonly Repository[],
  then: (payload: unknown, known: Repository) => Interpretation,
): Interpretation {
  return reading(withRepository, payload, ({ repository: { full_name } }) => {
    const known = findRepository(repositories, full_name);
    return known ? then(payload, known) : notConfigured(full_name);
  });
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

function notABranch(ref: string, type = 'no branch'): string {
  return `${quote(ref)} is ${type === 'no branch' ? type : `a ${type}`}, and only branches have previews`;
}
