/** Words of strangers (names of images, variables, branches) for a terminal: one short line, nothing that moves the cursor. */

const MAX = 100;

export function shown(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '\ufffd');
  return plain.length > MAX ? `${plain.slice(0, MAX - 1)}…` : plain;
}

/** `a, b and 3 more`. */
export function list(all: readonly string[], most = 8): string {
  const names = all.map(shown);
  return names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}
