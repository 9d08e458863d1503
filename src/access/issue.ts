/** Makes tokens, and knows them again. */
import { timingSafeEqual } from 'node:crypto';
import type { Principal, Role } from '../domain/access.ts';
import type { RepositoryName } from '../domain/names.ts';
import type { Clock } from '../domain/ports.ts';
import { isExpired, principalOf, type TokenRecord, type Tokens } from '../domain/tokens.ts';
import { hasHash, hashOf, newSecret, sha256 } from './secret-text.ts';

/** So that secret scanners find a token that was pushed, and people see what it is. */
const PREFIX = 'treehouse';
const FORM = /^treehouse_([a-z0-9]{8})_[A-Za-z0-9_-]{43}$/;

/** Whoever has the token of the home. */
export const ADMIN: Principal = { id: 'admin', name: 'admin', role: 'admin', repositories: 'all' };

export interface Wanted {
  readonly name: string;
  readonly role: Role;
  readonly repositories: readonly RepositoryName[];
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number | undefined;
}

/** The token is told this once; only its hash is kept. */
export async function issueToken(
  deps: { readonly tokens: Tokens; readonly clock: Clock },
  wanted: Wanted,
): Promise<{ readonly token: string; readonly record: TokenRecord }> {
  const { id, chance } = newSecret();
  const token = `${PREFIX}_${id}_${chance}`;
  const { name, role, repositories, expiresAt } = wanted;
  const record: TokenRecord = {
    ...{ id, name, role, repositories, hash: hashOf(token), createdAt: deps.clock.now() },
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
  await deps.tokens.add(record);
  return { token, record };
}

export interface KnowerDeps {
  readonly tokens: Pick<Tokens, 'find'>;
  readonly clock: Clock;
  /** Of the home or the environment: an admin of everything, which no list shows. */
  readonly adminToken: string;
}

/** Tells whose a token is. Hashes are compared, so that neither length nor content shows in the time it takes. */
export function tokenKnower(deps: KnowerDeps): (token: string) => Promise<Principal | undefined> {
  const own = sha256(deps.adminToken);
  return async (token) => {
    if (token === '') return undefined;
    if (timingSafeEqual(sha256(token), own)) return ADMIN;
    const id = FORM.exec(token)?.[1];
    const record = id === undefined ? undefined : await deps.tokens.find(id);
    if (!record || !hasHash(token, record.hash)) return undefined;
    return isExpired(record, deps.clock.now()) ? undefined : principalOf(record);
  };
}
