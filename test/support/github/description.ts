/** GitHub's OpenAPI description: which operation a request is, and whether it and its answer are as described. */
import { readFileSync } from 'node:fs';
import { createJudge, type Json, type Schema } from './schemas.ts';

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly parameters: Readonly<Record<string, Parameter>>;
    readonly responses: Readonly<Record<string, Response>>;
    readonly examples: Readonly<Record<string, { readonly value: Json }>>;
  };
}

interface Ref {
  readonly $ref: string;
}

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Response {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface RawOperation {
  readonly operationId: string;
  readonly parameters?: readonly (Parameter | Ref)[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Readonly<Record<string, { schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, Response | Ref>>;
}

export interface Operation {
  /** Such as `repos/create-deployment`. */
  readonly id: string;
  /** Of the path, decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly raw: RawOperation;
}

export interface Sent {
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Undefined where there was none. */
  readonly body: Json;
}

const described = JSON.parse(readFileSync(new URL('description.json', import.meta.url), 'utf8')) as Described;
const bodies = createJudge(described.components.schemas, { coerce: false });
const texts = createJudge(described.components.schemas, { coerce: true });

/** A copy of one of GitHub's examples. */
export function example<T extends object = Record<string, Json>>(name: string): T {
  const found = described.components.examples[name];
  if (!found) throw new Error(`GitHub's description has no example ${name}`);
  return structuredClone(found.value) as T;
}

/** Undefined where GitHub has no such path, or none that is known here. */
export function findOperation(method: string, pathname: string): Operation | undefined {
  const asked = pathname.split('/');
  let best: { readonly operation: Operation; readonly literal: number } | undefined;
  for (const [route, methods] of Object.entries(described.paths)) {
    const raw = methods[method.toLowerCase()];
    const parts = route.split('/');
    if (!raw || parts.length !== asked.length) continue;
    const path: Record<string, string> = {};
    const fits = parts.every((part, index) => {
      const name = /^\{(.+)\}$/.exec(part)?.[1];
      if (name !== undefined) path[name] = decodeURIComponent(asked[index] ?? '');
      return name === undefined ? part === asked[index] : asked[index] !== '';
    });
    const literal = parts.filter((part) => !part.startsWith('{')).length;
    if (fits && literal > (best?.literal ?? -1)) best = { operation: { id: raw.operationId, path, raw }, literal };
  }
  return best?.operation;
}

export function requestFaults({ raw, path }: Operation, { query, headers, body }: Sent): string[] {
  const parameters = (raw.parameters ?? []).map((one) => resolved<Parameter>(one));
  const faults = parameters.flatMap((parameter) => {
    const given = parameter.in === 'path' ? path[parameter.name] : (query.get(parameter.name) ?? undefined);
    if (parameter.in === 'header') return [];
    if (given === undefined) return parameter.required ? [`the parameter ${parameter.name} is missing`] : [];
    const whole = { type: 'object', properties: { value: parameter.schema } };
    return texts.faults(wrapped(parameter, whole), { value: given }).map((fault) => `${parameter.name}: ${fault}`);
  });
  const known = new Set(parameters.filter((one) => one.in === 'query').map((one) => one.name));
  for (const name of query.keys()) if (!known.has(name)) faults.push(`there is no parameter ${name}`);
  return [...faults, ...headerFaults(headers, body), ...bodyFaults(raw, body)];
}

const wraps = new WeakMap<Parameter, Schema>();
/** The same object each time, so that it is compiled once. */
function wrapped(parameter: Parameter, schema: Schema): Schema {
  const known = wraps.get(parameter) ?? schema;
  wraps.set(parameter, known);
  return known;
}

/** docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api: all of these are asked for. */
export function headerFaults(headers: Sent['headers'], body: Json): string[] {
  const faults: string[] = [];
  if (!headers['user-agent']) faults.push('there is no User-Agent, which GitHub refuses');
  if (!/application\/(?:vnd\.github[\w.+-]*\+)?json/.test(String(headers.accept)))
    faults.push('Accept asks for no JSON');
  if (!['2022-11-28'].includes(String(headers['x-github-api-version']))) faults.push('it names no version of the API');
  if (!headers.authorization) faults.push('it says not who asks');
  if (body !== undefined && !String(headers['content-type']).startsWith('application/json')) {
    faults.push('its body is not said to be JSON');
  }
  return faults;
}

function bodyFaults(raw: RawOperation, body: Json): string[] {
  const schema = raw.requestBody?.content['application/json']?.schema;
  if (!schema) return body === undefined ? [] : ['it takes no body'];
  if (body === undefined) return raw.requestBody?.required ? ['it has no body'] : [];
  const names = propertiesOf(schema);
  const unknown = typeof body === 'object' && body !== null ? Object.keys(body).filter((name) => !names.has(name)) : [];
  return [...unknown.map((name) => `there is no field ${name}`), ...bodies.faults(schema, body)];
}

function propertiesOf(schema: Schema): Set<string> {
  const parts = ['oneOf', 'anyOf', 'allOf'].flatMap((word) => (schema[word] ?? []) as Schema[]);
  return new Set([
    ...Object.keys((schema.properties ?? {}) as object),
    ...parts.flatMap((part) => [...propertiesOf(part)]),
  ]);
}

/** What any operation may be answered, though not each says so. */
const ANYWHERE = new Set([401, 403, 404, 429, 500, 502, 503, 504]);

export function answerFaults({ raw }: Operation, status: number, body: Json): string[] {
  const listed = raw.responses[String(status)];
  if (!listed) return ANYWHERE.has(status) ? errorFaults(body) : [`GitHub never answers ${status}`];
  const schema = resolved<Response>(listed).content?.['application/json']?.schema;
  if (schema) return bodies.faults(schema, body);
  return status === 204 && body !== undefined ? ['a 204 has no body'] : [];
}

function errorFaults(body: Json): string[] {
  const schema = described.components.schemas['basic-error'];
  return schema ? bodies.faults(schema, body) : [];
}

function resolved<T>(one: T | Ref): T {
  if (typeof one !== 'object' || one === null || !('$ref' in one)) return one;
  const [, , kind = '', name = ''] = one.$ref.split('/');
  const found = (described.components as unknown as Record<string, Record<string, unknown>>)[kind]?.[name];
  if (found === undefined) throw new Error(`GitHub's description has no ${one.$ref}`);
  return found as T;
}
