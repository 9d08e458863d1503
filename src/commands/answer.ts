/** What a command comes to, given by somebody who may. */
import { type Act, previewActs } from '../api/acts.ts';
import type { CommandOrder } from '../domain/comment-commands.ts';
import { desiredState, excludedBecause } from '../domain/desired.ts';
import type { OpenPullRequest } from '../domain/forge.ts';
import { approvedCommit, type ForkFact, forkState } from '../domain/forks.ts';
import { type Branch, type Commit, forkBranch, forkNumber, shortCommit } from '../domain/names.ts';
import type { Note } from '../domain/notes.ts';
import type { Repository } from '../domain/ports.ts';
import { type PreviewKey, type PreviewRecord, previewKey } from '../domain/preview.ts';
import { factOf } from '../domain/pull-requests.ts';
import { TreehouseError } from '../errors.ts';
import type { CommandDeps } from './deps.ts';
import { HELP } from './help.ts';
import { lastLines } from './logs.ts';

export interface Answer {
  /** As the API's: 202 noted, 200 said, 403 not allowed, 409 nothing to do it to. */
  readonly status: 200 | 202 | 403 | 409;
  /** `rocket`: it is begun; `+1`: it is done; `confused`: it is not, and the note says why. */
  readonly reaction: 'rocket' | '+1' | '-1' | 'confused';
  readonly note?: Pick<Note, 'text' | 'markdown' | 'lines'>;
  /** Whose preview it was about. */
  readonly branch?: Branch;
  /** What was approved. */
  readonly commit?: Commit;
}

interface Asked {
  readonly repository: Repository;
  readonly signal: AbortSignal;
}

export async function answerTo(deps: CommandDeps, order: CommandOrder, asked: Asked): Promise<Answer> {
  const { command } = order;
  if (command.name === 'help')
    return { status: 200, reaction: '+1', note: { text: 'What can be asked for:', markdown: HELP } };
  if (command.name === 'unclear') return refused(`${command.why}.`, HELP);
  const { repository, signal } = asked;
  const open = await deps.forge.pullRequests(repository.name, signal);
  const pullRequest = open.find((one) => one.number === order.pullRequest);
  if (!pullRequest) return refused('This pull request is not open.');
  const isOwn = pullRequest.head.repository?.toLowerCase() === repository.name.toLowerCase();
  return isOwn ? ofOwn(deps, order, { ...asked, pullRequest }) : ofFork(deps, order, { ...asked, pullRequest });
}

/** Nothing of a fork is built without an approval, which is of one commit; what is built is steered as any other. */
async function ofFork(
  deps: CommandDeps,
  order: CommandOrder,
  { repository, pullRequest, signal }: Asked & { readonly pullRequest: OpenPullRequest },
): Promise<Answer> {
  const { pullRequest: number, command, author, at } = order;
  const { commit: head, branch, repository: fork = 'a repository that is gone' } = pullRequest.head;
  const known = (await deps.forks.all(repository.name)).find((one) => one.number === number);
  const fact = factOf(pullRequest);
  const now: ForkFact = { ...fact, fork: { repository: fork, branch }, headSince: fact.updatedAt };
  await deps.forks.note(repository.name, now);
  const standIn = forkBranch(number);
  const key: PreviewKey = previewKey(repository, standIn);
  await deps.store.know(key);
  await deps.store.notePullRequest(repository.name, standIn, fact);
  if (command.name === 'approve') {
    const found = approvedCommit({ at, named: command.commit }, head, known);
    if ('refused' in found) return refused(`Nothing was approved: ${found.refused}.`);
    const { commit } = found;
    await deps.forks.approve(repository.name, { pullRequest: number, commit, by: author.login, at });
    await deps.hints.hint(key.id);
    const text = `${shortCommit(commit)} is approved, and no commit that is pushed after it.`;
    return { status: 202, reaction: '+1', note: { text }, commit, branch: standIn };
  }
  const state = forkState(now, await deps.forks.approvals(repository.name), repository.selection);
  const record = await deps.store.record(key.id);
  const isUp = record !== undefined && record.state !== 'removed';
  if (state.kind === 'none' || (state.kind === 'waiting' && (BUILDS.has(command.name) || !isUp))) {
    return { ...refused(`This pull request comes from a fork: ${state.why}.`), branch: standIn };
  }
  if (!record) return { ...gone(), branch: standIn };
  return { ...(await ofPreview(deps, order, { repository, record, head, signal })), branch: standIn };
}

