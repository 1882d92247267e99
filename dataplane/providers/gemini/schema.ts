// JSON schemas as Google takes them.

type Schema = Readonly<Record<string, unknown>>;

/** Deeper than any schema that Google takes; what is below stays as it is. */
const DEPTH_MAX = 64;

/** Values, not schemas: what stands there is the client's own data. */
const DATA: ReadonlySet<string> = new Set(['enum', 'default', 'examples', 'example', 'required', 'propertyOrdering']);
/** Their names are the client's own. */
const NAMED: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions', 'patternProperties']);

/**
 * `const` is the one common keyword without which the rest would mean something else and that `responseJsonSchema` does not know: a list of
 * one value says the same. All else stays: Google takes a full JSON Schema and says which of it counts.
 */
export const responseSchema = (schema: Schema): Schema => withoutConst(schema, 0) as Schema;

function withoutConst(node: unknown, depth: number): unknown {
  if (typeof node !== 'object' || node === null || depth > DEPTH_MAX) return node;
  if (Array.isArray(node)) return node.map(item => withoutConst(item, depth + 1));
  return Object.fromEntries(
    Object.entries(node).map(([name, value]) => {
      if (name === 'const') return ['enum', [value]];
      if (DATA.has(name)) return [name, value];
      return [name, NAMED.has(name) ? named(value, depth) : withoutConst(value, depth + 1)];
    }),
  );
}

function named(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, withoutConst(schema, depth + 1)]));
}
