/** `x-treehouse.login`: what to type to sign in to the preview, for whoever is to look at it. */
import type { Notes } from './notes.ts';

const WHERE = 'x-treehouse.login';
const LINES_MAX = 5;
const LENGTH_MAX = 200;

/** Text, or a list of texts: a line each, as the file says them; undefined where it says nothing. */
export function readLogin(raw: unknown, notes: Notes): readonly string[] | undefined {
  if (raw === undefined || raw === null) return undefined;
  const refuse = (message: string): undefined => void notes.refuse(WHERE, 'value', message);
  const entries: readonly unknown[] = Array.isArray(raw) ? raw : [raw];
  if (entries.length === 0) return undefined;
  if (entries.length > LINES_MAX) return refuse(`it has ${entries.length} lines; at most ${LINES_MAX} are shown`);
  const lines: string[] = [];
  for (const entry of entries) {
    if (typeof entry !== 'string') {
      return refuse(
        `it is a text such as "demo@example.com / demo", or a list of texts; ${JSON.stringify(entry).slice(0, 100)} is none`,
      );
    }
    const line = entry.trim();
    // Whatever breaks a line, or turns what is read around.
    if (line === '' || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line)) {
      return refuse('each of its texts is one line of visible characters; for several lines, write a list');
    }
    if (line.length > LENGTH_MAX) return refuse(`a line of it is longer than ${LENGTH_MAX} characters`);
    lines.push(line);
  }
  return lines;
}
