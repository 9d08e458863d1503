/** Who asks, and whether they may: tokens, the App's own signature, permissions. */
import { createVerify } from 'node:crypto';
import type { FakeRepository, FakeToken, Permissions, State } from './state.ts';
import { appKeys } from './state.ts';

export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What each operation asks for: one of the sets, of which a `,` joins two. From the pages of docs.github.com on each. */
export const NEEDS: Readonly<Record<string, string>> = {
  'repos/get-collaborator-permission-level': 'metadata=read',
  'repos/compare-commits-with-basehead': 'contents=read',
  'repos/create-commit-status': 'statuses=write',
  'checks/list-for-ref': 'checks=read',
  'checks/create': 'checks=write',
  'checks/update': 'checks=write',
  'repos/list-deployments': 'deployments=read',
  'repos/create-deployment': 'deployments=write',
  'repos/delete-deployment': 'deployments=write',
  'repos/create-deployment-status': 'deployments=write',
  'repos/delete-an-environment': 'administration=write',
  'issues/list-comments': 'issues=read; pull_requests=read',
  'issues/create-comment': 'issues=write; pull_requests=write',
  'issues/update-comment': 'issues=write; pull_requests=write',
  'reactions/create-for-issue-comment': 'issues=write; pull_requests=write',
  graphql: 'pull_requests=read',
};

const BY_APP = /^apps\//;

/** @returns whose token it is; `app` where the App signed it itself. */
export function whoAsks(state: State, authorization: string, now: number): FakeToken | 'app' | Refusal {
  const given = /^(?:token|bearer) (.+)$/i.exec(authorization)?.[1] ?? '';
  if (given.startsWith('eyJ')) return signature(state, given, now);
  const token = state.tokens.get(given);
  return token && token.expiresAt > now ? token : { status: 401, message: 'Bad credentials' };
}

function signature(state: State, jwt: string, now: number): 'app' | Refusal {
  const [head = '', body = '', sign = ''] = jwt.split('.');
  const isSigned = createVerify('RSA-SHA256').update(`${head}.${body}`).verify(appKeys().publicKey, sign, 'base64url');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { iat: number; exp: number; iss: unknown };
  if (!isSigned || String(claims.iss) !== String(state.app.id)) {
    return { status: 401, message: 'A JSON web token could not be decoded' };
  }
  const seconds = now / 1_000;
  if (claims.exp > seconds + 660) {
    return { status: 401, message: "'Expiration time' claim ('exp') is too far in the future" };
  }
  return claims.exp < seconds ? { status: 401, message: 'A JSON web token could not be decoded' } : 'app';
}

export function mayAsk(
  operation: string,
  who: FakeToken | 'app',
  repository: FakeRepository | undefined,
): Refusal | undefined {
  const accepted = NEEDS[operation];
  const headers = accepted === undefined ? {} : { 'x-accepted-github-permissions': accepted };
  if (BY_APP.test(operation)) {
    return who === 'app' ? undefined : { status: 401, message: 'A JSON web token could not be decoded' };
  }
  if (who === 'app') return { status: 401, message: 'Bad credentials' };
  const kind = who.isApp ? 'integration' : 'personal access token';
  if (operation === 'users/get-authenticated') {
    return who.isApp ? { status: 403, message: 'Resource not accessible by integration' } : undefined;
  }
  if (repository && who.repositories && !who.repositories.has(repository.name)) {
    return { status: 404, message: 'Not Found', headers };
  }
  if (operation.startsWith('checks/') && operation !== 'checks/list-for-ref' && !who.isApp) {
    return { status: 403, message: 'You must authenticate via a GitHub App.', headers };
  }
  if (accepted === undefined || accepted.split(';').some((set) => holds(who.permissions, set))) return undefined;
  return { status: 403, message: `Resource not accessible by ${kind}`, headers };
}

function holds(permissions: Permissions, set: string): boolean {
  return set.split(',').every((one) => {
    const [name = '', level] = one.trim().split('=');
    return permissions[name] === 'write' || permissions[name] === level;
  });
}
