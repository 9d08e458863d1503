/**
 * Secrets at rest: one file a repository in `<home>/secrets`. Each value is sealed beside its repository, name and scope, so that
 * none can be put in another's place, and the whole file is signed, so that none can be taken out of it unseen.
 */
import { randomBytes } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { RepositoryName } from '../domain/names.ts';
import { repositoryName } from '../domain/names.ts';
import type { Clock } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';
import { writeWhole } from '../whole-file.ts';
import { locked, readOwn, refuseOpen } from './files.ts';
import { KEY_BYTES, type Key, keyOf, type Sealed, sealedSchema } from './key.ts';
import { checkNamed, describe, type Named } from './scope.ts';

/** Of one value. */
export const MAX_BYTES = 64 * 1024;
const MAX_ENTRIES = 500;
const SUFFIX = '.json';

export interface SecretEntry extends Named {
  /** Milliseconds since the epoch. */
  readonly setAt: number;
}

export interface StoredSecret extends SecretEntry {
  value(): Buffer;
}

export interface StoredSecrets {
  readonly secrets: readonly StoredSecret[];
  /** By which values of this repository are fingerprinted; it stays when the key changes. */
  readonly mark: Buffer;
}

export interface SecretStore {
  /** Sets or replaces what has the same name and scope; true where there was one. */
  set(repository: RepositoryName, named: Named, value: Uint8Array): Promise<boolean>;
  /** @throws `secret-missing` that lists the scopes that there are. */
  remove(repository: RepositoryName, named: Named): Promise<void>;
  /** @throws `secret-failed` where file or key were changed or are missing. */
  read(repository: RepositoryName): Promise<StoredSecrets>;
  /** Seals everything anew with a fresh key; begun again after a crash, it goes on. @returns how many repositories there are. */
  rotateKey(): Promise<number>;
}

const fileSchema = z.strictObject({
  version: z.literal(1),
  repository: z.string(),
  key: z.string(),
  mark: sealedSchema,
  secrets: z.array(
    z.strictObject({
      name: z.string(),
      service: z.string(),
      branch: z.string(),
      setAt: z.number().int(),
      sealed: sealedSchema,
    }),
  ),
});
type Content = z.infer<typeof fileSchema>;
type Entry = Content['secrets'][number];
const signedSchema = z.strictObject({ ...fileSchema.shape, signature: z.string() });

interface Opened {
  readonly content: Content;
  readonly key: Key;
}

