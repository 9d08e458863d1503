/** Tells variables that look like secrets, by name or by value. Gives names and reasons, never a value. */
import type { SecretName } from './facts.ts';
import { shown } from './shown.ts';

const NAME =
  /(?:^|_)(?:PASS|PASSWD|PWD|PASSPHRASE|SECRETS?|TOKENS?|APIKEY|CREDENTIALS?|KEY|KEYS|AUTH)(?:_?\d+)?$|PASSWORD|(?:^|_)SECRET_|(?:^|_)(?:API|ACCESS|SECRET|PRIVATE|ENCRYPTION|SIGNING|MASTER)_?KEY(?:_|$)/;
/** Where a secret lies, what it is called or how long it lives is none. */
const NO_SECRET =
  /_(?:FILE|PATH|DIR|NAME|HOST|PORT|TTL|EXPIRY|EXPIRES(?:_IN)?|LENGTH|MIN|MAX|ENABLED|METHOD|TYPE|ALGORITHM|REQUIRED|HEADER)$|^(?:PWD|OLDPWD)$|(?:^|_)(?:GPG|PUBLIC|SSH_HOST)_KEYS?$/;
/** Digests are as random as keys, and public. */
const DIGEST_NAME = /SHA\d*|DIGEST|CHECKSUM|HASH|COMMIT|REVISION|VERSION|GPG|FINGERPRINT|BUILD|ETAG|TREEHOUSE/;

const TOKENS: readonly (readonly [RegExp, string])[] = [
  [/^gh[pousr]_[A-Za-z0-9]{30,}|^github_pat_\w{30,}/, 'a token of GitHub'],
  [/^glpat-[\w-]{15,}/, 'a token of GitLab'],
  [/^(?:AKIA|ASIA)[A-Z0-9]{16}$/, 'a key of AWS'],
  [/^xox[abprs]-[\w-]{10,}/, 'a token of Slack'],
  [/^(?:sk|rk)_(?:live|test)_\w{10,}|^sk-[\w-]{20,}/, 'an API key'],
  [/^AIza[\w-]{30,}$/, 'a key of Google'],
  [/^hv[sbr]\.[\w-]{20,}/, 'a token of Vault'],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key'],
  [/^eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*$/, 'a JSON web token'],
];

/** Why it looks so; undefined where it does not. */
export function secretLook(name: string, value: string): string | undefined {
  if (value === '' || isHarmless(value)) return undefined;
  const token = TOKENS.find(([pattern]) => pattern.test(value));
  if (token) return `its value is ${token[1]}`;
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^@/\s]+@/i.test(value)) return 'its value is a URL with a password';
  const upper = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, '_');
  if (NO_SECRET.test(upper)) return undefined;
  if (NAME.test(upper)) return 'by its name';
  return !DIGEST_NAME.test(upper) && isRandom(value) ? 'its value is as random as a key' : undefined;
}

/** Of `NAME=value` each; those in `known` (whole) are left out. */
export function secretNames(pairs: readonly string[], known: ReadonlySet<string> = new Set()): readonly SecretName[] {
  const found = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1 || known.has(pair)) continue;
    const why = secretLook(pair.slice(0, at), pair.slice(at + 1));
    if (why !== undefined) found.set(shown(pair.slice(0, at)), why);
  }
  return [...found].map(([name, why]) => ({ name, why }));
}

/** `--password=x`, `--api-key x`, `TOKEN=x`: the names of options whose values look so. */
export function secretArguments(words: readonly string[]): readonly string[] {
  const pairs = words.flatMap((word, index) => {
    const [, name, value] = /^-{0,2}([A-Za-z][\w-]*)=(.*)$/s.exec(word) ?? [];
    if (name !== undefined && value !== undefined) return [`${name}=${value}`];
    const next = words[index + 1];
    const [, option] = /^--?([A-Za-z][\w-]*)$/.exec(word) ?? [];
    return option === undefined || next === undefined || next.startsWith('-') ? [] : [`${option}=${next}`];
  });
  return secretNames(pairs).map((one) => one.name);
}

/** What the lines of an image's history set by name: ARG, ENV, and words of RUN. */
export function historySecrets(lines: readonly string[]): readonly SecretName[] {
  const pairs = lines.flatMap((line) =>
    [...line.matchAll(/(?:^|[\s|"'(;&])-{0,2}([A-Za-z][\w-]*)=("[^"]*"|'[^']*'|[^\s;&|)]+)/g)].map(
      ([, name, value]) => `${name}=${(value ?? '').replaceAll(/^["']|["']$/g, '')}`,
    ),
  );
  // Official images verify what they fetch: `key='B97B0AFC…'` is the fingerprint of a public key, and checksums are random.
  const kept = pairs.filter((pair) => !/=(?:0x)?[0-9A-F]{8,40}$/.test(pair));
  return secretNames(kept).filter((one) => !one.why.includes('random'));
}

/** Switches, small numbers, paths, and what only refers to a value elsewhere. */
function isHarmless(value: string): boolean {
  return /^(?:true|false|yes|no|on|off|none|null|trust|\d{1,5}|vault:.*|\$.*|\.{0,2}\/[\w./-]*)$/i.test(value);
}

function isRandom(value: string): boolean {
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) return false;
  if (/^[0-9a-f]{32,}$/i.test(value)) return entropy(value) > 3;
  return (
    /^[A-Za-z0-9+/_=-]{24,}$/.test(value) &&
    /[a-z]/.test(value) &&
    /[A-Z]/.test(value) &&
    /\d/.test(value) &&
    entropy(value) >= 4
  );
}

/** Shannon's, in bits a character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const one of text) counts.set(one, (counts.get(one) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - (count / text.length) * Math.log2(count / text.length), 0);
}