/** What asks for a build. */
const BUILDS: ReadonlySet<string> = new Set(['up', 'redeploy']);

async function ofOwn(
  deps: CommandDeps,
  order: CommandOrder,
  { repository, pullRequest, signal }: Asked & { readonly pullRequest: OpenPullRequest },
): Promise<Answer> {
  const { branch } = pullRequest.head;
  const key: PreviewKey = previewKey(repository, branch);
  const of = (answer: Answer): Answer => ({ ...answer, branch });
  if (order.command.name === 'approve') {
    return of(refused('Its branch is of this repository itself: nothing of it waits for approval.'));
  }
  const excluded = excludedBecause(key, repository);
  if (excluded !== undefined) return of(refused(`There is no preview: ${excluded}.`));
  try {
    await deps.store.know(key);
  } catch (error) {
    if (error instanceof TreehouseError && error.code === 'bad-branch') return of(refused(`${error.message}.`));
    throw error;
  }
  // The forge's own word, which is as good as a delivery.
  await deps.store.notePullRequest(repository.name, branch, factOf(pullRequest));
  const record = await deps.store.record(key.id);
  return of(
    record ? await ofPreview(deps, order, { repository, record, head: pullRequest.head.commit, signal }) : gone(),
  );
}

interface Preview extends Asked {
  readonly record: PreviewRecord;
  readonly head: Commit;
}

async function ofPreview(deps: CommandDeps, order: CommandOrder, preview: Preview): Promise<Answer> {
  const { command, author } = order;
  const { record, signal } = preview;
  const acts = previewActs(deps);
  const doing = async (act: Act, reaction: Answer['reaction']): Promise<Answer> => {
    const why = await act(record, `${author.login} on GitHub`);
    return why === undefined ? { status: 202, reaction } : refused(why);
  };
  if (command.name === 'up' || command.name === 'redeploy') {
    const leftOut = await leftOutBecause(deps, preview);
    if (leftOut !== undefined) return refused(`There is no preview: ${leftOut}.`);
    if (command.name === 'redeploy' || isDown(record)) return doing(acts.redeploy, 'rocket');
    if (record.state === 'asleep') return doing(acts.wake, 'rocket');
    await deps.hints.hint(record.id);
    return { status: 202, reaction: '+1' };
  }
  if (record.state === 'removed' || record.state === 'removing') return gone(record.reason);
  switch (command.name) {
    case 'sleep':
    case 'down':
      return doing(acts[command.name], '+1');
    case 'wake':
      return doing(acts.wake, 'rocket');
    case 'unpin':
      return doing(acts.unpin, '+1');
    case 'pin':
      return doing(({ id }) => deps.pins.pin(id, deps.clock.now() + command.ms).then(() => undefined), '+1');
    case 'logs': {
      const found = await lastLines(deps, record, { service: command.service, signal });
      if ('why' in found) return refused(found.why);
      return { status: 200, reaction: '+1', note: found };
    }
    default:
      throw new TreehouseError('process-failed', `nobody carries out ${command.name}`);
  }
}

/** What is built or comes up by itself needs no more than a look. */
function isDown({ state }: PreviewRecord): boolean {
  return state === 'removed' || state === 'removing' || state === 'failed' || state === 'outdated';
}

/** Why the configuration lets it have none, whoever asks. */
async function leftOutBecause(deps: CommandDeps, { repository, record, head }: Preview): Promise<string | undefined> {
  // That it is approved was seen already.
  if (forkNumber(record.branch) !== undefined) return undefined;
  const { selection, name } = repository;
  const pullRequests = await deps.store.pullRequests(name, record.branch);
  const desired = desiredState({ head, pullRequests, excluded: undefined, selection });
  return desired.kind === 'absent' ? desired.cause : undefined;
}

function refused(text: string, markdown?: string): Answer {
  return { status: 409, reaction: 'confused', note: { text, ...(markdown === undefined ? {} : { markdown }) } };
}

function gone(reason?: string): Answer {
  return refused(`There is no preview${reason === undefined ? '' : `: ${reason}`}. /preview up asks for it.`);
}
