/** One command from the question who may give it to the sign under the comment. */
import type { CommandOrder } from '../domain/comment-commands.ts';
import type { Reaction } from '../domain/forge.ts';
import { previewId } from '../domain/names.ts';
import type { Repository } from '../domain/ports.ts';
import { type Answer, answerTo } from './answer.ts';
import type { CommandDeps } from './deps.ts';

export interface Progress {
  readonly signal: AbortSignal;
  /** What was done by an earlier try, which is not done again. */
  readonly before: Answer | undefined;
  /** Told what was done, before anybody else is. */
  onAnswer(answer: Answer): Promise<void>;
}

/**
 * Asks the forge each time who may: neither what a payload says of its author nor what was true at the last command counts.
 * @returns undefined where the repository is not configured any more
 * @throws what the forge, Redis or the engine throws; it may be run again
 */
export async function carryOut(
  deps: CommandDeps,
  order: CommandOrder,
  { signal, before, onAnswer }: Progress,
): Promise<Answer | undefined> {
  const found = deps.repositories().find((one) => one.name === order.repository);
  if (!found) return undefined;
  const repository: Repository = found;
  const { comment } = order;
  // There is no sign under a label; what came of it is in Treehouse's own comment.
  const react = async (reaction: Reaction) =>
    comment === undefined ? undefined : deps.forge.react(repository.name, comment, reaction, signal);
  const answer = before ?? (await decided());
  if (answer.note) {
    const { login: by } = order.author;
    await deps.notes.put(repository.name, order.pullRequest, { ...answer.note, by, at: deps.clock.now() });
    deps.onNoted?.(repository.name, order.pullRequest);
  }
  await react(answer.reaction);
  return answer;

  async function decided(): Promise<Answer> {
    const given = (await mayWrite(deps, order, signal)) ? await acted() : NOT_ALLOWED;
    await noteAct(deps, order, repository, given);
    await onAnswer(given);
    return given;
  }

  async function acted(): Promise<Answer> {
    await react('eyes');
    return answerTo(deps, order, { repository, signal });
  }
}

/** Strangers are answered by a sign alone: words of theirs change nothing that others read. */
const NOT_ALLOWED: Answer = { status: 403, reaction: '-1' };

async function mayWrite(
  deps: CommandDeps,
  { repository, author }: CommandOrder,
  signal: AbortSignal,
): Promise<boolean> {
  if (author.isBot) return false;
  const permission = await deps.forge.permission(repository, author.login, signal);
  return permission === 'admin' || permission === 'write';
}

async function noteAct(
  deps: CommandDeps,
  { pullRequest, author, command }: CommandOrder,
  repository: Repository,
  answer: Answer,
): Promise<void> {
  const preview = answer.branch === undefined ? undefined : previewId(repository.slug, answer.branch);
  await deps.trail.note({
    ...{ at: deps.clock.now(), who: `${author.login} on GitHub`, token: `github:${author.login}`, act: command.name },
    ...{ to: preview ?? `${repository.name}#${pullRequest}`, repository: repository.name, status: answer.status },
    ...(preview === undefined ? {} : { preview }),
    ...(command.name === 'approve' && answer.commit !== undefined ? { command: [answer.commit] } : {}),
  });
}
