import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { boundaryOf, MultipartReader } from './multipart.ts';

const anyContent = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
  // As much like a delimiter as can be without being one.
  fc
    .array(fc.constantFrom('\r', '\n', '\r\n', '--', '-', 'b', '\r\n--', '\r\n--a'), { maxLength: 20 })
    .map(all => Buffer.from(all.join(''))),
);
const BOUNDARY = 'bBb';
const noDelimiter = (content: Buffer) => !Buffer.concat([Buffer.from('\r\n'), content]).includes(`\r\n--${BOUNDARY}`);

type Part = { readonly name: string; readonly isFile: boolean; readonly content: Buffer };
const anyPart: fc.Arbitrary<Part> = fc.record({
  name: fc.constantFrom('prompt', 'language', 'file', 'data', 'x[]'),
  isFile: fc.boolean(),
  content: anyContent.filter(noDelimiter),
});

function formOf(parts: readonly Part[]): Buffer {
  const pieces = parts.flatMap(({ name, isFile, content }) => [
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${isFile ? '; filename="f"' : ''}\r\n\r\n`),
    content,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

/** Reads it in pieces that end at these places. */
function read(body: Buffer, cuts: readonly number[]): { reader: MultipartReader; objection: string | undefined } {
  const reader = new MultipartReader(BOUNDARY);
  const places = [...new Set([...cuts.map(cut => cut % (body.length + 1)), body.length])].sort((a, b) => a - b);
  let from = 0;
  for (const to of places) {
    const objection = reader.push(body.subarray(from, to));
    if (objection !== undefined) return { reader, objection };
    from = to;
  }
  return { reader, objection: undefined };
}

describe('a form', () => {
  test('is read the same wherever it is cut', () => {
    fc.assert(
      fc.property(fc.array(anyPart, { maxLength: 5 }), fc.array(fc.nat(5000), { maxLength: 12 }), (parts, cuts) => {
        const body = formOf(parts);
        const { reader, objection } = read(body, cuts);
        assert.equal(objection, undefined);
        assert.equal(reader.isWhole, true);
        const files = parts.filter(({ isFile }) => isFile);
        assert.deepEqual(
          [reader.files, reader.fileBytes],
          [files.length, files.reduce((sum, { content }) => sum + content.length, 0)],
        );
        for (const [name, fields] of reader.fields) {
          const sent = parts.filter(part => part.name === name && !part.isFile);
          assert.deepEqual(
            fields.map(({ at }) => body.subarray(at.start, at.end)),
            sent.map(({ content }) => content),
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  test('is read in single bytes', () => {
    const body = formOf([
      { name: 'model', isFile: false, content: Buffer.from('whisper-1') },
      { name: 'file', isFile: true, content: Buffer.from('\r\n--bB\r\n') },
    ]);
    const { reader } = read(
      body,
      Array.from({ length: body.length }, (_, i) => i),
    );
    const [model] = reader.fields.get('model')!;
    assert.deepEqual([model!.value, body.toString('latin1', model!.at.start, model!.at.end)], ['whisper-1', 'whisper-1']);
    assert.deepEqual([reader.isWhole, reader.fileBytes], [true, 8]);
  });

  test('whatever it is, is read to an end or objected to, and never thrown about', () => {
    const anyBody = fc.array(
      fc.constantFrom(
        `--${BOUNDARY}`,
        `\r\n--${BOUNDARY}`,
        '--',
        '\r\n',
        '\r\n\r\n',
        'content-disposition: form-data; name="a"',
        'x',
        '"',
        ';',
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(anyBody, fc.array(fc.nat(500), { maxLength: 5 }), (pieces, cuts) => {
        const body = Buffer.from(pieces.join(''));
        const [one, other] = [read(body, []), read(body, cuts)];
        assert.deepEqual(
          [other.objection !== undefined, other.reader.isWhole],
          [one.objection !== undefined, one.reader.isWhole],
        );
      }),
      { numRuns: 500 },
    );
  });

  for (const [sentence, head, after] of [
    ['a line that goes on with the one before', 'content-disposition: form-data; name="x"\r\n ; filename="f"'],
    ['a lone end of line', 'x: 1\ncontent-disposition: form-data; name="model"\r\ncontent-disposition: form-data; name="x"'],
    ['a lone carriage return', 'x: 1\rcontent-disposition: form-data; name="x"\r\ncontent-disposition: form-data; name="y"'],
    ['a header without a name', ': 1\r\ncontent-disposition: form-data; name="x"'],
    ['white space before a colon', 'content-disposition : form-data; name="x"'],
    ['a parameter twice', 'content-disposition: form-data; name="x"; filename="a"; filename="b"'],
    ['what is no parameter', 'content-disposition: form-data; name="x"; "filename=f'],
    ['another type', 'content-disposition: form-database; name="x"'],
    ['a quote in the middle', 'content-disposition: form-data; name="x"y; filename="f"'],
    ['further parts behind its end', 'content-disposition: form-data; name="x"', `--${BOUNDARY}\r\n`],
  ] as const)
    test(`with ${sentence} is refused`, () => {
      const body = Buffer.from(`--${BOUNDARY}\r\n${head}\r\n\r\n1\r\n--${BOUNDARY}--\r\n${after ?? ''}`);
      const cuts = Array.from({ length: body.length }, (_, i) => i);
      for (const places of [[], cuts]) assert.ok(read(body, places).objection, head);
    });

  test('a field is no file by what stands in its quotes', () => {
    const body = Buffer.from(
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="n"; x="; filename=f"\r\n\r\n10\r\n--${BOUNDARY}--\r\n`,
    );
    const { reader, objection } = read(body, []);
    assert.deepEqual([objection, reader.files, reader.fields.get('n')?.[0]?.value], [undefined, 0, '10']);
  });

  test('a file may be called anything', () => {
    for (const filename of [
      'filename="a \\"b\\"; name=x.wav"',
      "filename=f; filename*=utf-8''%e2%82%ac",
      'filename=""',
      'filename="ä;.wav"',
    ]) {
      const body = Buffer.from(
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; ${filename}\r\nContent-Type: audio/wav\r\n\r\nx\r\n--${BOUNDARY}--\r\n`,
      );
      const { reader, objection } = read(body, []);
      assert.deepEqual([objection, reader.files, reader.isWhole], [undefined, 1, true], filename);
    }
  });

  test('has bounds', () => {
    const many = formOf(Array.from({ length: 1001 }, () => ({ name: 'a', isFile: false, content: Buffer.from('1') })));
    assert.match(read(many, []).objection!, /at most 1000 parts/);
    const long = formOf([{ name: 'prompt', isFile: false, content: Buffer.alloc(1024 * 1024 + 1) }]);
    assert.match(read(long, []).objection!, /'prompt' is too long/);
    const head = Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="a"; x="${'y'.repeat(9000)}"\r\n\r\n`);
    assert.match(read(head, []).objection!, /headers/);
  });
});

describe('the boundary of a form', () => {
  const rows: readonly (readonly [type: string, boundary: string | undefined])[] = [
    ['multipart/form-data; boundary=abc', 'abc'],
    ['Multipart/Form-Data; charset=utf-8; Boundary="a b"', undefined],
    ['multipart/form-data; boundary="a-b"', 'a-b'],
    ['multipart/form-data', undefined],
    ['multipart/form-data; boundary=', undefined],
    [`multipart/form-data; boundary=${'x'.repeat(71)}`, undefined],
    ['multipart/form-data; boundary=a; boundary=b', undefined],
    ['multipart/mixed; boundary=a', undefined],
    ['application/json', undefined],
  ];
  for (const [type, boundary] of rows)
    test(`${type.slice(0, 60)}: ${boundary ?? 'refused'}`, () => {
      const read = boundaryOf(type);
      assert.equal(read.ok ? read.value : undefined, boundary);
    });
});
