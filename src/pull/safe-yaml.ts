/** Writes YAML that every reader takes alike, whatever a stranger put into the values. */
import { Document, isMap, isPair, isScalar, Scalar, visit } from 'yaml';

/** Words that no version of YAML takes for anything else; whatever is not such a word is quoted. */
const WORD = /^[A-Za-z_/][\w/.+-]*(?:[:@][\w/.+-]+)*$/;
/** Lines that may stand as they are: elsewhere in Unicode are characters that some readers take for a line's end. */
const LINES = /^[\t\n\u0020-\u007e\u00a1-\u1fff\u2010-\u2027\u2030-\u205e\u2070-\ud7ff\u{10000}-\u{10ffff}]*$/u;
/** Those that JSON leaves bare; they are only ever in double quotes. */
const BARE = /[\u007f-\u00a0\u2000-\u200f\u2028-\u202f\u205f-\u206f\ue000-\uffff]/g;

/**
 * @param value of records, arrays, texts, numbers and booleans
 * @param head lines of comment above all
 * @param notes lines of comment above keys of `services`
 */
export function yamlText(
  value: unknown,
  head: readonly string[],
  notes: ReadonlyMap<string, readonly string[]> = new Map(),
): string {
  const document = new Document(value, { schema: 'yaml-1.1', aliasDuplicateObjects: false });
  visit(document, {
    Scalar(key, node, path) {
      const parent = path.at(-1);
      if (typeof node.value === 'string') node.type = styleOf(node.value, key === 'key');
      else if (isPair(parent) && isScalar(parent.key) && parent.key.value === 'mode') node.format = 'OCT';
    },
  });
  const services = document.get('services');
  for (const pair of isMap(services) ? services.items : []) {
    const lines = isScalar(pair.key) ? (notes.get(String(pair.key.value)) ?? []) : [];
    if (isScalar(pair.key) && lines.length > 0)
      pair.key.commentBefore = lines.map((one) => ` ${inComment(one)}`).join('\n');
  }
  const text = document.toString({ lineWidth: 0, doubleQuotedAsJSON: true });
  const body = text.replaceAll(BARE, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `${head.map((line) => `# ${inComment(line)}`.trimEnd()).join('\n')}\n${body}`;
}

function styleOf(text: string, isKey: boolean): Scalar.Type {
  // A block ends with one line's end, and begins with what is no space: the rest has rules of its own.
  if (!isKey && /^\S.*[^\s]\n$/s.test(text) && LINES.test(text)) return Scalar.BLOCK_LITERAL;
  return WORD.test(text) ? Scalar.PLAIN : Scalar.QUOTE_DOUBLE;
}

/** A comment ends where its line does, wherever a reader sees that. */
function inComment(text: string): string {
  return text.replaceAll(/[^\u0020-\u007e\u00a1-\u1fff\u2010-\u2027\u2030-\u205e\u2070-\ud7ff]/g, '?');
}
