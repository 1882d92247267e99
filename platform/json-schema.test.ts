import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { schemaCheck } from './json-schema.ts';

const fitsSchema = schemaCheck();

const person = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: { name: { type: 'string' }, age: { $ref: '#/$defs/age' }, tags: { type: 'array', items: { enum: ['a', 'b'] } } },
  required: ['name', 'age'],
  additionalProperties: false,
  $defs: { age: { type: 'integer', minimum: 0 } },
};

describe('a value fits a schema', () => {
  test('where it has what the schema asks for and nothing else', () => {
    assert.ok(fitsSchema(person, { name: 'Ada', age: 36, tags: ['a'] }));
    for (const bad of [
      { name: 'Ada' },
      { name: 'Ada', age: -1 },
      { name: 'Ada', age: 36.5 },
      { name: 'Ada', age: 36, tags: ['c'] },
      { name: 'Ada', age: 36, more: true },
      [],
      'Ada',
      null,
    ])
      assert.equal(fitsSchema(person, bad), false, JSON.stringify(bad));
  });

  test('of any kind, where the schema asks for nothing', () => {
    assert.ok(fitsSchema({}, null));
  });

  test('never, where the schema makes no sense', () => {
    assert.equal(fitsSchema({ $ref: '#/nowhere' }, {}), false);
    assert.equal(fitsSchema({ pattern: '(' }, 'x'), false);
    assert.equal(fitsSchema({ $ref: '#' }, {}), false);
  });
});

describe('a hostile schema is given up in bounded time:', () => {
  const doubling = Object.fromEntries(
    Array.from({ length: 64 }, (_, i) => [`d${i}`, { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] }]),
  );
  const hostile: readonly [string, Record<string, unknown>, unknown][] = [
    ['a pattern that backtracks', { type: 'string', pattern: '^(a+)+$' }, `${'a'.repeat(64)}!`],
    ['references that multiply', { $ref: '#/$defs/d0', $defs: { ...doubling, d64: { type: 'string' } } }, 'x'],
    ['items that are all compared', { uniqueItems: true }, Array.from({ length: 100_000 }, (_, i) => ({ i }))],
  ];
  for (const [name, schema, value] of hostile)
    test(name, () => {
      const startedAt = performance.now();
      assert.equal(fitsSchema(schema, value), false);
      // Fifty milliseconds of work; the rest is for machines that do other things as well.
      assert.ok(performance.now() - startedAt < 2000);
    });

  test('and the next check is not harmed by it', () => {
    assert.ok(fitsSchema(person, { name: 'Ada', age: 36 }));
  });
});
