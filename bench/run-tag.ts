/** A mark for the names of one run, which no other run on the same engine has; part of a DNS label. */
export function runTag(): string {
  return `b${(Date.now() % 36 ** 4).toString(36)}`;
}
