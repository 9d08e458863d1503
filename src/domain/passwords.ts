/** Passwords of repositories' previews, as they are kept: never the password itself, only what it hashes to. */
import type { RepositoryName } from './names.ts';

export interface PasswordRecord {
  readonly repository: RepositoryName;
  /** Base64, as is the hash: scrypt's, since people choose passwords. */
  readonly salt: string;
  readonly hash: string;
  /** Of this very setting: passes carry it, and end when there is another. */
  readonly mark: string;
  /** Milliseconds since the epoch. */
  readonly setAt: number;
}

export interface Passwords {
  find(repository: RepositoryName): Promise<PasswordRecord | undefined>;
  /** In place of the one before. */
  put(record: PasswordRecord): Promise<void>;
  /** @returns whether there was one. */
  remove(repository: RepositoryName): Promise<boolean>;
}

/** The passwords of repositories, at the gateway too. */
export interface PreviewPasswords {
  /** Ends every pass that another one opened. */
  set(repository: RepositoryName, password: string): Promise<void>;
  /** From then on links alone open its previews. */
  clear(repository: RepositoryName): Promise<void>;
}
