/** Secrets that Treehouse keeps: `secrets: {NAME: {external: true}}`, and the services that ask for them. */
import { isSecretName } from '../domain/secrets.ts';
import type { SecretUse } from '../domain/stack.ts';
import { isSet, type Notes } from './notes.ts';
import { asArray, field, isRecord } from './sources.ts';

const MAX_USES = 32;
const FOLDER = '/run/secrets/';
/** The largest id of a user that Linux knows. */
const MAX_ID = 4_294_967_294;

/** Key in the file → the name by which it is kept. */
export function readExternalSecrets(raw: unknown, notes: Notes): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(isRecord(raw) ? raw : {})) {
    if (!isSet(field(value, 'external'))) continue;
    const name = String(field(value, 'name') ?? key);
    if (isSecretName(name)) found.set(key, name);
    else notes.refuse(`secrets.${key}`, 'names', 'a secret is named with letters, digits, "_", "." and "-"');
  }
  return found;
}

export function readSecretUses(
  where: string,
  raw: unknown,
  externals: ReadonlyMap<string, string>,
  notes: Notes,
): readonly SecretUse[] {
  const at = `${where}.secrets`;
  const used = new Map<string, SecretUse>();
  for (const entry of asArray(raw)) {
    const source = String(field(entry, 'source') ?? entry);
    const name = externals.get(source);
    // It is a file of the repository.
    if (name === undefined) continue;
    const target = targetOf(String(field(entry, 'target') || source));
    const uid = idOf(field(entry, 'uid'));
    const gid = idOf(field(entry, 'gid'));
    const mode = field(entry, 'mode');
    if (target === undefined || used.has(target)) {
      notes.refuse(at, 'target', `the secret '${source}' has no place of its own below ${FOLDER}`);
    } else if (uid === undefined || gid === undefined) {
      notes.refuse(at, 'value', `uid and gid of the secret '${source}' are numbers`);
    } else used.set(target, { name, target, uid, gid });
    if (mode !== undefined && mode !== null && Number(mode) !== 0o400) {
      notes.change(at, `the file of '${source}' gets mode 0400: say with 'uid' who may read it`);
    }
  }
  if (used.size > MAX_USES) notes.refuse(at, 'limits', `more than ${MAX_USES} secrets`);
  return [...used.values()];
}

function targetOf(given: string): string | undefined {
  const inside = given.startsWith(FOLDER) ? given.slice(FOLDER.length) : given;
  return inside.length <= 255 &&
    inside.split('/').every((part) => /^[A-Za-z0-9._-]+$/.test(part) && !/^\.+$/.test(part))
    ? `${FOLDER}${inside}`
    : undefined;
}

function idOf(given: unknown): number | undefined {
  if (given === undefined || given === null || given === '') return 0;
  const id = /^\d{1,10}$/.test(String(given)) ? Number(given) : Number.NaN;
  return id <= MAX_ID ? id : undefined;
}
