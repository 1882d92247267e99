import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cpuMs } from '#test/support/cpu-time.ts';
import { splicedText, stringsIn, textOfString } from './strings.ts';

const texts = (json: string) => [...stringsIn(json)].map(({ start, end }) => textOfString(json, start, end));

/** All strings that are values, in the order of the text. */
function valuesOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(valuesOf) : [];
}

/** No names that are numbers: an object puts those first. */
const anyJson = fc
  .array(fc.jsonValue({ maxDepth: 4 }), { maxLength: 5 })
  .filter(value => !/"\d+":/.test(JSON.stringify(value)) && !JSON.stringify(value).includes('"__proto__"'));

test('every string that is a value is found, none that is a name', () => {
  fc.assert(
    fc.property(anyJson, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
      assert.deepEqual(texts(JSON.stringify(value, null, indent)), valuesOf(JSON.parse(JSON.stringify(value))));
    }),
    { numRuns: 1000 },
  );
});

test('escaped quotes and backslashes end no string', () => {
  assert.deepEqual(texts('{"a\\"b":"c\\"d","e\\\\":"f\\\\","g":"\\u0041\\\\\\""}'), ['c"d', 'f\\', 'A\\"']);
});

test('what is put in place of some changes nothing else', () => {
  fc.assert(
    fc.property(anyJson, fc.nat(), (value, which) => {
      const json = JSON.stringify(value, null, 1);
      const strings = [...stringsIn(json)];
      const one = strings[which % Math.max(1, strings.length)];
      if (!one) return;
      const changed = splicedText(json, [{ start: one.start, end: one.end, text: '"other"' }]);
      assert.equal(changed.slice(0, one.start), json.slice(0, one.start));
      assert.equal(changed.slice(one.start + 7), json.slice(one.end));
      assert.deepEqual(texts(changed), texts(json).with(strings.indexOf(one), 'other'));
    }),
  );
});

test('what is taken whole is not looked into', () => {
  const json = '{"a":"x","logs":[{"b":"y"},[]],"c":{"logs":{"d":"z"}},"e":"w","logs2":["v"]}';
  const taken: string[] = [];
  const strings = [
    ...stringsIn(json, { has: name => name === 'logs', take: (start, end) => taken.push(json.slice(start, end)) }),
  ];
  assert.deepEqual(
    strings.map(({ start, end }) => json.slice(start, end)),
    ['"x"', '"w"', '"v"'],
  );
  assert.deepEqual(taken, ['[{"b":"y"},[]]', '{"d":"z"}']);
});

test('any text takes time in proportion to its length', () => {
  const hostile: Readonly<Record<string, (size: number) => string>> = {
    'a long name and white space': size => `{"${'k'.repeat(size)}index":${' '.repeat(size)}1}`,
    'numbers that may be places': size => `{"a":{${'"index":1,'.repeat(size / 10)}${'"b":"",'.repeat(size / 10)}"c":""}}`,
    'small strings': size => `[${'"",'.repeat(size)}""]`,
    backslashes: size => `["${'\\\\'.repeat(size)}","${'\\"'.repeat(size)}"]`,
  };
  for (const [what, of] of Object.entries(hostile)) {
    const time = (size: number): number => {
      const json = of(size);
      return cpuMs(() => {
        for (const { start, end } of stringsIn(json)) assert.ok(end > start);
      });
    };
    const small = time(8_000);
    const large = time(64_000);
    // Eight times the text; sixty-four times the time would be quadratic.
    assert.ok(large < small * 30 + 50, `${what}: ${small.toFixed(1)} ms, then ${large.toFixed(1)} ms`);
  }
});
