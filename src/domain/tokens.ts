/** Tokens of the API, as they are kept: never the token itself, only what it hashes to. */
import type { Principal, Role } from './access.ts';
import type { RepositoryName } from './names.ts';

export interface TokenRecord {
  /** Public: it names the token in lists, and is a part of it. */
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** None named: all, also those to come. */
  readonly repositories: readonly RepositoryName[];
  /** SHA-256 of the whole token, hexadecimal. It has 256 bits of chance in it, so a slow hash would add nothing. */
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Milliseconds since the epoch; absent: it does not end by itself. */
  readonly expiresAt?: number;
}

/** Tokens that people made. */
export interface Tokens {
  all(): Promise<readonly TokenRecord[]>;
  find(id: string): Promise<TokenRecord | undefined>;
  add(record: TokenRecord): Promise<void>;
  /** @returns whether there was one. */
  remove(id: string): Promise<boolean>;
}

export function isExpired(record: Pick<TokenRecord, 'expiresAt'>, now: number): boolean {
  return record.expiresAt !== undefined && record.expiresAt <= now;
}

export function principalOf(record: TokenRecord): Principal {
  return {
    id: record.id,
    name: record.name,
    role: record.role,
    repositories: record.repositories.length === 0 ? 'all' : new Set(record.repositories),
  };
}
