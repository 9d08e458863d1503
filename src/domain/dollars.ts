/** Compose doubles every `$` that it prints, and halves those that it reads. */

export function double(text: string): string {
  return text.replaceAll('$', '$$$$');
}

export function undouble(text: string): string {
  return text.replaceAll('$$', '$');
}
