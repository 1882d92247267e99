import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ScanLimits, scanObject } from './scan.ts';

const limits: ScanLimits = { maxDepth: 128, interpreted: new Set(['model', 'stream', 'messages']), isUtf8 };
const scan = (text: string | Buffer, more: Partial<ScanLimits> = {}) =>
  scanObject(typeof text === 'string' ? Buffer.from(text) : text, { ...limits, ...more });

function accepted(text: string | Buffer, more?: Partial<ScanLimits>) {
  const parsed = scan(text, more);
  assert.ok(parsed.ok, parsed.ok ? '' : `${parsed.failure.message} <- ${String(text).slice(0, 200)}`);
  return parsed.value;
}

function refusal(text: string | Buffer, more?: Partial<ScanLimits>) {
  const parsed = scan(text, more);
  assert.ok(!parsed.ok, `accepted: ${String(text).slice(0, 200)}`);
  assert.equal(parsed.failure.class, 'invalid_request');
  return parsed.failure;
}

test('top-level fields are found with their exact ranges', () => {
  const text = ' { "model" : "gpt-4o" ,\n\t"n":[1, {"model":2}],"é":-0.5e+3 } \r\n';
  const view = accepted(text);
  const bytes = Buffer.from(text);
  const cut = [...view.fields].map(([name, f]) => [
    name,
    bytes.toString('utf8', f.keyStart, f.keyEnd),
    bytes.toString('utf8', f.start, f.end),
  ]);
  assert.deepEqual(cut, [
    ['model', '"model"', '"gpt-4o"'],
    ['n', '"n"', '[1, {"model":2}]'],
    ['é', '"é"', '-0.5e+3'],
  ]);
  assert.deepEqual(view.get('n'), [1, { model: 2 }]);
});

test('escaped keys are known by their decoded name', () => {
  assert.equal(accepted('{"mod\\u0065l":"x"}').get('model'), 'x');
});

test('__proto__ is a key like any other', () => {
  const view = accepted('{"__proto__":{"a":1},"constructor":2}');
  assert.deepEqual([...view.fields.keys()], ['__proto__', 'constructor']);
  assert.deepEqual(view.get('__proto__'), { a: 1 });
  assert.equal(({} as Record<string, unknown>).a, undefined);
});

