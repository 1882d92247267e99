import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readYaml, type YamlDocument, type YamlError } from './yaml.ts';

function read(text: string) {
  const all = [...readYaml(text, 'a.yaml')];
  return {
    documents: all.filter((one): one is YamlDocument => 'lineOf' in one),
    errors: all.filter((one): one is YamlError => 'message' in one),
  };
}
const values = (text: string) => read(text).documents.map(document => document.value);
const complaint = (text: string) =>
  read(text)
    .errors.map(({ line, message }) => `${line}: ${message}`)
    .join('; ');

describe('a file', () => {
  test('holds documents, and knows the line of each and of its fields', () => {
    const { documents } = read('# first\na: 1\n---\n# second\nb:\n  c: [x,\n    {d: 2}]\n...\n---\ne: 3\n');
    assert.deepEqual(
      documents.map(d => [d.line, d.value]),
      [
        [2, { a: 1 }],
        [5, { b: { c: ['x', { d: 2 }] } }],
        [10, { e: 3 }],
      ],
    );
    const second = documents[1]!;
    assert.deepEqual([second.lineOf([]), second.lineOf(['b', 'c']), second.lineOf(['b', 'c', 1, 'd'])], [5, 6, 7]);
  });

  test('gives the line of the nearest thing around a field that is not there', () => {
    const [document] = read('a:\n  b:\n    c: 1\n').documents;
    assert.deepEqual([document!.lineOf(['a', 'b', 'missing', 0]), document!.lineOf(['missing'])], [2, 1]);
  });

  test('loses only the document that is broken', () => {
    const text = 'a: 1\n---\nb: [1, 2\n---\nc: 3\n---\nd: "open\n---\ne: 5\n';
    assert.deepEqual(values(text), [{ a: 1 }, { c: 3 }, { e: 5 }]);
    assert.equal(read(text).errors.length, 2);
  });

  test('takes --- for a marker only at the start of a line and as a word', () => {
    assert.deepEqual(values('a: |\n  ---\n  b\nc: "---x"\n---x: 1\n'), [{ a: '---\nb\n', c: '---x', '---x': 1 }]);
  });

  test('may be empty, or hold comments only', () => {
    assert.deepEqual(read('# nothing\n---\n---\n'), { documents: [], errors: [] });
  });

  test('may be JSON', () => {
    assert.deepEqual(values('{"a": [1, "x\\u0041"], "b": null}'), [{ a: [1, 'xA'], b: null }]);
  });

  test('may hold a List, whose items are objects of their own', () => {
    const { documents } = read('apiVersion: v1\nkind: List\nitems:\n- kind: A\n- kind: B\n  x: 1\n');
    assert.deepEqual(
      documents.map(d => [d.line, d.value, d.lineOf(['x'])]),
      [
        [4, { kind: 'A' }, 4],
        [5, { kind: 'B', x: 1 }, 6],
      ],
    );
  });
});

describe('YAML is 1.2 core:', () => {
  test('yes, on, octal-looking and sexagesimal words are what they say', () => {
    assert.deepEqual(values('a: yes\nb: on\nc: 017\nd: 0o17\ne: 12:30\nf: 2027-01-01\n'), [
      { a: 'yes', b: 'on', c: 17, d: 15, e: '12:30', f: '2027-01-01' },
    ]);
  });
  test('a merge key is an ordinary key', () => {
    assert.deepEqual(values('a: &a {x: 1}\nb: {<<: *a}\n'), [{ a: { x: 1 }, b: { '<<': { x: 1 } } }]);
  });
  test('a tag of another language is an error', () => {
    assert.match(complaint('a: 1\nb: !!js/function "x"\n'), /^2: has a tag/);
  });
  test('a key that is no string is an error', () => {
    assert.match(complaint('a: 1\n? [b]\n: 2\n'), /^2: has a key that is no string/);
  });
});

describe('hostile text', () => {
  const lol = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefghi'.split('').map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`)}]`),
  ];
  const cases: Readonly<Record<string, readonly [text: string, complaint: RegExp]>> = {
    'a bomb of aliases': [lol.join('\n'), /^1: expands its aliases too often$/],
    'many aliases': [`- &a x\n${'- *a\n'.repeat(200)}`, /^102: uses more than 100 aliases$/],
    'the same key twice': ['a: 1\nb: 2\na: 3\n', /^3: has the key a twice$/],
    'the same key twice, deep inside': ['a:\n  b: [{c: 1, c: 2}]\n', /^2: has the key c twice$/],
    'the key __proto__': ['a: 1\n__proto__: {b: 1}\n', /^2: has the key __proto__/],
    'open brackets': ['['.repeat(100_000), /^1: is nested more than 64 deep$/],
    'closed brackets': ['['.repeat(900) + ']'.repeat(900), /^1: is nested more than 64 deep$/],
    'deep mappings': [
      Array.from({ length: 100 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
      /^\d+: is nested more than 64 deep$/,
    ],
    'very deep mappings': [
      Array.from({ length: 1300 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
      /^\d+: is nested more than 64 deep$/,
    ],
    'deep lists': ['- '.repeat(2000), /^1: is nested more than 64 deep$/],
    'a document of too many entries': ['- a\n'.repeat(150_000), /^100001: is a document of more than 100000 entries/],
    'a document of too many characters': [`a: ${'x'.repeat(2_000_000)}`, /^1: is a document of more than 1048576 characters/],
    'a tab for an indent': ['a:\n\tb: 1\n', /^2: /],
  };
  for (const [name, [text, expected]] of Object.entries(cases)) {
    test(`with ${name} is one error, and its neighbour is read`, () => {
      assert.match(complaint(text), expected);
      assert.deepEqual(values(`${text}\n---\nneighbour: 1\n`), [{ neighbour: 1 }]);
    });
  }

  test('is never quoted in an error: it may be a secret', () => {
    for (const text of [
      'a: |sk-canary\n',
      'a: "x" sk-canary\n',
      '- a\nsk-canary\n',
      'a: b\n sk-canary: c\n',
      'a: [x] sk-canary',
      '} sk-canary',
      '@sk-canary',
      '"\\sk-canary"',
    ])
      assert.doesNotMatch(complaint(text), /canary|^$/, text);
  });

  test('never makes the reader throw, and never reaches a prototype', () => {
    const pieces = fc.constantFrom(
      '---\n',
      '- ',
      'a: ',
      '? ',
      '[',
      ']',
      '{',
      '}',
      '&x ',
      '*x',
      '!!str ',
      '"',
      "'",
      '|\n',
      '\n',
      '  ',
      '\t',
      '#',
      '<<: ',
      '__proto__: ',
      '%YAML 1.1\n',
      '\u0000',
      '\ufeff',
      '𝒳',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), parts => {
        read(parts.join(''));
        assert.equal(({} as { a?: unknown }).a, undefined);
      }),
      { numRuns: 500 },
    );
  });
});
