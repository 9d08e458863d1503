/** A line of a log with its colours; everything else that moves a terminal is left out. */
import anser from 'anser';
import { plain } from '../domain/plain.ts';
import { h } from './markup.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape that begins a colour is what is looked for.
const COLOUR = /(\u001b\[[\d;]*m)/;
const KNOWN = /^(?:ansi-(?:bright-)?(?:black|red|green|yellow|blue|magenta|cyan|white))$/;
const DECORATIONS = new Set(['bold', 'dim', 'italic', 'underline', 'strikethrough']);

/** Characters of a line that are shown; a page is no place for a megabyte without an end. */
const LINE_MAX = 4_000;

export function Coloured({ line }: { readonly line: string }): JSX.Element {
  const cut = line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)} …` : line;
  if (!cut.includes('\u001b')) return <code>{cut}</code>;
  // Odd pieces are colours.
  const clean = cut.split(COLOUR).map((piece, index) => (index % 2 === 1 ? piece : plain(piece)));
  const parts = anser.ansiToJson(clean.join(''), { use_classes: true, remove_empty: true });
  return (
    <code>
      {parts.map((part) => {
        const names = classesOf(part);
        return names === '' ? part.content : <span class={names}>{part.content}</span>;
      })}
    </code>
  );
}

function classesOf(part: anser.AnserJsonEntry): string {
  const names: string[] = part.decorations.filter((one) => DECORATIONS.has(one));
  if (part.fg && KNOWN.test(part.fg)) names.push(part.fg);
  if (part.bg && KNOWN.test(part.bg)) names.push(`${part.bg}-bg`);
  return names.join(' ');
}