// The cases of JSONTestSuite (nst/JSONTestSuite), as values of one field: n_ must be refused, y_ accepted.
// biome-ignore format: one case a line would hide the table
const refusedValues = [
  '', '[1 true]', '[a]', '["": 1]', '[""],', '[,1]', '[1,,2]', '["x",,]', '["x"]]', '["",]', '["x"', '[x', '[3[4]]', '[1:2]',
  '[,]', '[-]', '[   , ""]', '["a",\n4\n,1,', '[1,]', '[1,\n1\n,1', '[{}', '[fals]', '[nul]', '[tru]', 'nulll', 'True',
  '++1234', '+1', '+Inf', '-01', '-1.0.', '-2.', '-NaN', '.-1', '.2e-3', '0.1.2', '0.3e+', '0.3e', '0.e1', '0E+', '0E',
  '1.0e+', '1.0e-', '1.0e', '1 000.0', '1eE2', '2.e+3', '2.e-3', '2.e3', '9.e+', 'Inf', 'NaN', '１', '1+2', '0x1', '0x42',
  'Infinity', '0e+-1', '-123.123foo', '-Infinity', '-foo', '- 1', '-012', '-.123', '-1x', '1ea', '1e1é', '1.', '.123',
  '1.2a-3', '1.8011670033376514H-308', '012', '{[: "x"}', '{"x", null}', '{"x"::"b"}', '{🇨🇭}', '{"a":"a" 123}',
  "{key: 'value'}", '{"a" b}', '{:"b"}', '{"a" "b"}', '{"a":', '{"a"', '{1:1}', '{9999E9999:1}', '{null:null,null:null}',
  '{"id":0,,,,,}', "{'a':0}", '{"id":0,}', '{"a":"b"}/**/', '{"a":"b"}#', '{"a":"b",,"c":"d"}', '{a: "b"}', '{"a":"a',
  '{ "foo" : "bar", "a" }', '["\\uD800\\"]', '["\\uD800\\u"]', '["\\uD800\\u1"]', '["\\uD800\\u1x"]', '[é]', '["\\x00"]',
  '["\\\\\\"]', '["\\\t"]', '["\\🌀"]', '["\\"]', '["\\u00A"]', '["\\uD834\\uDd"]', '["\\uD800\\uD800\\x"]', '["\\a"]',
  '["\\uqqqq"]', '[\\u0020"asd"]', '[\\n]', '"', "['single quote']", 'abc', '["\\', '["a\u0000a"]', '["new\nline"]',
  '"\\UA66D"', '["\t"]', '["\u001f"]', '<.>', '[<null>]', '[1]x', '[1]]', '["asd]', 'aå', '[True]', '1]', '{"x": true,',
  '[][]', ']', '⁠', '\uFEFF1', '[', '[\u000c]', '[\u00a0]', '{"":', '[1', '[ false, nul', '[ true, fals', '{"asd":"asd"',
  'undefined',
];
// biome-ignore format: one case a line would hide the table
const acceptedValues = [
  '[[]   ]', '[""]', '[]', '["a"]', '[false]', '[null, 1, "1", {}]', '[null]', '[1\n]', ' [1]', '[1,null,null,null,2]', '[2] ',
  '123e65', '0e+1', '0e1', ' 4', '-0.000000000000000000000000000000000000000000000000000000000000000000000000000000000001',
  '20e1', '-0', '-123', '-1', '1E22', '1E-2', '1E+2', '123e45', '123.456e78', '1e-2', '1e+2', '123', '123.456789',
  '{"asd":"sdf", "dfg":"fgh"}', '{}', '{"":0}', '{"foo\\u0000bar": 42}', '{ "min": -1.0e+28, "max": 1.0e+28 }',
  '{"x":[{"id": "xxxx"}], "id": "x"}', '{"a":[]}', '{\n"a": "b"\n}', '["\\u0060\\u012a\\u12AB"]', '["\\uD801\\udc37"]',
  '["\\"\\\\\\/\\b\\f\\n\\r\\t"]', '["\\\\u0000"]', '["\\""]', '["a/*b*/c/*d//e"]', '["\\\\a"]', '["\\\\n"]', '["\\u0012"]',
  '["\\uFFFF"]', '["asd"]', '[ "asd"]', '["\\uDBFF\\uDFFF"]', '["new\\u00A0line"]', '["\u{10ffff}"]', '["\uffff"]',
  '["\\u0000"]', '["\\u002c"]', '["π"]', '["asd "]', '" "', '["\u2028\u2029"]', '["\\u0821"]', '["\\uD800"]', '["\\uDFAA"]',
  '["\\uDd1e\\uD834"]', '["€𝄞"]', '["aa\u007Fa"]', 'false', '42', '-0.1', 'null', '"asd"', 'true', '""', '1e9999',
];

test('what the grammar of RFC 8259 does not know is refused', () => {
  for (const value of refusedValues) {
    refusal(`{"v":${value}}`);
    refusal(`{"v":${value}`);
  }
});

test('what the grammar of RFC 8259 knows is accepted', () => {
  for (const value of acceptedValues) assert.deepEqual(accepted(`{"v":${value}}`).get('v'), JSON.parse(value));
});

test('every beginning of a body is refused', () => {
  const text = '{"a":[1.5e+3,"x\\u00e9\\n",{"b":null,"c":[true,false]}], "d" : "é"}';
  accepted(text);
  for (let end = 0; end < text.length; end++) refusal(text.slice(0, end));
});

test('a body that is not an object is refused', () => {
  for (const text of ['', ' ', '[]', '"x"', '1', 'null', '\uFEFF{}'])
    assert.match(refusal(text).message, /must be a JSON object/);
});

