// kubeconform with schemas that are made from what an API server says of itself: none have to be fetched, and they are of the version that is tested.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { kubeconformPath } from '../../../tools/places.ts';
import type { ApiServer } from './api-server.ts';
import { type Ran, run } from './chart.ts';

type Schema = { readonly [keyword: string]: unknown };
type OpenApi = { readonly definitions: Readonly<Record<string, Schema>> };
type GroupVersionKind = { readonly group: string; readonly version: string; readonly kind: string };

const KINDS = 'x-kubernetes-group-version-kind';
const REFERENCE = '#/definitions/';

/**
 * Writes a schema for each kind that the server serves; the folder is for `kubeconform`.
 * @returns the kinds, as `group/Kind`
 */
export async function writeSchemas(server: ApiServer, folder: string): Promise<ReadonlySet<string>> {
  const { definitions } = await server.call<OpenApi>('GET', '/openapi/v2');
  const strict = Object.fromEntries(Object.entries(definitions).map(([name, schema]) => [name, strictly(schema)]));
  const written = new Set<string>();
  await mkdir(folder, { recursive: true });
  for (const [name, schema] of Object.entries(definitions)) {
    for (const { group, version, kind } of (schema[KINDS] as readonly GroupVersionKind[] | undefined) ?? []) {
      written.add(`${group}/${kind}`);
      // As kubeconform's {{.ResourceKind}}{{.KindSuffix}} has it.
      const file = `${[kind, group.split('.')[0], version].filter(part => part !== '').join('-')}.json`.toLowerCase();
      await writeFile(
        path.join(folder, file),
        JSON.stringify({ $ref: `${REFERENCE}${name}`, definitions: closure(name, strict) }),
      );
    }
  }
  return written;
}

/** Its output in words; a manifest of a kind without a schema is an error. */
export function kubeconform(folder: string, manifests: string): Promise<Ran> {
  const schemas = path.join(folder, '{{.ResourceKind}}{{.KindSuffix}}.json');
  return run(kubeconformPath()!, ['-strict', '-summary', '-verbose', '-schema-location', schemas], { input: manifests });
}

/** Objects take the fields that are known and no others. What is a number or a text says so in JSON Schema's words. */
function strictly({ properties, items, additionalProperties, ...schema }: Schema): Schema {
  if (schema.format === 'int-or-string') return { ...schema, type: ['integer', 'string'] };
  const isOpen = additionalProperties !== undefined || schema['x-kubernetes-preserve-unknown-fields'] === true;
  const fields = Object.entries((properties ?? {}) as Readonly<Record<string, Schema>>);
  return {
    ...schema,
    ...(properties !== undefined && { properties: Object.fromEntries(fields.map(([name, of]) => [name, strictly(of)])) }),
    ...(properties !== undefined && !isOpen && { additionalProperties: false }),
    ...(additionalProperties !== undefined && { additionalProperties: inner(additionalProperties) }),
    ...(items !== undefined && { items: inner(items) }),
  };
}

const inner = (schema: unknown): unknown => (typeof schema === 'object' ? strictly(schema as Schema) : schema);

/** The definition and all that it refers to. */
function closure(name: string, definitions: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  const visit = (definition: string): void => {
    if (definition in found) return;
    found[definition] = definitions[definition];
    for (const [, next] of JSON.stringify(definitions[definition]).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)) visit(next!);
  };
  visit(name);
  return found;
}
