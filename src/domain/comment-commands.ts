/** What people ask for in a comment on a pull request: a line that begins with `/preview`. Pure. */
import { millisecondsOf } from './duration.ts';
import type { RepositoryName } from './names.ts';

/** Words that stand alone, in the order of the help. */
export const PLAIN_COMMANDS = ['help', 'up', 'redeploy', 'sleep', 'wake', 'down', 'unpin'] as const;

export type Command =
  | { readonly name: (typeof PLAIN_COMMANDS)[number] }
  /** For so many milliseconds. */
  | { readonly name: 'pin'; readonly ms: number }
  /** Undefined: of the one that is exposed. */
  | { readonly name: 'logs'; readonly service: string | undefined }
  /** Undefined: of the head that the pull request had; else its id, or the first digits of it. */
  | { readonly name: 'approve'; readonly commit: string | undefined }
  | { readonly name: 'unclear'; readonly why: string };

/** One command of one comment, or an approval by a label. Who may is asked when it is carried out. */
export interface CommandOrder {
  readonly repository: RepositoryName;
  readonly pullRequest: number;
  /** Of one comment there is at most one; undefined where a label says it. */
  readonly comment: number | undefined;
  readonly author: { readonly login: string; readonly isBot: boolean };
  readonly command: Command;
  /** When it was written or set, by the forge's clock; milliseconds since the epoch. */
  readonly at: number;
}

/** Where orders are kept until they are carried out. */
export interface CommandOrders {
  /** Resolves once it is durable; one of a comment that was taken before is left alone. @throws transient `queue-away`, within 2 s. */
  take(order: CommandOrder): Promise<void>;
}

/** Of a pin for which nothing is said, and the longest. */
const PIN_MS = 8 * 3_600_000;
const PIN_MAX_MS = 30 * 86_400_000;
/** Begins every comment of Treehouse's own, which may say what can be asked of it. */
const OWN_MARK = '<!-- treehouse';

/**
 * The first command of a comment: a line that begins with `/preview`, as the forge shows it, so none that is quoted (also by going on
 * below a quote), in code or hidden. Undefined where there is none.
 */
export function commandIn(body: string): Command | undefined {
  if (body.includes(OWN_MARK)) return undefined;
  const line = shownLines(body).find((one) => /^\/preview(?:\s|$)/i.test(one));
  return line === undefined ? undefined : commandOf(line.trim().split(/\s+/).slice(1));
}

/** Lines that are neither a quote's, nor code's between fences, nor hidden. */
function shownLines(body: string): readonly string[] {
  const shown: string[] = [];
  let fence: string | undefined;
  let isQuoted = false;
  let isHidden = false;
  for (const line of body.split(/\r\n|[\r\n]/)) {
    if (isHidden) {
      isHidden = !line.includes('-->');
    } else if (fence !== undefined) {
      // https://spec.commonmark.org/0.31.2/#fenced-code-blocks
      const end = /^ {0,3}(`{3,}|~{3,})\s*$/.exec(line)?.[1];
      if (end?.[0] === fence[0] && (end?.length ?? 0) >= fence.length) fence = undefined;
    } else if (/^\s*>/.test(line)) {
      isQuoted = true;
    } else if (line.trim() === '') {
      isQuoted = false;
    } else {
      fence = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/.exec(line)?.[1];
      const opened = line.lastIndexOf('<!--');
      isHidden = fence === undefined && opened >= 0 && !line.includes('-->', opened);
      if (fence !== undefined) isQuoted = false;
      else if (!isQuoted) shown.push(line);
    }
  }
  return shown;
}

function commandOf([word = 'help', ...rest]: readonly string[]): Command {
  const name = word.toLowerCase();
  const plain = PLAIN_COMMANDS.find((one) => one === name);
  if (plain) return rest.length === 0 ? { name: plain } : unclear(`'${plain}' takes no more words`);
  const [argument, second] = rest;
  if (second !== undefined) return unclear(`'${shown(name)}' takes one word at most`);
  switch (name) {
    case 'pin': {
      const ms = argument === undefined ? PIN_MS : millisecondsOf(argument);
      if (ms === undefined || ms < 60_000 || ms > PIN_MAX_MS) return unclear('a pin is for 1m to 30d, such as 8h');
      return { name, ms };
    }
    case 'logs':
      return argument === undefined || /^[\w.-]{1,100}$/.test(argument)
        ? { name, service: argument }
        : unclear('this is no name of a service');
    case 'approve':
      return argument === undefined || /^[0-9a-f]{7,64}$/i.test(argument)
        ? { name, commit: argument?.toLowerCase() }
        : unclear('what is approved is a commit: at least the first 7 digits of its id');
    default:
      return unclear(`there is no command '${shown(name)}'`);
  }
}

function unclear(why: string): Command {
  return { name: 'unclear', why };
}

/** A stranger's word inside a sentence. */
function shown(word: string): string {
  return word.replaceAll(/[^\w-]/g, '?').slice(0, 30);
}
