// Google's own form of schemas (a part of OpenAPI 3.0, with types in capitals) as JSON Schema, which all others take.
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { camelFields } from './spelling.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Deeper than any schema that a provider takes. */
const DEPTH_MAX = 64;

export const jsonSchema = (schema: JsonRecord): Schema => converted(schema, 0);

/** int64 fields of the protocol are texts in JSON. */
const COUNTS = ['maxItems', 'minItems', 'maxLength', 'minLength', 'maxProperties', 'minProperties'];

function converted(node: JsonRecord, depth: number): Schema {
  if (depth > DEPTH_MAX) return node;
  const { type: given, nullable, propertyOrdering: _order, example: _example, ...rest } = camelFields(node);
  const type = typeof given === 'string' && given !== 'TYPE_UNSPECIFIED' ? given.toLowerCase() : undefined;
  const plain = {
    ...(type !== undefined && { type }),
    ...Object.fromEntries(Object.entries(rest).map(([name, value]) => fieldOf(name, value, depth))),
  };
  return nullable === true ? orNull(plain) : plain;
}

function fieldOf(name: string, value: unknown, depth: number): readonly [string, unknown] {
  const below = (inner: unknown) => (isRecord(inner) ? converted(inner, depth + 1) : inner);
  switch (name) {
    case 'properties':
    case 'defs':
    case '$defs':
      return [name === 'properties' ? name : '$defs', isRecord(value) ? mapped(value, below) : value];
    case 'items':
    case 'additionalProperties':
      return [name, below(value)];
    case 'anyOf':
    case 'prefixItems':
      return [name, Array.isArray(value) ? value.map(below) : value];
    case 'ref':
      return ['$ref', value];
    default:
      return [name, COUNTS.includes(name) ? Number(value) : value];
  }
}

const mapped = (record: JsonRecord, of: (value: unknown) => unknown): JsonRecord =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, of(value)]));

/** In JSON Schema null is a type, and a value, like any other. */
function orNull({ type, anyOf, enum: values, ...rest }: Schema): Schema {
  return {
    ...(type !== undefined && { type: [type, 'null'] }),
    ...rest,
    ...(Array.isArray(values) && { enum: [...values, null] }),
    ...(Array.isArray(anyOf) && { anyOf: [...anyOf, { type: 'null' }] }),
  };
}
