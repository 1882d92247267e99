// The schemas as CustomResourceDefinitions: zod's OpenAPI 3.0 output, made structural.
import * as z from 'zod';
import { API_GROUP, API_VERSION_NAME, type Kind, kinds } from './index.ts';

/** A JSON schema node, as plain data. */
export type SchemaNode = {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly [key: string]: unknown;
};

/** What a spec or a status may hold, as the API server reads it. */
export function structuralSchema(schema: z.ZodType): SchemaNode {
  const json = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'any' });
  return structural(json as SchemaNode);
}

/**
 * Zod says two things that a structural schema cannot hold: `additionalProperties: false` beside properties (the API server drops
 * unknown fields itself) and `propertyNames`. A default of `{}` is left out: it would only store an empty mapping in every object.
 */
function structural(node: SchemaNode): SchemaNode {
  const { additionalProperties, propertyNames: _, properties, items, pattern, default: preset, ...rest } = node;
  const keepsUnknown = node['x-kubernetes-preserve-unknown-fields'] === true;
  return {
    ...rest,
    ...(typeof pattern === 'string' && { pattern: pattern.replaceAll('\\/', '/') }),
    ...(preset !== undefined && !isEmpty(preset) && { default: preset }),
    ...(typeof additionalProperties === 'object' && !keepsUnknown && { additionalProperties: structural(additionalProperties) }),
    ...(properties && { properties: mapValues(properties, structural) }),
    ...(items && { items: structural(items) }),
  };
}

const isEmpty = (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).length === 0;
const mapValues = <T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

/** The whole manifest of a kind's definition. */
export function crdOf(kind: Kind) {
  const { plural, singular, shortName, description, columns, spec, status } = kinds[kind];
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${API_GROUP}` },
    spec: {
      group: API_GROUP,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames: [shortName], categories: ['tollgate'] },
      versions: [
        {
          name: API_VERSION_NAME,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description,
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string', description: 'Version of the schema.' },
                kind: { type: 'string', description: 'Kind of the object.' },
                metadata: { type: 'object' },
                spec: structuralSchema(spec),
                status: structuralSchema(status),
              },
            },
          },
        },
      ],
    },
  };
}
