// JSON schemas as Google takes them.

type Schema = Readonly<Record<string, unknown>>;

/** Deeper than any schema that Google takes; what is below stays as it is. */
const DEPTH_MAX = 64;

/** Values, not schemas: what stands there is the client's own data. */
const DATA: ReadonlySet<string> = new Set(['enum', 'default', 'examples', 'example', 'required', 'propertyOrdering']);
/** Their names are the client's own. */
const NAMED: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions', 'patternProperties']);

/**
 * The same, said as Google takes it. `const` is the one common keyword without which the rest would mean something else and that it does not know:
 * a list of one value says the same. Beside a `$ref` it refuses nearly all. The rest stays: Google takes a full JSON Schema and says which of it counts.
 */
export const googleSchema = (schema: Schema): Schema => converted(schema, 0) as Schema;

function converted(node: unknown, depth: number): unknown {
  if (typeof node !== 'object' || node === null || depth > DEPTH_MAX) return node;
  if (Array.isArray(node)) return node.map(item => converted(item, depth + 1));
  const fields = Object.entries(node).map(([name, value]): [string, unknown] => {
    if (name === 'const') return ['enum', [value]];
    if (DATA.has(name)) return [name, value];
    return [name, NAMED.has(name) ? named(value, depth) : converted(value, depth + 1)];
  });
  return withReferenceAlone(Object.fromEntries(fields));
}

/** "If a schema node has $ref set, then only description and default can be set alongside it." */
function withReferenceAlone({ $ref, ...beside }: Schema): Schema {
  if ($ref === undefined) return beside;
  const isTaken = Object.keys(beside).every(name => name.startsWith('$') || name === 'description' || name === 'default');
  return isTaken || 'anyOf' in beside ? { $ref, ...beside } : { ...beside, anyOf: [{ $ref }] };
}

/** Whether any value does for the arguments of a function, which for Google has no schema then. */
export const takesNothing = ({ type, properties, required, additionalProperties, ...rest }: Schema): boolean =>
  type === 'object' &&
  [properties, required].every(names => Object.keys(names ?? {}).length === 0) &&
  (additionalProperties === undefined || additionalProperties === false) &&
  Object.keys(rest).every(name => ANNOTATIONS.has(name));

const ANNOTATIONS: ReadonlySet<string> = new Set(['$schema', '$id', 'title', 'description']);

function named(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, converted(schema, depth + 1)]));
}
