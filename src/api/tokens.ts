/** Tokens: made, listed, ended. */
import { z } from 'zod';
import { issueToken } from '../access/issue.ts';
import type { Clock, Repository } from '../domain/ports.ts';
import { isExpired, type TokenRecord, type Tokens } from '../domain/tokens.ts';
import { timeOf } from './previews.ts';
import { type Answer, type Route, refusal, route } from './route.ts';
import { repositoryText, roleSchema } from './schemas.ts';

export interface TokenDeps {
  readonly tokens: Tokens;
  readonly clock: Clock;
  repositories(): readonly Repository[];
}

const tokenSchema = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    role: roleSchema,
    repositories: z.array(z.string()).meta({ description: 'Those that it reaches; none: all.' }),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().nullable(),
    expired: z.boolean(),
  })
  .meta({ id: 'Token' });

const wanted = z.strictObject({
  name: z.string().min(1).max(100).meta({ description: 'Whose it is or what it is for; the audit trail says it.' }),
  role: roleSchema,
  repositories: z.array(repositoryText).max(100).default([]),
  expiresAt: z.iso.datetime().optional(),
});

export type TokenView = z.output<typeof tokenSchema>;
export type NewToken = z.input<typeof wanted>;

export function tokenRoutes({ tokens, clock, repositories }: TokenDeps): readonly Route[] {
  return [
    route({
      ...{ method: 'get', path: '/tokens', name: 'listTokens', group: 'tokens', needs: 'administer', scope: 'host' },
      summary: 'List tokens, never what they are',
      answers: { 200: { what: 'All of them.', schema: z.strictObject({ tokens: z.array(tokenSchema) }) } },
      async handle() {
        const all = await tokens.all();
        return { status: 200, body: { tokens: all.map((one) => viewOf(one, clock.now())) } };
      },
    }),
    route({
      ...{ method: 'post', path: '/tokens', name: 'createToken', group: 'tokens', needs: 'administer', scope: 'host' },
      act: 'create token',
      isSecret: true,
      summary: 'Make a token; it is shown this once',
      body: wanted,
      answers: {
        201: { what: 'The token.', schema: tokenSchema.extend({ token: z.string() }).meta({ id: 'NewToken' }) },
      },
      async handle({ body }) {
        const known = new Set(repositories().map((one) => one.name));
        const unknown = body.repositories.find((one) => !known.has(one));
        if (unknown !== undefined) return refused(`repositories: the configuration has no repository '${unknown}'`);
        const expiresAt = body.expiresAt === undefined ? undefined : Date.parse(body.expiresAt);
        if (expiresAt !== undefined && expiresAt <= clock.now()) return refused('expiresAt: it is in the past');
        const { token, record } = await issueToken({ tokens, clock }, { ...body, expiresAt });
        return { status: 201, body: { ...viewOf(record, clock.now()), token } };
      },
    }),
    route({
      ...{ method: 'delete', path: '/tokens/{token}', name: 'revokeToken', group: 'tokens', needs: 'administer' },
      scope: 'host',
      act: 'revoke token',
      summary: 'End a token at once',
      params: z.strictObject({ token: z.string().max(100).meta({ description: 'Its id, as the list shows it.' }) }),
      answers: { 204: { what: 'It is gone.' }, 404: { what: 'There is no such token.' } },
      async handle({ params }) {
        if (await tokens.remove(params.token)) return { status: 204 };
        return refusal(404, 'There is no token with this id.');
      },
    }),
  ];
}

function refused(fault: string): Answer {
  return refusal(400, `The request cannot be taken: body ${fault}.`);
}

function viewOf(record: TokenRecord, now: number): TokenView {
  return {
    id: record.id,
    name: record.name,
    role: record.role,
    repositories: [...record.repositories],
    createdAt: timeOf(record.createdAt),
    expiresAt: record.expiresAt === undefined ? null : timeOf(record.expiresAt),
    expired: isExpired(record, now),
  };
}
