/** What a `pull_request` event means: a fact about a branch and a look at its preview, or a fact about a fork. Pure. */
import { z } from 'zod';
import type { CommandOrder } from '../domain/comment-commands.ts';
import { forkState } from '../domain/forks.ts';
import { type Branch, branchName, commitId, forkBranch } from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import { previewKey } from '../domain/preview.ts';
import type { PullRequestFact } from '../domain/pull-requests.ts';
import { judge } from '../domain/selection.ts';
import { hint } from './hint.ts';
import {
  action,
  commitField,
  type Interpretation,
  ignored,
  isBot,
  quote,
  reading,
  repositoryField,
  timeField,
  userField,
} from './interpretation.ts';

const pullRequest = action.extend({
  pull_request: z.object({
    number: z.int().positive(),
    state: z.enum(['open', 'closed']),
    merged: z.boolean().nullish(),
    updated_at: timeField,
    head: z.object({ ref: z.string(), sha: commitField, repo: repositoryField.nullable() }),
    // What follows is not needed to know that a preview is to be looked at.
    base: z.object({ ref: z.string() }).optional(),
    draft: z.boolean().nullish(),
    labels: z.array(z.object({ name: z.string() })).nullish(),
    user: userField.nullish(),
  }),
  label: z.object({ name: z.string() }).nullish(),
  sender: userField.nullish(),
  changes: z.object({ base: z.unknown(), title: z.unknown() }).partial().nullish(),
});
type Read = z.output<typeof pullRequest>;

/** The actions after which its branch is looked at; what they are called in a cause. */
const ACTIONS = new Map<string, (read: Read) => string>([
  ['opened', () => 'was opened'],
  ['reopened', () => 'was reopened'],
  ['synchronize', () => 'got new commits'],
  ['edited', editedText],
  ['labeled', ({ label }) => `got the label ${quote(label?.name ?? '')}`],
  ['unlabeled', ({ label }) => `lost the label ${quote(label?.name ?? '')}`],
  ['converted_to_draft', () => 'became a draft'],
  ['ready_for_review', () => 'is ready for review'],
  ['closed', ({ pull_request: { merged } }) => (merged ? 'was merged' : 'was closed')],
]);

export function ofPullRequest(payload: unknown, known: Repository): Interpretation {
  return reading(action, payload, (read) => {
    const did = ACTIONS.get(read.action);
    if (!did) return ignored(`the action ${quote(read.action)} on a pull request changes nothing of a preview`);
    return reading(pullRequest, payload, (whole) => {
      const { number, head } = whole.pull_request;
      const fact = factIn(whole);
      const cause = `pull request #${number} ${did(whole)}`;
      const from = head.repo?.full_name;
      const isOwn = from?.toLowerCase() === known.name.toLowerCase();
      return isOwn
        ? hint(known, head.ref, () => withSelection(cause, fact, known), fact)
        : ofFork(known, fact, { repository: from, branch: head.ref, approval: approvalIn(whole, known) });
    });
  });
}

/** No code of it is run before somebody approved it, whatever its branch is called. */
function ofFork(
  known: Repository,
  fact: PullRequestFact,
  more: { repository: string | undefined; branch: string; approval: CommandOrder | undefined },
): Interpretation {
  const { repository, branch: ref, approval } = more;
  const fork = { repository: repository ?? 'a repository that is gone', branch: ref };
  const whole = { ...fact, fork, headSince: fact.updatedAt };
  const { why } = { why: 'approved', ...forkState(whole, [], known.selection) };
  const cause = `pull request #${fact.number} comes from ${repository === undefined ? 'a fork that is gone' : `the fork ${quote(repository)}`}: ${why}`;
  const branch = forkBranch(fact.number);
  const key = previewKey(known, branch);
  return { kind: 'fork', key, fact: whole, cause, ...(approval ? { order: approval } : {}) };
}

/** Of the head that the pull request had when the label was set; whether that was looked at is judged as of a comment. */
function approvalIn(read: Read, { name, approvalLabel }: Repository): CommandOrder | undefined {
  const { action: did, label, sender, pull_request } = read;
  const isSet = did === 'labeled' && approvalLabel?.toLowerCase() === label?.name.toLowerCase();
  if (!isSet || approvalLabel === undefined || !sender || pull_request.state !== 'open') return undefined;
  return {
    ...{ repository: name, pullRequest: pull_request.number, comment: undefined },
    command: { name: 'approve', commit: undefined },
    author: { login: sender.login, isBot: isBot(sender) },
    at: Date.parse(pull_request.updated_at),
  };
}

/** What is left out is looked at too: it may be there. */
function withSelection(cause: string, fact: PullRequestFact, { selection }: Repository): string {
  if (!selection || !fact.open) return cause;
  if (selection.pullRequests === 'none') return `${cause}; \`pullRequests: none\` gives it no part in its preview`;
  const judged = judge(fact, selection);
  return judged.kind === 'in' ? cause : `${cause}; ${judged.why}`;
}

function factIn({ pull_request: read }: Read): PullRequestFact {
  const { number, state, merged, updated_at, head, draft, labels, user } = read;
  const base = branchIn(read.base?.ref);
  return {
    ...{ number, open: state === 'open', merged: merged ?? false, head: commitId(head.sha) },
    updatedAt: Date.parse(updated_at),
    ...(base === undefined ? {} : { base }),
    ...(draft == null ? {} : { draft }),
    ...(labels == null ? {} : { labels: labels.map(({ name }) => name) }),
    ...(user == null ? {} : { bot: isBot(user) }),
  };
}

function branchIn(ref: string | undefined): Branch | undefined {
  try {
    return ref === undefined ? undefined : branchName(ref);
  } catch {
    return undefined;
  }
}

function editedText({ changes, pull_request: { base } }: Read): string {
  if (changes?.base !== undefined && base) return `is to be merged into ${quote(base.ref)} now`;
  return changes?.title === undefined ? 'was edited' : 'was renamed';
}
