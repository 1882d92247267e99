// How the values of the chart are written down: each with its default, what it may be, and a sentence. values.yaml, values.schema.json
// and the README's table are made of this (files.ts).

/** JSON Schema of one value. */
export type Schema = { readonly [keyword: string]: unknown };

export type Leaf = { readonly default: unknown; readonly schema: Schema; readonly about: string };
export type Section = { readonly about: string; readonly values: Values };
export type Values = { readonly [name: string]: Leaf | Section };

export const isLeaf = (value: Leaf | Section): value is Leaf => 'schema' in value;

export const section = (about: string, values: Values): Section => ({ about, values });

const leaf = (value: unknown, schema: Schema, about: string): Leaf => ({ default: value, schema, about });

export const text = (value: string, about: string, pattern?: string): Leaf =>
  leaf(value, { type: 'string', ...(pattern !== undefined && { pattern }) }, about);
export const flag = (value: boolean, about: string): Leaf => leaf(value, { type: 'boolean' }, about);
export const integer = (value: number, about: string, minimum: number, maximum: number): Leaf =>
  leaf(value, { type: 'integer', minimum, maximum }, about);
/** null: the process's own default. */
export const optionalInteger = (about: string, minimum: number, maximum: number): Leaf =>
  leaf(null, { type: ['integer', 'null'], minimum, maximum }, about);
export const choice = <T extends string | number>(value: T, about: string, options: readonly T[]): Leaf =>
  leaf(value, { enum: options }, `${about} One of ${options.map(option => `\`${option}\``).join(', ')}.`);
/** A number of pods, or a percentage of them. */
export const countOrShare = (value: string, about: string): Leaf =>
  leaf(value, { type: ['integer', 'string'], minimum: 0, pattern: '^[0-9]+%?$' }, about);
export const texts = (value: readonly string[], about: string, pattern?: string): Leaf =>
  leaf(value, { type: 'array', uniqueItems: true, items: { type: 'string', ...(pattern !== undefined && { pattern }) } }, about);
/** Names to texts: labels, annotations. */
export const dictionary = (about: string, value: Readonly<Record<string, string>> = {}): Leaf =>
  leaf(value, { type: 'object', additionalProperties: { type: 'string' } }, about);

// What goes into an object as it stands, and is checked by the API server.

/** A Kubernetes object of some kind, as its API has it. */
export const kubernetes = (about: string, value: object = {}): Leaf => leaf(value, { type: 'object' }, about);
/** A list of such objects. */
export const kubernetesList = (about: string, value: readonly object[] = []): Leaf =>
  leaf(value, { type: 'array', items: { type: 'object' } }, about);
/** A quantity of Kubernetes such as `8Gi`; empty: none. */
export const quantity = (value: string, about: string): Leaf => text(value, about, '^([0-9.]+([EPTGMk]i?|m)?)?$');
/** A duration as Prometheus has it. */
export const duration = (value: string, about: string): Leaf => text(value, about, '^([0-9]+(ms|s|m|h))*$');

/** `env` of a container. */
export const environment = (about: string): Leaf =>
  leaf(
    [],
    {
      type: 'array',
      items: {
        type: 'object',
        required: ['name'],
        additionalProperties: false,
        properties: { name: { type: 'string', minLength: 1 }, value: { type: 'string' }, valueFrom: { type: 'object' } },
      },
    },
    about,
  );
