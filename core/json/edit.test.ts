import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { editObject } from './edit.ts';
import { scanObject } from './scan.ts';

function viewOf(text: string) {
  const parsed = scanObject(Buffer.from(text), { maxDepth: 128, interpreted: new Set(), isUtf8 });
  assert.ok(parsed.ok);
  return parsed.value;
}
const edited = (text: string, edits: Record<string, string | null>) =>
  editObject(viewOf(text), new Map(Object.entries(edits))).toString();

test('a value is replaced in its place, all other bytes stay', () => {
  assert.equal(edited('{ "model" : "a" ,\n "x":[ 1 ] }\n', { model: '"bé"' }), '{ "model" : "bé" ,\n "x":[ 1 ] }\n');
});

test('a removed field takes exactly one comma along', () => {
  const text = '{ "a": 1, "b": 2 , "c":3 }';
  assert.equal(edited(text, { a: null }), '{ "b": 2 , "c":3 }');
  assert.equal(edited(text, { b: null }), '{ "a": 1 , "c":3 }');
  assert.equal(edited(text, { c: null }), '{ "a": 1, "b": 2 }');
  assert.equal(edited(text, { a: null, b: null }), '{ "c":3 }');
  assert.equal(edited(text, { b: null, c: null }), '{ "a": 1 }');
  assert.equal(edited(text, { a: null, c: null }), '{ "b": 2 }');
  assert.equal(edited(text, { a: null, b: null, c: null }), '{  }');
});

test('new fields come after the last one', () => {
  assert.equal(edited('{"a":1 }', { b: '{}', c: '"x"' }), '{"a":1,"b":{},"c":"x" }');
  assert.equal(edited(' { } ', { 'b"': '2' }), ' {"b\\"":2 } ');
  assert.equal(edited('{"a":1}', { a: null, b: '2' }), '{"b":2}');
  assert.equal(edited('{"a":1,"z":0}', { z: null, b: '2' }), '{"a":1,"b":2}');
});

test('editing nothing gives the same buffer back', () => {
  const view = viewOf('{"a":1}');
  assert.equal(editObject(view, new Map()), view.bytes);
  assert.equal(editObject(view, new Map([['absent', null]])), view.bytes);
});

const names = ['a', 'b', 'c', 'd', 'é', '__proto__'];
const pretty = fc.constantFrom(undefined, 1, '\t');

test('an edited body reads like the edited object, and its untouched fields keep their bytes', () => {
  const object = fc.uniqueArray(fc.tuple(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 2 })), {
    selector: ([name]) => name,
  });
  const edits = fc.array(fc.tuple(fc.constantFrom(...names), fc.option(fc.jsonValue({ maxDepth: 1 }))));
  fc.assert(
    fc.property(object, edits, pretty, (fields, changes, indent) => {
      const view = viewOf(JSON.stringify(Object.fromEntries(fields), null, indent));
      const texts = new Map(changes.map(([name, value]) => [name, value === null ? null : JSON.stringify(value)]));
      const expected = new Map([...view.fields.keys()].map(name => [name, JSON.stringify(view.get(name))]));
      for (const [name, text] of texts) text === null ? expected.delete(name) : expected.set(name, text);
      const result = viewOf(editObject(view, texts).toString());
      assert.deepEqual(new Map([...result.fields.keys()].map(name => [name, JSON.stringify(result.get(name))])), expected);
      for (const [name, field] of view.fields) {
        if (texts.has(name)) continue;
        const now = result.fields.get(name)!;
        assert.deepEqual(result.bytes.subarray(now.keyStart, now.end), view.bytes.subarray(field.keyStart, field.end));
      }
    }),
    { numRuns: 1000 },
  );
});
