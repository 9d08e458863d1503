/**
 * Reads a Dockerfile into instructions, line by line as BuildKit's parser does (frontend/dockerfile/parser). Our own, because no
 * npm package follows BuildKit in here-documents, directives and flags, and what is read differently can hide an image.
 */
import { expand, GO_SPACE } from './shell-words.ts';

export interface Instruction {
  /** Counted from 1. */
  readonly line: number;
  /** In lower case: `from`, `run`; of `ONBUILD RUN` it is `run`. */
  readonly name: string;
  /** `--from=x`, unquoted, in order. */
  readonly flags: readonly string[];
  /** What follows the flags; a here-document is not in it. */
  readonly rest: string;
  readonly onBuild: boolean;
}

export interface Dockerfile {
  readonly instructions: readonly Instruction[];
  /** What `# syntax=` lines name. */
  readonly syntaxes: readonly { readonly line: number; readonly reference: string }[];
  /** The escape character. */
  readonly token: string;
}

/** BuildKit's own white space between words. */
export const WHITE = /[\t\v\f\r ]+/;
const SPACE = new RegExp(GO_SPACE);
const LEADING = new RegExp(`^${GO_SPACE}+`);
const HEREDOC = new Set(['add', 'copy', 'run']);
const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const KNOWN_DIRECTIVES = new Set(['syntax', 'escape', 'check']);

/** Every reading that some BuildKit may have: versions differ in which lines are directives, hence in the escape character. */
export function readDockerfile(text: string): readonly Dockerfile[] {
  const lines = text.replace(/^\ufeff/, '').split('\n');
  const syntaxes = readSyntaxes(lines, text);
  const tokens = new Set([escapeOf(lines), ...(leadingLines(lines).some(mentionsEscape) ? ['\\', '`'] : [])]);
  return [...tokens].map((token) => ({ instructions: readInstructions(lines, token), syntaxes, token }));
}

/** Triggers of an image, one instruction each. */
export function readTriggers(triggers: readonly string[]): readonly Instruction[] {
  return triggers.flatMap((text, index) => instructionOf(text, index + 1, true));
}

function readInstructions(lines: readonly string[], token: string): readonly Instruction[] {
  const t = token === '`' ? '`' : '\\\\';
  const continued = new RegExp(`([^${t}])${t}[ \\t]*$|^${t}[ \\t]*$`);
  const found: Instruction[] = [];
  let hasHeredocs = true;
  for (let at = 0; at < lines.length; ) {
    const begin = at;
    let line = bare(lines[at]).replace(LEADING, '');
    at += 1;
    if (line.startsWith('#')) line = '';
    let parts = [line];
    if (continued.test(line)) {
      parts = [line.replace(continued, '$1')];
      while (at < lines.length) {
        const next = bare(lines[at]);
        at += 1;
        const plain = next.replace(LEADING, '');
        if (plain === '' || plain.startsWith('#')) continue;
        const goesOn = continued.test(next);
        parts.push(goesOn ? next.replace(continued, '$1') : next);
        if (!goesOn) break;
      }
    }
    const whole = parts.join('');
    if (whole === '') continue;
    const instructions = instructionOf(whole, begin + 1, false);
    found.push(...instructions);
    if (!hasHeredocs || !instructions.some(mayHaveHeredoc)) continue;
    const after = afterHeredocs(whole, lines, at);
    // Unterminated: BuildKit refuses the file; whatever follows is read rather than hidden.
    if (after === undefined) hasHeredocs = false;
    else at = after;
  }
  return found;
}

/** None for a line that says nothing; ONBUILD is peeled off. */
function instructionOf(text: string, line: number, onBuild: boolean): Instruction[] {
  const [command = '', ...more] = trim(text).split(WHITE);
  if (command === '') return [];
  const { flags, rest } = takeFlags(more.length === 0 ? '' : trim(text).slice(command.length).replace(WHITE, ''));
  const name = command.toLowerCase();
  if (name === 'onbuild' && !onBuild) return instructionOf(rest, line, true);
  return [{ line, name, flags, rest: trim(rest), onBuild }];
}

/** Without the line's end. By hand: the pattern for it takes quadratic time. */
function bare(line: string | undefined): string {
  let end = line?.length ?? 0;
  while (line?.charAt(end - 1) === '\r') end -= 1;
  return line?.slice(0, end) ?? '';
}

function trim(text: string): string {
  let end = text.length;
  while (end > 0 && SPACE.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end).replace(LEADING, '');
}

/** As Go's `unicode.IsSpace` sees a single byte; it looks at this text byte by byte, so `à` holds a space. */
const BYTE_SPACE = /[\t\n\v\f\r \x85\xa0]/;

