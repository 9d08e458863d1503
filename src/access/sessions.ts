/** Signs in with a token, and knows who is signed in: a session is worth what its token is worth at that moment. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Principal } from '../domain/access.ts';
import type { Clock } from '../domain/ports.ts';
import type { Sessions } from '../domain/sessions.ts';
import { isExpired, principalOf, type Tokens } from '../domain/tokens.ts';
import { ADMIN, tokenKnower } from './issue.ts';
import { hashOf } from './secret-text.ts';

export interface SignInDeps {
  readonly sessions: Sessions;
  readonly tokens: Pick<Tokens, 'find'>;
  readonly clock: Clock;
  /** See KnowerDeps. */
  readonly adminToken: string;
}

export interface SignIns {
  /** @returns undefined where nobody has this token. */
  open(token: string): Promise<{ readonly id: string; readonly principal: Principal } | undefined>;
  /** Who has this session; undefined once it, or the token that it was opened with, has ended. It lives on where it is used. */
  know(id: string, options?: { readonly isUsed: boolean }): Promise<Principal | undefined>;
  close(id: string): Promise<void>;
}

/** Seconds for which nothing is asked before one has to sign in again, and in all. */
const IDLE_S = 12 * 3_600;
const ALL_S = 7 * 86_400;
const ID = /^[A-Za-z0-9_-]{43}$/;

export function signIns({ sessions, tokens, clock, adminToken }: SignInDeps): SignIns {
  const whose = tokenKnower({ tokens, clock, adminToken });

  /** What a token is worth now. */
  async function worth(id: string): Promise<{ readonly hash: string; readonly principal: Principal } | undefined> {
    if (id === ADMIN.id) return { hash: hashOf(adminToken), principal: ADMIN };
    const record = await tokens.find(id);
    if (!record || isExpired(record, clock.now())) return undefined;
    return { hash: record.hash, principal: principalOf(record) };
  }

  return {
    async open(token) {
      const principal = await whose(token);
      if (!principal) return undefined;
      const id = randomBytes(32).toString('base64url');
      const record = { token: principal.id, proof: proofOf(id, hashOf(token)), createdAt: clock.now() };
      await sessions.add(hashOf(id), record, IDLE_S);
      return { id, principal };
    },
    async know(id, { isUsed } = { isUsed: true }) {
      if (!ID.test(id)) return undefined;
      const hash = hashOf(id);
      const record = await sessions.find(hash);
      if (!record || record.createdAt + ALL_S * 1_000 <= clock.now()) return undefined;
      const now = await worth(record.token);
      if (!now || !isAlike(record.proof, proofOf(id, now.hash))) return undefined;
      if (isUsed) await sessions.extend(hash, IDLE_S);
      return now.principal;
    },
    close: (id) => sessions.remove(hashOf(id)),
  };
}

const SALT_BYTES = 12;

/** What a form of a session carries; another each time, so that nothing is learnt from how well a page compresses. */
export function formToken(session: string): string {
  const salt = randomBytes(SALT_BYTES).toString('base64url');
  return `${salt}.${seal(session, salt)}`;
}

/** Whether a form was made for this session. */
export function isFormToken(session: string, text: string): boolean {
  const [salt = '', given = ''] = text.split('.');
  return isAlike(given, seal(session, salt));
}

function seal(session: string, salt: string): string {
  return createHmac('sha256', session).update(`form ${salt}`).digest('base64url');
}

function proofOf(session: string, hash: string): string {
  return createHmac('sha256', session).update(`token ${hash}`).digest('base64url');
}

function isAlike(a: string, b: string): boolean {
  const [one, two] = [Buffer.from(a), Buffer.from(b)];
  return one.length === two.length && timingSafeEqual(one, two);
}
