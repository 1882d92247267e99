// A value that satisfies a JSON schema, the same one each time for the same seed: what the simulator puts into the arguments of tool
// calls and into answers with a schema. Knows the keywords that the providers' structured output allows.

export type JsonSchema = Readonly<Record<string, unknown>> | boolean;

/** `seed` varies strings and numbers between calls; the shape depends on the schema alone. */
export function sampleOf(schema: JsonSchema, seed: string): unknown {
  return sample(schema, { root: schema, seed, depth: 0 });
}

type Context = { readonly root: JsonSchema; readonly seed: string; readonly depth: number };
type Keywords = Readonly<Record<string, unknown>>;

/** Below it optional properties are left out and arrays stay as short as they may, so that recursive schemas end. */
const maxDepth = 6;
const maxNesting = 64;
const maxItems = 100;

function sample(schema: JsonSchema, context: Context): unknown {
  if (typeof schema === 'boolean' || context.depth > maxNesting) return null;
  const inner = { ...context, depth: context.depth + 1 };
  if (typeof schema.$ref === 'string') return sample(resolved(schema.$ref, context.root), inner);
  if ('const' in schema) return schema.const;
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum[0];
  const combined = combination(schema, context);
  if (combined !== undefined) return sample(combined, inner);
  return samplers[typeOf(schema)]?.(schema, inner) ?? null;
}

const samplers: Record<string, (schema: Keywords, context: Context) => unknown> = {
  object: objectSample,
  array: (schema, context) => {
    const length = Math.min(Math.max(count(schema.minItems), context.depth > maxDepth ? 0 : 1), count(schema.maxItems, maxItems));
    const prefix = Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
    return Array.from({ length: Math.min(Math.max(length, prefix.length), maxItems) }, (_, index) =>
      sample((prefix[index] ?? schema.items ?? { type: 'string' }) as JsonSchema, seeded(context, String(index))),
    );
  },
  string: stringSample,
  integer: (schema, context) => numberSample(schema, context, 1),
  number: (schema, context) => numberSample(schema, context, 0.5),
  boolean: (_schema, context) => numberFrom(context.seed) % 2 === 0,
  null: () => null,
};

function objectSample(schema: Keywords, context: Context): Record<string, unknown> {
  const properties = (schema.properties ?? {}) as Record<string, JsonSchema>;
  const required = Array.isArray(schema.required) ? (schema.required as string[]) : [];
  const names = context.depth > maxDepth ? required : [...new Set([...Object.keys(properties), ...required])];
  return Object.fromEntries(names.map(name => [name, sample(properties[name] ?? { type: 'string' }, seeded(context, name))]));
}

const formats: Record<string, (seed: number) => string> = {
  date: seed => `2026-01-${String(1 + (seed % 28)).padStart(2, '0')}`,
  time: () => '12:30:00Z',
  'date-time': seed => `2026-01-${String(1 + (seed % 28)).padStart(2, '0')}T12:30:00Z`,
  duration: () => 'PT5M',
  email: seed => `person${seed % 100}@example.com`,
  hostname: () => 'example.com',
  uri: seed => `https://example.com/${seed % 100}`,
  uuid: seed => `00000000-0000-4000-8000-${String(seed % 1_000_000).padStart(12, '0')}`,
  ipv4: () => '192.0.2.1',
  ipv6: () => '2001:db8::1',
};

const words = ['amber', 'birch', 'cedar', 'delta', 'ember', 'fjord', 'grove', 'haven', 'inlet', 'jasper', 'Lisbon', 'Paris'];

function stringSample(schema: Keywords, context: Context): string {
  const seed = numberFrom(context.seed);
  const format = formats[String(schema.format)];
  if (format) return format(seed);
  const text = words[seed % words.length]!.padEnd(count(schema.minLength), '-');
  return text.slice(0, count(schema.maxLength, text.length));
}

function numberSample(schema: Keywords, context: Context, step: number): number {
  const multiple = typeof schema.multipleOf === 'number' && schema.multipleOf > 0 ? schema.multipleOf : step;
  const low = bound(schema.minimum) ?? shifted(schema.exclusiveMinimum, multiple);
  const high = bound(schema.maximum) ?? shifted(schema.exclusiveMaximum, -multiple);
  const wanted = (low ?? Math.min(0, high ?? 0)) + (numberFrom(context.seed) % 10) * multiple;
  const aligned = Math.ceil((high !== undefined && wanted > high ? (low ?? high) : wanted) / multiple) * multiple;
  return high !== undefined && aligned > high ? Math.floor(high / multiple) * multiple : aligned;
}

function combination(schema: Keywords, context: Context): JsonSchema | undefined {
  const { allOf, anyOf, oneOf, ...own } = schema;
  if (Array.isArray(allOf)) return merged([...(allOf as JsonSchema[]), own], context.root);
  const choices = [anyOf, oneOf].find(Array.isArray) as JsonSchema[] | undefined;
  if (!choices?.length) return undefined;
  const simplest = context.depth > maxDepth ? (choices.find(choice => typeOf(choice) === 'null') ?? choices[0]!) : choices[0]!;
  return merged([own, simplest], context.root);
}

function merged(schemas: readonly JsonSchema[], root: JsonSchema): JsonSchema {
  const objects = schemas
    .filter(schema => typeof schema === 'object')
    .map(schema => (typeof schema.$ref === 'string' ? resolved(schema.$ref, root) : schema))
    .filter(schema => typeof schema === 'object');
  return {
    ...Object.assign({}, ...objects),
    ...(objects.some(schema => schema.properties) && {
      properties: Object.assign({}, ...objects.map(schema => schema.properties)),
    }),
    ...(objects.some(schema => schema.required) && { required: [...new Set(objects.flatMap(schema => schema.required ?? []))] }),
  };
}

function resolved(reference: string, root: JsonSchema): JsonSchema {
  const steps = reference.replace(/^#\/?/, '').split('/').filter(Boolean);
  const found = steps.reduce<unknown>((at, step) => (at as Keywords | undefined)?.[unescaped(step)], root);
  return (found as JsonSchema | undefined) ?? true;
}

const unescaped = (step: string): string => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');

function typeOf(schema: JsonSchema): string {
  if (typeof schema === 'boolean') return 'null';
  if (Array.isArray(schema.type)) return String(schema.type.find(type => type !== 'null') ?? 'null');
  if (typeof schema.type === 'string') return schema.type;
  if (schema.properties || schema.required) return 'object';
  return schema.items ? 'array' : 'string';
}

const seeded = (context: Context, step: string): Context => ({ ...context, seed: `${context.seed}/${step}` });

const count = (value: unknown, otherwise = 0): number => (typeof value === 'number' && value >= 0 ? value : otherwise);
const bound = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const shifted = (value: unknown, by: number): number | undefined => (typeof value === 'number' ? value + by : undefined);

/** FNV-1a: a few bits to vary samples with, not a digest of anything. */
function numberFrom(seed: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < seed.length; index++) hash = Math.imul(hash ^ seed.charCodeAt(index), 0x01000193);
  return hash >>> 1;
}
