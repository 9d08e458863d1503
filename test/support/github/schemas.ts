/** OpenAPI 3.0's dialect of JSON Schema, compiled by Ajv when it is first asked for. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';

export type Json = unknown;
export type Schema = Readonly<Record<string, unknown>>;

export interface Judge {
  /** What is wrong with a value, each with its place; nothing where it is right. */
  faults(schema: Schema, value: Json): string[];
}

/** @param named the schemas that others refer to as `#/components/schemas/NAME` */
export function createJudge(named: Readonly<Record<string, Schema>>, options: { readonly coerce: boolean }): Judge {
  const ajv = new Ajv({ strict: false, allErrors: true, logger: false, coerceTypes: options.coerce });
  addFormats.default(ajv);
  const compiled = new WeakMap<Schema, ValidateFunction>();
  const added = new Set<string>();

  /** Ajv knows `null` as a type; OpenAPI 3.0 has a word beside the type. */
  function converted(node: unknown): unknown {
    if (Array.isArray(node)) return node.map(converted);
    if (typeof node !== 'object' || node === null) return node;
    const { $ref, nullable, example: _, examples: __, ...rest } = node as Record<string, unknown>;
    if (typeof $ref === 'string') return { $ref: refer($ref) };
    const plain = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, inside(name, value)]));
    if (nullable !== true) return plain;
    if (typeof plain.type !== 'string') return { anyOf: [{ type: 'null' }, plain] };
    const values = Array.isArray(plain.enum) ? { enum: [...plain.enum, null] } : {};
    return { ...plain, ...values, type: [plain.type, 'null'] };
  }

  /** Names below `properties` are not words of the dialect. */
  function inside(name: string, value: unknown): unknown {
    if (name !== 'properties' || typeof value !== 'object' || value === null) return converted(value);
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, converted(one)]));
  }

  function refer(ref: string): string {
    const name = ref.replace('#/components/schemas/', '');
    if (!added.has(name)) {
      added.add(name);
      const schema = named[name];
      if (!schema) throw new Error(`GitHub's description has no ${ref}`);
      ajv.addSchema(converted(schema) as Schema, name);
    }
    return name;
  }

  return {
    faults(schema, value) {
      const validate = compiled.get(schema) ?? ajv.compile(converted(schema) as Schema);
      compiled.set(schema, validate);
      return validate(value) ? [] : (validate.errors ?? []).map(text);
    },
  };
}

function text({ instancePath, message, params }: ErrorObject): string {
  const more = 'allowedValues' in params ? `: ${String(params.allowedValues)}` : '';
  return `${instancePath === '' ? 'it' : instancePath} ${message}${more}`;
}