test('a syntax error is told with its byte, line and column', () => {
  assert.match(refusal('{\n  "é": 1,\n  "é2": tru }').message, /\(byte \d+, line 3, column 12\)/);
  assert.match(refusal('{"a":1').message, /ends too soon \(byte 6, line 1, column 7\)/);
});

test('invalid UTF-8 is refused', () => {
  for (const bad of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf4, 0x90, 0x80, 0x80]]) {
    const text = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bad), Buffer.from('"}')]);
    assert.match(refusal(text).message, /UTF-8/);
  }
});

test('a control character is found wherever it stands in a string', () => {
  for (const length of [1, 31, 32, 33, 34, 100, 131]) {
    for (let at = 0; at < length; at++) {
      const text = `${'x'.repeat(at)}\u001f${'é'.repeat(length - at)}`;
      assert.match(refusal(`{"a":"${text}"}`).message, /control character/);
      accepted(`{"a":"${text.replace('\u001f', ' ')}"}`);
    }
  }
});

test('a string is read alike at every alignment of the buffer', () => {
  const text = `{"a":"${'x'.repeat(70)}\\n${'y'.repeat(70)}","b":"${'z'.repeat(40)}"}`;
  for (let shift = 0; shift < 8; shift++) {
    const bytes = Buffer.from(' '.repeat(shift) + text).subarray(shift);
    assert.deepEqual(accepted(bytes).whole(), JSON.parse(text));
    const broken = Buffer.from(bytes);
    broken[60] = 9;
    refusal(broken);
  }
});

test('a duplicate key is refused at any depth, with its path', () => {
  const nested = refusal('{"messages":[{"role":"user"},{"role":"x","content":[{"type":"text","type":"image"}]}]}');
  assert.equal(nested.param, 'messages[1].content[0].type');
  assert.match(nested.message, /"type" .* messages\[1\]\.content\[0\]\.type/);
  assert.equal(refusal('{"a":1,"\\u0061":2}').param, 'a');
  assert.equal(refusal('{"\\ud83d\\ude00":1,"😀":2}').param, '😀');
  assert.equal(refusal('{"":1,"":2}').param, '');
});

test('keys that only look alike are not duplicates', () => {
  accepted('{"a":1,"A":2,"á":3,"a\\u0301":4,"a ":5,"\\ud800":6,"\\ud801":7,"\\ufffd":8,"\\\\u0061":9}');
  accepted('{"a":{"a":{"a":[{"a":1},{"a":2}]}},"b":{"a":1}}');
  // Java's hash, and ours, is the same for these.
  accepted('{"Aa":1,"BB":2}');
});

test('a duplicate is found among 100,000 keys', () => {
  const keys = Array.from({ length: 100_000 }, (_, i) => `"key-${i}":${i}`);
  assert.equal(accepted(`{${keys.join(',')}}`).fields.size, 100_000);
  assert.equal(refusal(`{"o":{${keys.join(',')},"key-\\u0035":0}}`).param, 'o.key-5');
});

test('case variants of a field that the gateway reads are refused at the top level only', () => {
  for (const name of ['Model', 'MODEL', 'mod\\u0045l', 'meſſages', 'ſtream']) {
    assert.match(refusal(`{"${name}":1}`).message, /must be written "(model|messages|stream)"/);
  }
  assert.equal(refusal('{"model":"a","Model":"b"}').param, 'Model');
  accepted('{"model":"a","metadata":{"Model":1},"Temperature":1}');
});

