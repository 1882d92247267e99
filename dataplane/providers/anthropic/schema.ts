// JSON schemas as structured outputs want them.

type Schema = Readonly<Record<string, unknown>>;

/** Deeper than any schema that Anthropic takes; what is below stays as it is. */
const DEPTH_MAX = 64;

/**
 * Every object must say `additionalProperties: false` (platform.claude.com, "Structured outputs"), which OpenAI asks for in strict
 * schemas only. Nothing else is changed: a keyword that Anthropic does not know is for it to refuse, not for us to ignore.
 */
export const closedSchema = (schema: Schema): Schema => closed(schema, 0) as Schema;

function closed(node: unknown, depth: number): unknown {
  if (typeof node !== 'object' || node === null || depth > DEPTH_MAX) return node;
  if (Array.isArray(node)) return node.map(item => closed(item, depth + 1));
  const entries = Object.entries(node).map(([name, value]) => [name, closed(value, depth + 1)] as const);
  const isOpen = (node as Schema).type === 'object' && !('additionalProperties' in node);
  return Object.fromEntries(isOpen ? [...entries, ['additionalProperties', false]] : entries);
}
