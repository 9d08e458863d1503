/** Who Treehouse is on GitHub, and by which token it asks of a repository: looked up, kept, renewed before it ends. */
import type { GitHubCredentials } from './settings.ts';

/** A token and until when it may be used. */
export interface Token {
  readonly token: string;
  /** Milliseconds since the epoch; undefined: nobody knows. */
  readonly until: number | undefined;
  /** What is asked of the App's installation or of the token, for its limits. */
  readonly holder: string;
}

/** What a token of an installation may, where it is to be less than all. */
export interface Narrowed {
  readonly repositoryNames: readonly string[];
  readonly permissions: Readonly<Record<string, string>>;
}

export interface Tokens {
  /** @param refused what was just not taken: a new one is asked for */
  of(repository: string, how?: { readonly refused?: string; readonly narrowed?: Narrowed }): Promise<Token>;
  /** Takes every token that is held here out of a text, and what looks like one. */
  hide(text: string): string;
}

/** What an App asks GitHub by its key. */
export interface Installations {
  /** @throws where the App is not installed for the repository. */
  find(repository: string): Promise<number>;
  token(installation: number, narrowed?: Narrowed): Promise<{ readonly token: string; readonly expiresAt: string }>;
  /** Whether an error says that there is no such installation. */
  isGone(error: unknown): boolean;
}

/** Renewed so long before its end that what is begun with it ends with it. */
const SPARE_MS = 5 * 60_000;

export function createTokens(
  credentials: GitHubCredentials,
  installations: () => Installations,
  now: () => number,
): Tokens {
  const held = new Map<string, Token>();
  const pending = new Map<string, Promise<Token>>();
  const ids = new Map<string, number>();

  async function installationToken(repository: string, key: string, narrowed?: Narrowed): Promise<Token> {
    const known = ids.get(repository.toLowerCase());
    try {
      return await ask(known ?? (await installations().find(repository)));
    } catch (error) {
      ids.delete(repository.toLowerCase());
      // Uninstalled, or installed anew under another number.
      if (known === undefined || !installations().isGone(error)) throw error;
      return ask(await installations().find(repository));
    }

    async function ask(id: number): Promise<Token> {
      const { token, expiresAt } = await installations().token(id, narrowed);
      const fresh = { token, until: Date.parse(expiresAt), holder: `installation ${id}` };
      ids.set(repository.toLowerCase(), id);
      held.set(key, fresh);
      return fresh;
    }
  }

  return {
    async of(repository, { refused, narrowed } = {}) {
      if ('token' in credentials) return { token: credentials.token, until: undefined, holder: 'token' };
      const key = `${repository.toLowerCase()} ${JSON.stringify(narrowed ?? {})}`;
      const kept = held.get(key);
      if (kept?.until !== undefined && kept.until - SPARE_MS > now() && kept.token !== refused) return kept;
      let under = pending.get(key);
      if (!under) {
        under = installationToken(repository, key, narrowed).finally(() => pending.delete(key));
        pending.set(key, under);
      }
      return under;
    },
    hide(text) {
      const own = 'token' in credentials ? [credentials.token] : [];
      const secrets = [...own, ...[...held.values()].map((one) => one.token)];
      return secrets.reduce((rest, secret) => rest.replaceAll(secret, '…'), text).replaceAll(LOOKS_LIKE_ONE, '…');
    },
  };
}

/** GitHub's own prefixes, and a JSON web token. */
const LOOKS_LIKE_ONE = /\b(?:gh[a-z]_|github_pat_)\w+|\beyJ[\w-]+\.[\w-]+\.[\w-]+/g;
