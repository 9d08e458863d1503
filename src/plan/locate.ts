/** Where in a compose file a path of its model stands. */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { Refusal } from '../domain/stack.ts';

export interface SourceText {
  /** Relative to the repository. */
  readonly name: string;
  readonly text: string;
}

type Place = NonNullable<Refusal['at']>;

interface Parsed {
  readonly name: string;
  readonly document: Document;
  readonly lines: LineCounter;
}

/** Larger files than this are refused before anyone asks for a line. */
const MAX_CHARACTERS = 1024 * 1024;

/** Answers `services.web.volumes[0]` with the file and line; with nothing where no file has it. */
export function locator(files: readonly SourceText[]): (path: string) => { at?: Place } {
  let parsed: readonly Parsed[] | undefined;
  return (path) => {
    const keys = keysOf(path);
    if (keys === undefined) return {};
    parsed ??= files.flatMap(parse);
    // The deepest place; of two as deep the later file's, which has the last word.
    let best: { depth: number; at: Place } | undefined;
    for (const { name, document, lines } of parsed) {
      const found = deepest(document, keys);
      if (found && found.depth >= (best?.depth ?? 1)) {
        best = { depth: found.depth, at: { file: name, line: lines.linePos(found.offset).line } };
      }
    }
    return best ? { at: best.at } : {};
  };
}

function parse({ name, text }: SourceText): Parsed[] {
  if (text.length > MAX_CHARACTERS) return [];
  const lines = new LineCounter();
  try {
    return [{ name, lines, document: parseDocument(text, { lineCounter: lines, merge: true, logLevel: 'silent' }) }];
  } catch {
    // Nested too deep; that is said of the file itself.
    return [];
  }
}

/** `a.b[0].c` → its keys; undefined where it is another kind of place, such as a Dockerfile's line. */
function keysOf(path: string): readonly (string | number)[] | undefined {
  if (!/^(?:services|networks|volumes|configs|secrets|include|x-[\w-]+)\b/.test(path)) return undefined;
  return path.split('.').flatMap((part) => {
    const [, name = part, index] = /^(.*)\[(\d+)\]$/.exec(part) ?? [];
    return index === undefined ? [name] : [name, Number(index)];
  });
}

/** How far the keys lead, and where the last of them stands; a service's own name may hold dots. */
function deepest(
  document: Document,
  keys: readonly (string | number)[],
): { depth: number; offset: number } | undefined {
  let node: Node | null | undefined = document.contents;
  let best: { depth: number; offset: number } | undefined;
  for (let depth = 0; depth < keys.length; ) {
    if (isAlias(node)) node = node.resolve(document);
    const step: Step | undefined = isMap(node)
      ? inMap(node.items, keys, depth)
      : isSeq(node)
        ? inSequence(node.items, keys[depth])
        : undefined;
    if (!step) return best;
    depth += step.taken;
    best = { depth, offset: step.offset };
    node = step.value;
  }
  return best;
}

interface Step {
  readonly taken: number;
  readonly offset: number;
  readonly value: Node | undefined;
}

function inMap(
  items: readonly { readonly key: unknown; readonly value: unknown }[],
  keys: readonly (string | number)[],
  depth: number,
): Step | undefined {
  for (let taken = keys.length - depth; taken > 0; taken--) {
    const name = keys.slice(depth, depth + taken).join('.');
    const item = items.find((one) => isScalar(one.key) && String(one.key.value) === name);
    if (item && isScalar(item.key) && item.key.range) {
      return { taken, offset: item.key.range[0], value: isNode(item.value) ? item.value : undefined };
    }
  }
  return undefined;
}

function inSequence(items: readonly unknown[], key: string | number | undefined): Step | undefined {
  const item = typeof key === 'number' ? items[key] : undefined;
  if (!isNode(item) || !item.range) return undefined;
  return { taken: 1, offset: item.range[0], value: item };
}
