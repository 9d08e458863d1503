/** A stranger's line, for a page or a terminal: without colours, links, moves of the cursor and other control characters. */

/** Control sequences, strings such as links, and other escapes (ECMA-48, 5.4, 5.6 and 5.3); not all that Node would take. */
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed.
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b\n]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]/g;

/** Control characters but for tab and line feed, and those that turn the direction of the text. */
const HIDDEN = /[^\P{Cc}\t\n]|[\u202a-\u202e\u2066-\u2069]/gu;

export function plain(line: string): string {
  return line.replaceAll(SEQUENCES, '').replaceAll(HIDDEN, '');
}
