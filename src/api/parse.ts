/** What a request says, held to what its route declares. */
import type { Request } from 'express';
import type { z } from 'zod';
import type { Route } from './route.ts';

export interface Fault {
  readonly in: 'path' | 'query' | 'body';
  readonly path: string;
  readonly message: string;
}

type Parsed =
  | { readonly values: { readonly params: unknown; readonly query: unknown; readonly body: unknown } }
  | { readonly faults: readonly Fault[] };

/** All faults at once. What a route does not declare is a fault too: a misspelt filter would show everything. */
export function parse(one: Route, req: Request): Parsed {
  const faults: Fault[] = [];
  const read = (where: Fault['in'], schema: z.ZodType | undefined, value: unknown): unknown => {
    if (!schema) {
      for (const key of Object.keys((value ?? {}) as object)) {
        if (where === 'query') faults.push({ in: where, path: key, message: 'there is no such parameter' });
      }
      return undefined;
    }
    const result = schema.safeParse(value);
    for (const issue of result.error?.issues ?? []) {
      faults.push({ in: where, path: issue.path.join('.'), message: issue.message });
    }
    return result.data;
  };
  const values = {
    params: read('path', one.params, req.params),
    query: read('query', one.query, req.query),
    body: read('body', one.body, req.body as unknown),
  };
  return faults.length > 0 ? { faults } : { values };
}
