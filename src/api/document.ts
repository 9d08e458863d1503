/** The OpenAPI 3.1 document, made from the routes that are served. */
import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import type { Route } from './route.ts';
import { problemSchema } from './schemas.ts';

/** Where all routes are. */
export const BASE = '/api/v1';

type Document = ReturnType<OpenApiGeneratorV31['generateDocument']>;

export function openApiDocument(routes: readonly Route[], version: string): Document {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  for (const one of routes) registry.registerPath(pathOf(one));
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'Treehouse',
      version,
      description: 'A live house on every branch: what runs, what was built, and the acts that steer it.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
  });
}

/** Every problem that a route can meet, whatever it is about. */
export function problemsOf(one: Route): Readonly<Record<number, string>> {
  return {
    ...(one.params || one.query || one.body
      ? { 400: 'The request says something that it may not, or leaves something out.' }
      : {}),
    401: 'There is no token, or none that is known.',
    403: 'The token may not do this.',
    ...(one.scope === 'preview' || one.scope === 'repository'
      ? { 404: 'There is no such thing, or the token does not reach it.' }
      : {}),
    ...(one.method === 'get'
      ? {}
      : { 409: 'Another request with this Idempotency-Key is under way, or was another one.' }),
    ...(one.isWebSocket ? { 426: 'It was not asked for as a WebSocket.' } : {}),
    429: 'Too many requests: Retry-After says when to go on.',
    503: 'A part of Treehouse is away for now.',
  };
}

function pathOf(one: Route): RouteConfig {
  const answers = Object.entries(one.answers).map(([status, { what, schema, type = 'application/json' }]) => {
    const isProblem = Number(status) >= 400;
    const content = isProblem
      ? { 'application/problem+json': { schema: problemSchema } }
      : schema && { [type]: { schema } };
    return [status, { description: what, ...(content ? { content } : {}) }];
  });
  const problems = Object.entries(problemsOf(one))
    .filter(([status]) => !(status in one.answers))
    .map(([status, description]) => [
      status,
      { description, content: { 'application/problem+json': { schema: problemSchema } } },
    ]);
  return {
    method: one.method,
    path: `${BASE}${one.path}`,
    operationId: one.name,
    summary: one.summary,
    tags: [one.group],
    security: [{ token: [] }],
    request: {
      ...(one.params ? { params: one.params } : {}),
      ...(one.query ? { query: one.query } : {}),
      ...(one.body ? { body: { required: true, content: { 'application/json': { schema: one.body } } } } : {}),
    },
    responses: Object.fromEntries([...answers, ...problems]) as RouteConfig['responses'],
  };
}
