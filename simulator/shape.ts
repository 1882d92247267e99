// Describes what a wire accepts as small tables, and says what is wrong with a value that does not fit. It knows no provider:
// each wire words the problem the way its provider does.

/** A step that names the variant of a tagged union (`text` in `content.0.text.foo`): some providers print it, some do not. */
export type Step = string | number | { readonly variant: string };

export type Problem = { readonly path: readonly Step[] } & (
  | { readonly kind: 'unknown' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'type'; readonly expected: TypeName; readonly got: unknown }
  | { readonly kind: 'choice'; readonly allowed: readonly string[]; readonly got: unknown; readonly tag?: string }
  | {
      readonly kind: 'range';
      readonly limit: number;
      readonly side: 'min' | 'max';
      readonly of: 'number' | 'integer';
      readonly got: number;
    }
  | {
      readonly kind: 'size';
      readonly limit: number;
      readonly side: 'min' | 'max';
      readonly of: 'string' | 'array';
      readonly got: number;
    }
  | { readonly kind: 'pattern'; readonly pattern: string; readonly got: string }
);

export type TypeName = 'string' | 'number' | 'integer' | 'boolean' | 'array' | 'object' | 'string or array';

export type Shape = (value: unknown) => Problem | undefined;

/** A body or a part of it after its tables have checked it; the checks are the types. */
// biome-ignore lint/suspicious/noExplicitAny: what the tables have checked, the compiler cannot know.
export type Json = Record<string, any>;

export const anything: Shape = () => undefined;
export const flag: Shape = value => (typeof value === 'boolean' ? undefined : wrongType('boolean', value));
export const number = (min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY): Shape => ranged('number', min, max);
export const integer = (min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY): Shape => ranged('integer', min, max);

export function text(limits: { readonly min?: number; readonly max?: number; readonly pattern?: RegExp } = {}): Shape {
  return value => {
    if (typeof value !== 'string') return wrongType('string', value);
    return (
      outOfSize('string', value.length, limits.min, limits.max) ??
      (limits.pattern && !limits.pattern.test(value)
        ? { kind: 'pattern', path: [], pattern: limits.pattern.source, got: value }
        : undefined)
    );
  };
}

export function oneOf(...allowed: readonly string[]): Shape {
  return value => (allowed.includes(value as string) ? undefined : { kind: 'choice', path: [], allowed, got: value });
}

export const nullable =
  (shape: Shape): Shape =>
  value =>
    value === null ? undefined : shape(value);

export function list(item: Shape, limits: { readonly min?: number; readonly max?: number } = {}): Shape {
  return value => {
    if (!Array.isArray(value)) return wrongType('array', value);
    const size = outOfSize('array', value.length, limits.min, limits.max);
    if (size) return size;
    for (let index = 0; index < value.length; index++) {
      const problem = item(value[index]);
      if (problem) return under(index, problem);
    }
    return undefined;
  };
}

export function textOr(items: Shape): Shape {
  return value => {
    if (typeof value === 'string') return undefined;
    return Array.isArray(value) ? items(value) : wrongType('string or array', value);
  };
}

type Fields = Readonly<Record<string, Shape>>;

/** `open`: fields that are in neither table are let through, as vLLM does. */
export function object(required: Fields, optional: Fields = {}, open = false): Shape {
  const requiredNames = Object.keys(required);
  return value => {
    if (!isRecord(value)) return wrongType('object', value);
    for (const name of requiredNames) if (value[name] === undefined) return { kind: 'missing', path: [name] };
    for (const name in value) {
      const shape = own(required, name) ?? own(optional, name);
      if (!shape && !open) return { kind: 'unknown', path: [name] };
      const problem = value[name] === undefined ? undefined : shape?.(value[name]);
      if (problem) return under(name, problem);
    }
    return undefined;
  };
}

export function mapOf(item: Shape, max: number): Shape {
  return value => {
    if (!isRecord(value)) return wrongType('object', value);
    const size = outOfSize('array', Object.keys(value).length, undefined, max);
    if (size) return size;
    for (const name in value) {
      const problem = item(value[name]);
      if (problem) return under(name, problem);
    }
    return undefined;
  };
}

/** One of several objects, told apart by the text in their field `tag`. `otherwise` is the variant where the tag may be absent. */
export function tagged(tag: string, variants: Readonly<Record<string, Shape>>, otherwise?: string): Shape {
  const allowed = Object.keys(variants);
  return value => {
    if (!isRecord(value)) return wrongType('object', value);
    const name = value[tag] ?? otherwise;
    if (name === undefined) return { kind: 'missing', path: [tag] };
    const shape = typeof name === 'string' ? own(variants, name) : undefined;
    if (!shape) return { kind: 'choice', path: [], allowed, got: name, tag };
    const problem = shape(value);
    return problem && under({ variant: String(name) }, problem);
  };
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const under = (step: Step, problem: Problem): Problem => ({ ...problem, path: [step, ...problem.path] });

const wrongType = (expected: TypeName, got: unknown): Problem => ({ kind: 'type', path: [], expected, got });

const own = (fields: Fields, name: string): Shape | undefined => (Object.hasOwn(fields, name) ? fields[name] : undefined);

function ranged(of: 'number' | 'integer', min: number, max: number): Shape {
  return value => {
    if (typeof value !== 'number' || (of === 'integer' && !Number.isInteger(value))) return wrongType(of, value);
    if (value < min) return { kind: 'range', path: [], limit: min, side: 'min', of, got: value };
    return value > max ? { kind: 'range', path: [], limit: max, side: 'max', of, got: value } : undefined;
  };
}

function outOfSize(of: 'string' | 'array', got: number, min = 0, max = Number.POSITIVE_INFINITY): Problem | undefined {
  if (got < min) return { kind: 'size', path: [], limit: min, side: 'min', of, got };
  return got > max ? { kind: 'size', path: [], limit: max, side: 'max', of, got } : undefined;
}