export function openSecretStore(home: string, clock: Clock): SecretStore {
  const folder = path.join(home, 'secrets');
  const keyFile = path.join(folder, 'key');
  const nextKeyFile = path.join(folder, 'key.next');
  // An owner has no underscore in its name, so two repositories never share a file.
  const fileOf = (repository: string) => path.join(folder, `${repository.replace('/', '_')}${SUFFIX}`);

  async function readKey(file: string): Promise<Key | undefined> {
    const text = await readOwn(file);
    if (!text) return undefined;
    await refuseOpen(file);
    const bytes = Buffer.from(text.toString('latin1').trim(), 'hex');
    if (bytes.length !== KEY_BYTES) {
      throw new TreehouseError(
        'secret-failed',
        `${file} is not a key of Treehouse's (64 hex digits): put the right one back, from a backup of the home`,
      );
    }
    return keyOf(bytes);
  }

  async function makeKey(file: string): Promise<void> {
    await writeWhole(file, `${randomBytes(KEY_BYTES).toString('hex')}\n`, true);
  }

  async function files(): Promise<string[]> {
    const names = await readdir(folder).catch(() => []);
    return names.filter((name) => name.endsWith(SUFFIX)).map((name) => path.join(folder, name));
  }

  /** The key to seal with: made at the first use, and never where something is sealed already. */
  async function currentKey(): Promise<Key> {
    const next = await readKey(nextKeyFile);
    if (next) return next;
    if (!(await readKey(keyFile))) {
      const sealed = await files();
      if (sealed.length > 0) throw missingKey(sealed[0] ?? '');
      await makeKey(keyFile);
    }
    return (await readKey(keyFile)) ?? fail();
  }

  function missingKey(file: string): TreehouseError {
    return new TreehouseError(
      'secret-failed',
      `the key ${keyFile} is missing, and without it ${file} cannot be read: put it back from a backup of the home, or ` +
        'remove the file and set its secrets again',
    );
  }

  async function open(file: string, repository: string): Promise<Opened | undefined> {
    for (let look = 0; ; look += 1) {
      const text = await readOwn(file);
      if (!text) return undefined;
      const content = parse(file, text.toString());
      // During a rotation files are sealed with either key.
      const keys = [await readKey(keyFile), await readKey(nextKeyFile)].filter((one) => one !== undefined);
      const key = keys.find((one) => one.id === content.key);
      if (key) return { content: verified(file, repository, content, key), key };
      // A rotation may have ended between the two looks.
      if (look === 0) continue;
      if (keys.length === 0) throw missingKey(file);
      throw new TreehouseError(
        'secret-failed',
        `${file} was sealed with another key than ${keyFile}: put the right key back, from a backup of the home, or ` +
          'remove the file and set its secrets again',
      );
    }
  }

  async function save(content: Content, key: Key): Promise<void> {
    const signature = key.sign(JSON.stringify(content));
    await writeWhole(fileOf(content.repository), `${JSON.stringify({ ...content, signature }, null, 1)}\n`);
  }

  function unsealed(repository: string, entry: Entry, key: Key): Buffer {
    return key.open(entry.sealed, aboutEntry(repository, entry)) ?? tampered(fileOf(repository));
  }

  return {
    set: (repository, named, value) =>
      locked(folder, async () => {
        checkNamed(named);
        checkValue(value);
        const key = await currentKey();
        const opened = await open(fileOf(repository), repository);
        const content = opened ? resealed(opened, key) : empty(repository, key);
        const others = content.secrets.filter((one) => !isSame(one, named));
        if (others.length >= MAX_ENTRIES) {
          throw new TreehouseError('bad-config', `${repository} has ${MAX_ENTRIES} secrets already, which is the most`);
        }
        const { name, service, branch } = named;
        const entry = { name, service, branch, setAt: clock.now() };
        const sealed = key.seal(value, aboutEntry(repository, entry));
        await save({ ...content, secrets: sorted([...others, { ...entry, sealed }]) }, key);
        return others.length < content.secrets.length;
      }),

    remove: (repository, named) =>
      locked(folder, async () => {
        checkNamed(named);
        const opened = await open(fileOf(repository), repository);
        const all = opened?.content.secrets ?? [];
        const left = all.filter((one) => !isSame(one, named));
        if (!opened || left.length === all.length) {
          const others = all.filter((one) => one.name === named.name).map(describe);
          throw new TreehouseError(
            'secret-missing',
            `${repository} has no secret ${describe(named)}${others.length > 0 ? `; there is ${others.join('; ')}` : ''}`,
          );
        }
        if (left.length === 0) await rm(fileOf(repository));
        else await save({ ...opened.content, secrets: left }, opened.key);
      }),

    async read(repository) {
      const opened = await open(fileOf(repository), repository);
      if (!opened) return { secrets: [], mark: Buffer.alloc(0) };
      const { content, key } = opened;
      return {
        secrets: content.secrets.map(({ sealed, ...entry }) => ({
          ...entry,
          value: () => unsealed(repository, { ...entry, sealed }, key),
        })),
        mark: key.open(content.mark, aboutMark(repository)) ?? tampered(fileOf(repository)),
      };
    },

    rotateKey: () =>
      locked(folder, async () => {
        if (!(await readKey(keyFile)) && !(await readKey(nextKeyFile))) {
          const sealed = await files();
          if (sealed.length > 0) throw missingKey(sealed[0] ?? '');
        }
        if (!(await readKey(nextKeyFile))) await makeKey(nextKeyFile);
        const next = (await readKey(nextKeyFile)) ?? fail();
        const all = await files();
        for (const file of all) {
          const opened = await open(file, repositoryOf(file));
          if (opened && opened.key.id !== next.id) await save(resealed(opened, next), next);
        }
        await rename(nextKeyFile, keyFile);
        return all.length;
      }),
  };

  function resealed({ content, key }: Opened, next: Key): Content {
    if (key.id === next.id) return content;
    const { repository } = content;
    const mark = key.open(content.mark, aboutMark(repository)) ?? tampered(fileOf(repository));
    return {
      ...content,
      key: next.id,
      mark: next.seal(mark, aboutMark(repository)),
      secrets: content.secrets.map((entry) => ({
        ...entry,
        sealed: next.seal(unsealed(repository, entry, key), aboutEntry(repository, entry)),
      })),
    };
  }
}

function empty(repository: string, key: Key): Content {
  const mark: Sealed = key.seal(randomBytes(32), aboutMark(repository));
  return { version: 1, repository, key: key.id, mark, secrets: [] };
}

function aboutEntry(repository: string, entry: SecretEntry): string {
  return JSON.stringify(['treehouse secret', 1, repository, entry.name, entry.service, entry.branch, entry.setAt]);
}

function aboutMark(repository: string): string {
  return JSON.stringify(['treehouse mark', 1, repository]);
}

function parse(file: string, text: string): Content & { readonly signature: string } {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    tampered(file);
  }
  const parsed = signedSchema.safeParse(raw);
  return parsed.data ?? tampered(file);
}

function verified(
  file: string,
  repository: string,
  { signature, ...content }: Content & { readonly signature: string },
  key: Key,
): Content {
  const whole = key.signed(JSON.stringify(content), signature) && content.repository === repository;
  return whole ? content : tampered(file);
}

function repositoryOf(file: string): string {
  const name = path.basename(file, SUFFIX).replace('_', '/');
  try {
    return repositoryName(name);
  } catch {
    return tampered(file);
  }
}

function checkValue(value: Uint8Array): void {
  if (value.length === 0) throw new TreehouseError('bad-config', 'the value is empty');
  if (value.length > MAX_BYTES) {
    throw new TreehouseError('bad-config', `the value is longer than ${MAX_BYTES / 1024} kB`);
  }
}

function isSame(a: Named, b: Named): boolean {
  return a.name === b.name && a.service === b.service && a.branch === b.branch;
}

function sorted(entries: readonly Entry[]): Entry[] {
  const key = (one: Named) => [one.name, one.branch, one.service].join('\0');
  return [...entries].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

function tampered(file: string): never {
  throw new TreehouseError(
    'secret-failed',
    `${file} was changed by something else than Treehouse, so nothing of it is used: restore it from a backup, or remove it ` +
      'and set its secrets again',
  );
}

function fail(): never {
  throw new TreehouseError('secret-failed', 'the key vanished while it was used', { kind: 'transient' });
}
