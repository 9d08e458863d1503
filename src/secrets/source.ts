/** From what services ask for to files in memory: the store, Vault, the fingerprints, the redaction. */
import { createHmac } from 'node:crypto';
import path from 'node:path';
import type { PreviewKey } from '../domain/preview.ts';
import { type KnownSecrets, NO_SECRETS, parseSecretFile, type SecretSource, secretPath } from '../domain/secrets.ts';
import { TreehouseError } from '../errors.ts';
import type { Memory } from './memory.ts';
import { redactor } from './redact.ts';
import { choose } from './scope.ts';
import { MAX_BYTES, type SecretStore } from './store.ts';
import { parseVaultReference, type Vault } from './vault.ts';

export interface SourceParts {
  readonly store: SecretStore;
  readonly memory: Memory;
  /** Undefined where none is configured. */
  readonly vault: Vault | undefined;
}

interface Wanted {
  readonly service: string;
  readonly name: string;
}

interface Resolved extends Wanted {
  readonly value: Buffer;
  readonly mark: string;
}

export function createSecretSource({ store, memory, vault }: SourceParts): SecretSource {
  async function resolve(
    preview: PreviewKey,
    wanted: readonly Wanted[],
    signal: AbortSignal,
  ): Promise<readonly Resolved[]> {
    const { secrets, mark } = await store.read(preview.repository);
    const found = wanted.map((one) => ({ ...one, entry: choose(secrets, { ...one, branch: preview.branch }) }));
    const missing = found.filter((one) => !one.entry);
    if (missing.length > 0) throw notSet(preview, missing);
    // One question to Vault for each reference, however many services ask.
    const asked = new Map<string, Promise<Buffer>>();
    return Promise.all(
      found.map(async ({ service, name, entry }) => {
        const stored = entry?.value() ?? Buffer.alloc(0);
        const key = stored.toString('latin1');
        const value = asked.get(key) ?? resolved(name, stored, signal);
        asked.set(key, value);
        const bytes = await value;
        const fingerprint = createHmac('sha256', mark).update(`${name}\0`).update(bytes).digest('hex').slice(0, 32);
        return { service, name, value: bytes, mark: fingerprint };
      }),
    );
  }

  async function resolved(name: string, stored: Buffer, signal: AbortSignal): Promise<Buffer> {
    const reference = parseVaultReference(stored.toString('utf8'));
    if (!reference) return stored;
    if (!vault) {
      throw new TreehouseError(
        'secret-failed',
        `the secret '${name}' is kept in Vault, and Treehouse knows none: set TREEHOUSE_VAULT_ADDR and a token or an AppRole`,
      );
    }
    const value = Buffer.from(await named(name, vault.read(reference, signal)));
    if (value.length > 0 && value.length <= MAX_BYTES) return value;
    throw new TreehouseError(
      'secret-failed',
      `the secret '${name}' is ${value.length === 0 ? 'empty' : `longer than ${MAX_BYTES / 1024} kB`} in Vault`,
    );
  }

  return {
    async fetch({ preview, services, fork }, signal) {
      const wanted = services.flatMap((service) =>
        unique((service.secrets ?? []).map((one) => one.name)).map((name) => ({ service: service.name, name })),
      );
      if (wanted.length === 0) return NO_SECRETS;
      if (fork) {
        throw new TreehouseError('secret-missing', `the code of a fork is given no secrets: ${places(wanted)}`);
      }
      const all = await resolve(preview, wanted, signal);
      return known(preview, all);
    },

    async layAgain(preview, containers, signal) {
      const there: { name: string; value: Buffer }[] = [];
      const lost: { file: string; service: string; use: ReturnType<typeof parseSecretFile> & object }[] = [];
      for (const { service, mounts } of containers) {
        for (const { type, source } of mounts) {
          // A volume's source is a name.
          if (type !== 'bind') continue;
          const parts = memory.partsOf(preview.id, source);
          const use = parts && parseSecretFile(path.basename(source));
          if (!parts || !use) continue;
          const value = await memory.read(source);
          if (value) there.push({ name: use.name, value });
          else lost.push({ file: path.join(...parts), service, use });
        }
      }
      const wanted = lost.map(({ service, use }) => ({ service, name: use.name }));
      const found = wanted.length === 0 ? [] : await resolve(preview, wanted, signal);
      for (const [index, { file, use }] of lost.entries()) {
        await memory.write(preview.id, file, found[index]?.value ?? Buffer.alloc(0), use);
      }
      return redactor([...there, ...found]);
    },

    previews: () => memory.previews(),
    laid: (preview) => memory.laid(preview),
    remove: (preview, folders) => memory.remove(preview, folders),
  };

  function known(preview: PreviewKey, all: readonly Resolved[]): KnownSecrets {
    const of = (service: string, name: string): Resolved =>
      all.find((one) => one.service === service && one.name === name) ?? unasked(name);
    return {
      mark: (service, name) => of(service, name).mark,
      redact: redactor(all),
      async lay(layer, services) {
        for (const service of services) {
          for (const use of service.secrets ?? []) {
            const { value } = of(service.name, use.name);
            await memory.write(preview.id, secretPath(layer, service.name, use), value, use);
          }
        }
        return memory.folder(preview.id);
      },
    };
  }
}

function notSet(preview: PreviewKey, missing: readonly Wanted[]): TreehouseError {
  const commands = unique(missing.map((one) => `treehouse secret set ${preview.repository} ${one.name}`));
  return new TreehouseError(
    'secret-missing',
    `${missing.length === 1 ? 'a secret is' : 'secrets are'} not set for this branch: ${places(missing)}. Set ` +
      `${missing.length === 1 ? 'it' : 'them'}, then redeploy: ${[...commands, `treehouse redeploy ${preview.id}`].join('; ')}`,
  );
}

function places(wanted: readonly Wanted[]): string {
  return wanted.map((one) => `'${one.name}' (services.${one.service}.secrets)`).join(', ');
}

/** Says which secret it was that Vault did not give. */
async function named<T>(name: string, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof TreehouseError) || error.code === 'stopped' || error.code === 'superseded') throw error;
    throw new TreehouseError(error.code, `the secret '${name}': ${error.message}`, { kind: error.kind, cause: error });
  }
}

function unasked(name: string): never {
  throw new TreehouseError('secret-failed', `the secret '${name}' was not asked for when the plan was made`);
}

function unique(list: readonly string[]): readonly string[] {
  return [...new Set(list)];
}
