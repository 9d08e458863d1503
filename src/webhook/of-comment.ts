/** What an `issue_comment` event means: a command for the preview of a pull request, or nothing. Pure. */
import { z } from 'zod';
import { commandIn } from '../domain/comment-commands.ts';
import type { Repository } from '../domain/ports.ts';
import { action, type Interpretation, ignored, isBot, quote, reading, timeField, userField } from './interpretation.ts';

const comment = z.object({
  issue: z.object({ number: z.int().positive(), pull_request: z.object({}).nullish() }),
  comment: z.object({ id: z.int().positive(), body: z.string(), created_at: timeField, user: userField.nullable() }),
});

export function ofComment(payload: unknown, known: Repository): Interpretation {
  return reading(action, payload, (read) => {
    // Who edits is not who wrote, and what was approved is not what it says now.
    if (read.action !== 'created')
      return ignored(`a comment that was ${quote(read.action)} asks for nothing: only new ones do`);
    return reading(comment, payload, ({ issue, comment: { id, body, created_at, user } }) => {
      if (!issue.pull_request) return ignored('the comment is on an issue, and only pull requests have previews');
      const command = commandIn(body);
      if (!command) return ignored('the comment holds no line that begins with /preview');
      if (!user) return ignored('nobody is said to have written the comment');
      const order = {
        ...{ repository: known.name, pullRequest: issue.number, comment: id, command, at: Date.parse(created_at) },
        author: { login: user.login, isBot: isBot(user) },
      };
      const who = quote(user.login);
      return { kind: 'command', order, cause: `${who} asks for '${command.name}' on pull request #${issue.number}` };
    });
  });
}
