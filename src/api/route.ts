/** A route of the API as it is declared: the server, the OpenAPI document and the tests of who may what all read this one thing. */
import { STATUS_CODES } from 'node:http';
import type { Request, Response } from 'express';
import type { WebSocket } from 'ws';
import type { z } from 'zod';
import type { Permission, Principal } from '../domain/access.ts';
import type { Repository } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';

/**
 * What a route is about: the preview `{id}` or the repository `{owner}/{name}` of its path, which whoever asks must reach; the
 * host, for those who reach all; or whatever of it all they reach, which the handler picks.
 */
export type Scope = 'preview' | 'repository' | 'host' | 'reachable';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** A kind of answer; without a schema it has no body, or one of another type. */
export interface AnswerKind {
  readonly what: string;
  readonly schema?: z.ZodType;
  /** Where it is not JSON. */
  readonly type?: string;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

export interface Call<S extends Scope, P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly principal: Principal;
  readonly about: S extends 'preview' ? PreviewRecord : S extends 'repository' ? Repository : undefined;
  /** Aborted once the client has gone, or Treehouse stops. */
  readonly signal: AbortSignal;
  /** The WebSocket that was asked for; only of routes that say `isWebSocket`. */
  accept(): Promise<WebSocket>;
  /** Whether whoever asked still may: a token can end before the answer does. */
  isStillAllowed(): Promise<boolean>;
  /** For answers that go on. */
  readonly req: Request;
  readonly res: Response;
}

type Fields = z.ZodObject<z.ZodRawShape>;

interface Declared {
  readonly method: Method;
  /** In OpenAPI's spelling: `/previews/{id}`, below `/api/v1`. */
  readonly path: string;
  /** Of the operation, for clients that are generated. */
  readonly name: string;
  readonly summary: string;
  readonly group: string;
  readonly needs: Permission;
  readonly scope: Scope;
  /** By status; what every route may answer besides is added by the document. */
  readonly answers: Readonly<Record<number, AnswerKind>>;
  /** Its answer is kept nowhere. */
  readonly isSecret?: boolean;
  /** It goes on as a WebSocket: asked for in any other way it is 426. */
  readonly isWebSocket?: boolean;
  /** What the audit trail calls it; routes that change nothing have none. */
  readonly act?: string;
}

/** With the types of its parts forgotten, for lists of routes. */
export interface Route extends Declared {
  readonly params?: Fields;
  readonly query?: Fields;
  readonly body?: z.ZodType;
  handle(call: Call<Scope, unknown, unknown, unknown>): Promise<Answer | undefined>;
}

/** Declares a route. The handler answers undefined where it wrote the answer itself. */
export function route<
  S extends Scope,
  P extends Fields = z.ZodObject<Record<never, never>>,
  Q extends Fields = z.ZodObject<Record<never, never>>,
  B extends z.ZodType = z.ZodUndefined,
>(
  declared: Omit<Declared, 'scope'> & {
    readonly scope: S;
    readonly params?: P;
    readonly query?: Q;
    readonly body?: B;
    handle(call: Call<S, z.output<P>, z.output<Q>, z.output<B>>): Promise<Answer | undefined>;
  },
): Route {
  return declared as unknown as Route;
}

/** A problem document, as an answer; `more` are its extension members. */
export function refusal(status: number, detail: string, more: Readonly<Record<string, unknown>> = {}): Answer {
  return { status, body: { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, ...more } };
}
