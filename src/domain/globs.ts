/** Patterns by which an admin names branches and files. Pure. */

/** Whether the patterns (`!` excludes, the last match decides) select the text; none does where none matches. */
export function selects(patterns: readonly string[], text: string): boolean {
  let selected = false;
  for (const pattern of patterns) {
    const negative = pattern.startsWith('!');
    if (matchesGlob(negative ? pattern.slice(1) : pattern, text)) selected = !negative;
  }
  return selected;
}

/**
 * `*` matches anything, also `/`, so that `*` means every branch; `?` one character. By hand, since a regular expression of
 * several stars takes minutes for a long name: only the last star is ever tried again.
 */
function matchesGlob(pattern: string, text: string): boolean {
  const [wanted, given] = [[...pattern], [...text]];
  let star: { readonly after: number; taken: number } | undefined;
  let [at, next] = [0, 0];
  while (next < given.length) {
    if (wanted[at] === '*') {
      at += 1;
      star = { after: at, taken: next };
    } else if (at < wanted.length && (wanted[at] === '?' || wanted[at] === given[next])) {
      at += 1;
      next += 1;
    } else if (star) {
      star.taken += 1;
      at = star.after;
      next = star.taken;
    } else return false;
  }
  return wanted.slice(at).every((char) => char === '*');
}
