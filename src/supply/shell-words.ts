/**
 * Words, quotes and variables as BuildKit's Dockerfile frontend reads them (frontend/dockerfile/shell/lex.go, v0.13 and later):
 * what it takes for the name of an image must be what we take for it.
 */

/** White space of Go's `unicode.IsSpace`, which is not JavaScript's: that has U+FEFF too and lacks U+0085. */
export const GO_SPACE = '[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const SPACE = new RegExp(GO_SPACE);

export interface Expanded {
  readonly text: string;
  /** `text` cut at white space outside quotes. */
  readonly words: readonly string[];
  /** Variables that were asked for and have no value. */
  readonly unset: readonly string[];
  /** It grew beyond all use, as `ARG A=$A$A` does line by line; then it holds nothing. */
  readonly isEndless?: boolean;
}

export interface LexOptions {
  /** What takes the next character's meaning from it: `\\`, or what `# escape=` says. */
  readonly token: string;
  /** Name → value; undefined: declared without one. Absent: variables stay as they are written. */
  readonly env?: ReadonlyMap<string, string | undefined>;
  /** Whether quotes, and escapes, stay in the text. */
  readonly raw?: { readonly quotes: boolean; readonly escapes: boolean };
}

/** Undefined where BuildKit would refuse the text, or where it does something with a pattern that is not done here. */
export function expand(source: string, options: LexOptions): Expanded | undefined {
  try {
    const lexer = new Lexer(source, options);
    const { text, words } = lexer.until(undefined, options.raw?.escapes === true);
    return { text, words, unset: [...lexer.unset] };
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    if (error instanceof Endless) return { text: NO_NAME, words: [], unset: [], isEndless: true };
    throw error;
  }
}

class Unreadable extends Error {}
class Endless extends Error {}

/** What no name can hold: it makes unreadable whatever it is filled into. */
export const NO_NAME = '\0';
/** Characters that variables may add to one text. */
const MAX_FILLED = 32 * 1024;

class Words {
  readonly done: string[] = [];
  private word = '';

  add(text: string): void {
    for (const char of text) {
      if (SPACE.test(char)) this.end();
      else this.word += char;
    }
  }

  addRaw(text: string): void {
    this.word += text;
  }

  end(): readonly string[] {
    if (this.word !== '') this.done.push(this.word);
    this.word = '';
    return this.done;
  }
}

/** Nested as deep as `${A:-${B:-…}}` is written; BuildKit has no limit, a hostile file has no need. */
const MAX_DEPTH = 50;

class Lexer {
  readonly unset = new Set<string>();
  private readonly chars: readonly string[];
  private readonly options: LexOptions;
  private at = 0;
  private filled = 0;
  private depth = 0;

  constructor(source: string, options: LexOptions) {
    // Go's scanner leaves a first byte order mark out.
    this.chars = [...source.replace(/^\ufeff/, '')];
    this.options = options;
  }

  until(stop: string | undefined, rawEscapes: boolean): { text: string; words: readonly string[] } {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) throw new Unreadable();
    const words = new Words();
    let text = '';
    for (let char = this.chars[this.at]; char !== undefined; char = this.chars[this.at]) {
      if (char === stop) {
        this.at += 1;
        this.depth -= 1;
        return { text, words: words.end() };
      }
      if (char === "'" || char === '"') {
        const quoted = char === "'" ? this.single() : this.double(rawEscapes);
        text += quoted;
        words.addRaw(quoted);
      } else if (char === '$') {
        const value = this.dollar();
        text += value;
        words.add(value);
      } else {
        this.at += 1;
        if (char !== this.options.token) {
          text += char;
          words.add(char);
          continue;
        }
        const escaped = this.chars[this.at] ?? '';
        this.at += 1;
        const kept = `${rawEscapes ? char : ''}${escaped}`;
        text += kept;
        words.addRaw(kept);
      }
    }
    if (stop !== undefined) throw new Unreadable();
    this.depth -= 1;
    return { text, words: words.end() };
  }

  private single(): string {
    const end = this.chars.indexOf("'", this.at + 1);
    if (end < 0) throw new Unreadable();
    const inside = this.chars.slice(this.at + 1, end).join('');
    this.at = end + 1;
    return this.options.raw?.quotes ? `'${inside}'` : inside;
  }

  private double(rawEscapes: boolean): string {
    const quote = this.options.raw?.quotes ? '"' : '';
    const { token } = this.options;
    let text = quote;
    this.at += 1;
    for (let char = this.chars[this.at]; char !== undefined; char = this.chars[this.at]) {
      if (char === '$') {
        text += this.dollar();
        continue;
      }
      this.at += 1;
      if (char === '"') return text + quote;
      if (char !== token) {
        text += char;
        continue;
      }
      if (rawEscapes) text += char;
      const next = this.chars[this.at];
      if (next === undefined) break;
      if (next === '"' || next === '$' || next === token) {
        text += next;
        this.at += 1;
      } else text += char;
    }
    throw new Unreadable();
  }

  private dollar(): string {
    this.at += 1;
    if (this.chars[this.at] !== '{') {
      const name = this.name();
      return name === '' ? '$' : this.value(name, `$${name}`);
    }
    this.at += 1;
    const first = this.chars[this.at];
    if (first === undefined || '{}:'.includes(first)) throw new Unreadable();
    const name = this.name();
    let operator = this.next();
    if (operator === '}') return this.value(name, `\${${name}}`);
    const orEmpty = operator === ':';
    if (orEmpty) operator += this.next();
    const kind = operator.at(-1) ?? '';
    // `#`, `%` and `/` work on patterns. Where variables stay as they are it only matters where they end.
    if (kind === '/' && !orEmpty) return this.replacement(name);
    // After a colon BuildKit looks at what follows only once it fills in.
    if (!'+-?#%'.includes(kind) && (this.options.env || !orEmpty)) throw new Unreadable();
    const word = this.until('}', kind === '#' || kind === '%').text;
    if (!this.options.env) return `\${${name}${operator}${word}}`;
    if (kind === '#' || kind === '%') throw new Unreadable();
    const value = this.options.env.get(name);
    const isSet = this.options.env.has(name) && !(orEmpty && (value ?? '') === '');
    if (kind === '+') return isSet ? word : '';
    if (isSet) return this.value(name, '');
    if (kind === '-') return word;
    throw new Unreadable();
  }

  private replacement(name: string): string {
    if (this.options.env) throw new Unreadable();
    const all = this.chars[this.at] === '/';
    if (all) this.at += 1;
    const pattern = this.until('/', true).text;
    return `\${${name}/${pattern}/${this.until('}', true).text}}`;
  }

  private value(name: string, asWritten: string): string {
    if (!this.options.env) return asWritten;
    const value = this.options.env.get(name);
    if (value === undefined) this.unset.add(name);
    this.filled += value?.length ?? 0;
    if (this.filled > MAX_FILLED) throw new Endless();
    return value ?? '';
  }

  private next(): string {
    const char = this.chars[this.at];
    if (char === undefined) throw new Unreadable();
    this.at += 1;
    return char;
  }

  private name(): string {
    const first = this.chars[this.at] ?? '';
    if ('@*#?-$!'.includes(first) && first !== '') {
      this.at += 1;
      return first;
    }
    const part = /\p{Nd}/u.test(first) ? /\p{Nd}/u : /[\p{L}\p{Nd}_]/u;
    const begin = this.at;
    while (part.test(this.chars[this.at] ?? '')) this.at += 1;
    return this.chars.slice(begin, this.at).join('');
  }
}
