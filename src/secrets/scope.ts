/** For which services and branches a secret is, and which of several is meant. Pure. */
import { selects } from '../domain/globs.ts';
import { isSecretName } from '../domain/secrets.ts';
import { TreehouseError } from '../errors.ts';

export interface Scope {
  /** Globs, in which `*` matches anything, and `?` one character. */
  readonly service: string;
  readonly branch: string;
}

export interface Named extends Scope {
  readonly name: string;
}

/** @throws `bad-config` that says how a name or a glob is written. */
export function checkNamed(one: Named): void {
  if (!isSecretName(one.name)) {
    throw new TreehouseError(
      'bad-config',
      `'${printable(one.name)}' is not a secret's name: it has letters, digits, "_", "." and "-", as in a compose file`,
    );
  }
  for (const [option, glob] of [
    ['--service', one.service],
    ['--branch', one.branch],
  ] as const) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
    if (glob === '' || glob.length > 255 || /^!|[\u0000-\u0020\u007f]/.test(glob)) {
      throw new TreehouseError(
        'bad-config',
        `${option} '${printable(glob)}' is not a glob such as web, feature/* or *; "!" is not known here`,
      );
    }
  }
}

/**
 * The most specific of those that match: the branch's glob counts first, then the service's; one without wildcards before any
 * with, then the one with more letters. Of equal ones the last set.
 */
export function choose<T extends Named & { readonly setAt: number }>(
  entries: readonly T[],
  wanted: { readonly name: string; readonly service: string; readonly branch: string },
): T | undefined {
  const matching = entries.filter(
    (one) => one.name === wanted.name && selects([one.service], wanted.service) && selects([one.branch], wanted.branch),
  );
  return matching.sort((a, b) => {
    return (
      specificity(b.branch) - specificity(a.branch) ||
      specificity(b.service) - specificity(a.service) ||
      b.setAt - a.setAt
    );
  })[0];
}

function specificity(glob: string): number {
  const letters = glob.replaceAll(/[*?]/g, '').length;
  return letters === glob.length ? 1_000 : letters;
}

/** `db_password (service web, branch feature/*)`. */
export function describe(one: Named): string {
  const parts = [
    ...(one.service === '*' ? [] : [`service ${one.service}`]),
    ...(one.branch === '*' ? [] : [`branch ${one.branch}`]),
  ];
  return parts.length === 0 ? one.name : `${one.name} (${parts.join(', ')})`;
}

function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?').slice(0, 100);
}
