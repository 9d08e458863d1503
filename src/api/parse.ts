/** What a request says, held to what its route declares. */
import type { z } from 'zod';
import type { Route } from './route.ts';

export interface Fault {
  readonly in: 'path' | 'query' | 'body';
  readonly path: string;
  readonly message: string;
}

/** The parts of a request. */
export interface Said {
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: unknown;
  readonly body: unknown;
}

type Parsed =
  | { readonly values: { readonly params: unknown; readonly query: unknown; readonly body: unknown } }
  | { readonly faults: readonly Fault[] };

/** All faults at once. What a route does not declare is a fault too: a misspelt filter would show everything. */
export function parse(one: Route, said: Said): Parsed {
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
    params: read('path', one.params, said.params),
    query: read('query', one.query, said.query),
    body: read('body', one.body, said.body),
  };
  return faults.length > 0 ? { faults } : { values };
}