/** BuildKit's `extractBuilderFlags`: words that begin with `--`, quotes and backslashes taken off. */
function takeFlags(whole: string): { flags: string[]; rest: string } {
  const text = Buffer.from(whole, 'utf8').toString('latin1');
  const flags: string[] = [];
  let at = 0;
  const restOf = () => Buffer.from(text.slice(at), 'latin1').toString('utf8');
  while (at < text.length) {
    if (BYTE_SPACE.test(text.charAt(at))) {
      at += 1;
      continue;
    }
    if (!text.startsWith('--', at)) return { flags, rest: restOf() };
    let word = '';
    let quote = '';
    for (; at < text.length; at += 1) {
      let char = text.charAt(at);
      if (quote === '' && BYTE_SPACE.test(char)) break;
      if (quote === '' ? char === '"' || char === "'" : char === quote) {
        quote = quote === '' ? char : '';
        continue;
      }
      if (char === '\\') {
        at += 1;
        char = text.charAt(at);
      }
      word += char;
    }
    if (word === '--') return { flags, rest: restOf() };
    flags.push(word);
  }
  return { flags, rest: '' };
}

/** Go's decoder is content with a list at the beginning, whatever follows it. */
const JSON_LIST = /^\[[ \t\r\n]*(?:"(?:[^"\\]|\\.)*"[ \t\r\n]*(?:,[ \t\r\n]*"(?:[^"\\]|\\.)*"[ \t\r\n]*)*)?\]/;

/** The words of an instruction that is written as a JSON list; undefined where it is not. */
export function jsonWords(rest: string): readonly string[] | undefined {
  const list = JSON_LIST.exec(rest)?.[0];
  if (list === undefined) return undefined;
  try {
    const words: unknown = JSON.parse(list);
    return Array.isArray(words) ? words.map(String) : undefined;
  } catch {
    // Go, too, takes it for plain words then.
    return undefined;
  }
}

function mayHaveHeredoc(one: Instruction): boolean {
  return HEREDOC.has(one.name) && !JSON_LIST.test(one.rest);
}

/** Where the text goes on after the here-documents that `line` begins; undefined where one does not end. */
function afterHeredocs(line: string, lines: readonly string[], from: number): number | undefined {
  if (!line.includes('<<')) return from;
  const words = expand(line, { token: '\\', raw: { quotes: true, escapes: true } })?.words ?? [];
  let at = from;
  for (const word of words) {
    const [, , tabs = '', mark = ''] = /^(\d*)<<(-?)\s*([^<]*)$/.exec(word) ?? [];
    const names = mark === '' ? [] : (expand(mark, { token: '\\' })?.words ?? []);
    if (names.length !== 1) continue;
    for (; ; at += 1) {
      if (at >= lines.length) return undefined;
      const text = bare(lines[at]);
      if ((tabs === '' ? text : text.replace(/^\t+/, '')) === names[0]) break;
    }
    at += 1;
  }
  return at;
}

/** So much of a line is looked at for a directive. */
const DIRECTIVE_MAX = 500;

function escapeOf(lines: readonly string[]): string {
  for (const line of lines) {
    const [, key = '', value] = DIRECTIVE.exec(trim(line.slice(0, DIRECTIVE_MAX))) ?? [];
    if (!KNOWN_DIRECTIVES.has(key.toLowerCase())) break;
    if (key.toLowerCase() === 'escape') return value === '`' ? '`' : '\\';
  }
  return '\\';
}

/** All lines before the first instruction. */
function leadingLines(lines: readonly string[]): readonly string[] {
  const end = lines.findIndex((line) => !/^\s*(?:#|\/\/|$)/.test(line));
  return end < 0 ? lines : lines.slice(0, end);
}

function mentionsEscape(line: string): boolean {
  return /^\s*#\s*escape\s*=/i.test(line);
}

/** More than BuildKit would follow: `#` and `//`, anywhere before the first instruction, and the whole file as JSON. */
function readSyntaxes(lines: readonly string[], text: string): Dockerfile['syntaxes'] {
  const found = leadingLines(lines).flatMap((line, index) => {
    const reference = /^\s*(?:#|\/\/)\s*syntax\s*=\s*(\S+)/i.exec(line)?.[1];
    return reference === undefined ? [] : [{ line: index + 1, reference }];
  });
  const body = text.replace(/^\ufeff/, '').replace(/^#!.*\n/, '');
  try {
    const json: unknown = body.trimStart().startsWith('{') ? JSON.parse(body) : undefined;
    const syntax = (json as { syntax?: unknown } | undefined)?.syntax;
    if (typeof syntax === 'string') found.push({ line: 1, reference: syntax });
  } catch {
    // Not JSON, as almost always.
  }
  return found;
}
