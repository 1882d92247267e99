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
  const { type, nullable, properties, items, anyOf, propertyOrdering: _order, example: _example, ...rest } = camelFields(node);
  const below = (value: unknown) => (isRecord(value) ? converted(value, depth + 1) : value);
  return {
    ...(typeof type === 'string' && { type: nullable === true ? [type.toLowerCase(), 'null'] : type.toLowerCase() }),
    ...Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, COUNTS.includes(name) ? Number(value) : value])),
    ...(isRecord(properties) && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, below(value)])),
    }),
    ...(items !== undefined && { items: below(items) }),
    ...(Array.isArray(anyOf) && { anyOf: anyOf.map(below) }),
  };
}
