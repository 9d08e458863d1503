/** A command line as Compose cuts it into words: quotes and backslashes, no variables, no shell. */

/** Undefined where a quote is left open. */
export function commandWords(line: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at] ?? '';
    if (quote === "'" && char !== "'") word += char;
    else if (char === '\\') {
      at += 1;
      if (at >= line.length) return undefined;
      word = (word ?? '') + (line[at] ?? '');
    } else if (char === quote) quote = undefined;
    else if (quote !== undefined) word += char;
    else if (char === "'" || char === '"') {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + char;
  }
  if (quote !== undefined) return undefined;
  return word === undefined ? words : [...words, word];
}

/** Whether a word only means something to a shell: such a command would not do what it says. */
export function needsShell(line: string): boolean {
  const bare = line.replaceAll(/\\.|'[^']*'|"(?:\\.|[^"\\])*"/gs, '');
  return /[;&|<>`]|\$/.test(bare);
}
