// The generated CRDs as the API server will look at them: structural, bounded, every rule worded.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crdOf, type SchemaNode } from './crd.ts';
import { KINDS } from './index.ts';
import { readSpec } from './read.ts';

type Place = { readonly path: string; readonly node: SchemaNode };

function* placesIn(node: SchemaNode, path: string): Generator<Place> {
  yield { path, node };
  for (const [name, child] of Object.entries(node.properties ?? {})) yield* placesIn(child, `${path}.${name}`);
  if (node.items) yield* placesIn(node.items, `${path}[]`);
  if (typeof node.additionalProperties === 'object') yield* placesIn(node.additionalProperties, `${path}.*`);
}

type Validation = { readonly rule: string; readonly message: string };
const rulesOf = (node: SchemaNode) => (node['x-kubernetes-validations'] ?? []) as readonly Validation[];

for (const kind of KINDS) {
  const { spec, status } = crdOf(kind).spec.versions[0]!.schema.openAPIV3Schema.properties;
  const places = [...placesIn(spec, 'spec'), ...placesIn(status, 'status')];
  const withoutBound = (isOpen: (node: SchemaNode) => boolean) =>
    places.filter(({ node }) => isOpen(node)).map(({ path }) => path);

  describe(`the CRD of ${kind}`, () => {
    test('has a type everywhere, and nothing that a structural schema cannot hold', () => {
      assert.deepEqual(
        withoutBound(node => typeof node.type !== 'string'),
        [],
      );
      const forbidden = [
        'propertyNames',
        'oneOf',
        'anyOf',
        'allOf',
        'not',
        'const',
        '$ref',
        '$schema',
        'definitions',
        'nullable',
      ];
      assert.deepEqual(
        withoutBound(node => forbidden.some(word => word in node)),
        [],
      );
      assert.deepEqual(
        withoutBound(node => node.additionalProperties !== undefined && node.properties !== undefined),
        [],
      );
      assert.deepEqual(
        withoutBound(node => typeof node.additionalProperties === 'boolean'),
        [],
      );
    });

    test('bounds every list, string, mapping and number, so that the rules have a cost', () => {
      assert.deepEqual(
        withoutBound(node => node.type === 'array' && typeof node.maxItems !== 'number'),
        [],
      );
      assert.deepEqual(
        withoutBound(node => node.type === 'string' && node.enum === undefined && typeof node.maxLength !== 'number'),
        [],
      );
      assert.deepEqual(
        withoutBound(node => node.additionalProperties !== undefined && typeof node.maxProperties !== 'number'),
        [],
      );
      assert.deepEqual(
        withoutBound(node => node.type === 'integer' && (typeof node.minimum !== 'number' || typeof node.maximum !== 'number')),
        [],
      );
    });

    test('explains every field', () => {
      const fields = places.filter(({ path }) => !path.endsWith('[]') && !path.endsWith('.*'));
      assert.deepEqual(
        fields.filter(({ node }) => !node.description).map(({ path }) => path),
        [],
      );
    });

    test('tells the items of a keyed list apart by a field that is always there', () => {
      for (const { path, node } of places) {
        if (node['x-kubernetes-list-type'] !== 'map') continue;
        const [key] = node['x-kubernetes-list-map-keys'] as string[];
        assert.ok(node.items?.required?.includes(key!), path);
      }
    });

    test('names only fields that exist in its rules, and says each in one line', () => {
      for (const { path, node } of places) {
        for (const { rule, message } of rulesOf(node)) {
          assert.match(message, /^[^\n]{8,200}$/, path);
          for (const [, name] of rule.matchAll(/\bself\.([A-Za-z]+)/g))
            if (node.properties) assert.ok(node.properties[name!], `${path}: ${rule}`);
        }
      }
    });

    test('shows a new object as Unknown and Pending until the operator has seen it', () => {
      const { conditions } = status.default as { conditions: { type: string; status: string; reason: string }[] };
      assert.deepEqual(
        conditions.map(condition => `${condition.type} ${condition.status} ${condition.reason}`),
        ['Accepted Unknown Pending', 'ResolvedRefs Unknown Pending', 'Programmed Unknown Pending', 'Ready Unknown Pending'],
      );
    });
  });
}

test('parameters.set keeps whatever stands in it', () => {
  const { spec } = crdOf('LLMProvider').spec.versions[0]!.schema.openAPIV3Schema.properties;
  const set = spec.properties?.parameters?.properties?.set;
  assert.deepEqual(
    [set?.type, set?.['x-kubernetes-preserve-unknown-fields'], set?.additionalProperties],
    ['object', true, undefined],
  );
});

test('no default or enum value is a boolean of YAML 1.1', () => {
  for (const kind of KINDS) {
    const { spec } = crdOf(kind).spec.versions[0]!.schema.openAPIV3Schema.properties;
    for (const { node } of placesIn(spec, 'spec'))
      for (const value of node.enum ?? []) assert.doesNotMatch(value, /^(on|off|yes|no|y|n|true|false)$/i);
  }
});

test('the words of a complaint never repeat what was written, which may be a secret', () => {
  const read = readSpec('TenantKey', { tenant: 'acme', digest: 'sk-a-plaintext-key', alias: 5 });
  assert.ok(!read.ok);
  assert.deepEqual(
    read.complaints.map(({ path, message }) => `${path.join('.')}: ${message}`),
    ['spec.alias: must be a string, not a number: put it in quotes', 'spec.digest: must be sha256: and 64 lower-case hex digits'],
  );
});
