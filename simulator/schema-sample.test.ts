import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { sampleOf } from './schema-sample.ts';

const schemas: Record<string, z.ZodType> = {
  'an object with required, optional and nested fields': z.object({
    city: z.string(),
    days: z.int().min(1).max(3),
    unit: z.enum(['c', 'f']).optional(),
    at: z.object({ lat: z.number().min(-90).max(-80), exact: z.boolean() }),
  }),
  'arrays with limits': z
    .array(z.object({ name: z.string().min(20).max(25) }))
    .min(2)
    .max(4),
  'a tuple': z.tuple([z.string(), z.int()]),
  'a union, a literal and null': z.object({ kind: z.literal('a'), value: z.union([z.int().gt(5), z.string()]), none: z.null() }),
  formats: z.object({ day: z.iso.date(), at: z.iso.datetime(), mail: z.email(), id: z.uuid(), link: z.url() }),
  'numbers below zero, multiples and narrow ranges': z.object({
    a: z.number().lt(-3),
    b: z.int().multipleOf(7).min(8),
    c: z.number().gt(0.5).lt(1.6),
  }),
  'an intersection': z.intersection(z.object({ a: z.string() }), z.object({ b: z.int() })),
  'a nullable field': z.object({ a: z.nullable(z.string()) }),
};

for (const [name, schema] of Object.entries(schemas))
  test(`a sample of ${name} satisfies it, for any seed`, () => {
    for (const seed of ['a', 'b', 'c', 'd', 'e']) {
      const sample = sampleOf(z.toJSONSchema(schema) as Record<string, unknown>, seed);
      assert.equal(schema.safeParse(sample).error, undefined, JSON.stringify(sample));
    }
  });

test('a recursive schema ends', () => {
  const tree = z.object({ name: z.string(), get children() { return z.array(tree); } }); // biome-ignore format: zod's own form
  assert.equal(tree.safeParse(sampleOf(z.toJSONSchema(tree) as Record<string, unknown>, 'x')).error, undefined);
  assert.doesNotThrow(() => JSON.stringify(sampleOf({ $ref: '#' }, 'x')));
});

test('the same seed gives the same sample, another one another', () => {
  const schema = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'number' } } };
  assert.deepEqual(sampleOf(schema, 'one'), sampleOf(schema, 'one'));
  assert.notDeepEqual(sampleOf(schema, 'one'), sampleOf(schema, 'two'));
});