test('depth is bounded by the limit, not by the stack', () => {
  const deep = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
  accepted(deep(128));
  assert.match(refusal(deep(129)).message, /more than 128 levels/);
  accepted(deep(10_000), { maxDepth: 10_000 });
  accepted(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`, { maxDepth: 10_000 });
  assert.match(refusal('{"a":['.repeat(1_000_000)).message, /more than 128 levels/);
});

test('a path that names a duplicate stays short', () => {
  const text = `${`{"${'k'.repeat(50)}":`.repeat(100)}{"a":1,"a":2}${'}'.repeat(100)}`;
  const { message, param } = refusal(text);
  assert.ok(message.length < 500 && param!.length < 250);
});

// ---------------------------------------------------------------- against JSON.parse

const space = fc.array(fc.constantFrom(' ', '\n', '\r', '\t'), { maxLength: 2 }).map(parts => parts.join(''));
const escapedText = fc.array(fc.tuple(fc.string({ unit: 'binary', maxLength: 3 }), fc.boolean()), { maxLength: 5 }).map(parts => {
  const spelt = parts.map(([text, escaped]) => {
    if (!escaped) return JSON.stringify(text.toWellFormed()).slice(1, -1);
    return [...Array(text.length).keys()].map(i => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
  });
  return `"${spelt.join('')}"`;
});
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(n => JSON.stringify(n)),
  fc.constantFrom('-0', '0.0', '1E5', '1e+05', '12.5E-1', '123456789012345678901234567890'),
);
const list = (open: string, close: string, item: fc.Arbitrary<string>) =>
  fc.tuple(fc.array(item, { maxLength: 4 }), space).map(([items, gap]) => `${open}${gap}${items.join(`${gap},`)}${gap}${close}`);
const { object: jsonObject } = fc.letrec<{ value: string; object: string }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('true', 'false', 'null', '""'),
    number,
    escapedText,
    list('[', ']', tie('value')),
    tie('object'),
  ),
  object: list(
    '{',
    '}',
    fc
      .tuple(fc.oneof(escapedText, fc.constantFrom('"a"', '"\\u0061"', '"b"')), space, tie('value'))
      .map(([key, gap, value]) => `${key}${gap}:${gap}${value}`),
  ),
}));

/** The slow, obvious reading: JSON.parse, and a reviver that cannot see duplicates, so keys are counted in the text of a re-parse. */
function reference(text: string): { valid: boolean; value?: Record<string, unknown> } {
  try {
    const value = JSON.parse(text);
    return { valid: value !== null && typeof value === 'object' && !Array.isArray(value) && !hasDuplicate(text), value };
  } catch {
    return { valid: false };
  }
}

/** For valid JSON: reads strings one after another; one that a colon follows is a key of the innermost brace. */
function hasDuplicate(text: string): boolean {
  const open: Set<string>[] = [];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[{}]/gs)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (token.endsWith(':')) {
      const key = JSON.parse(token.slice(0, -1)) as string;
      if (open.at(-1)!.has(key)) return true;
      open.at(-1)!.add(key);
    }
  }
  return false;
}

function agrees(text: string): void {
  const expected = reference(text);
  const parsed = scan(text, { interpreted: new Set(), maxDepth: 1000 });
  assert.equal(parsed.ok, expected.valid, `${JSON.stringify(text)} ${parsed.ok ? '' : parsed.failure.message}`);
  if (!parsed.ok) return;
  assert.deepEqual([...parsed.value.fields.keys()].sort(), Object.keys(expected.value!).sort());
  for (const name of parsed.value.fields.keys()) assert.deepEqual(parsed.value.get(name), expected.value![name]);
}

test('random JSON with random spelling is read as JSON.parse reads it', () => {
  fc.assert(fc.property(jsonObject, agrees), { numRuns: 1500 });
});

test('random damage is refused exactly where JSON.parse refuses it', () => {
  const piece = fc.constantFrom(
    '"',
    '\\',
    ',',
    ':',
    '{',
    '}',
    '[',
    ']',
    '0',
    '1',
    '-',
    '.',
    'e',
    'u',
    ' ',
    '\n',
    '\u0001',
    'true',
    'é',
    '',
  );
  const damage = fc.tuple(jsonObject, fc.nat(), fc.nat({ max: 3 }), piece);
  fc.assert(
    fc.property(damage, ([text, where, cut, put]) => {
      const at = where % (text.length + 1);
      agrees((text.slice(0, at) + put + text.slice(at + cut)).toWellFormed());
    }),
    { numRuns: 4000 },
  );
});
