import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SseMessage } from '#dataplane/providers/provider.ts';
import { framesOf, messagesOf, SseBlocks } from './sse.ts';

const MIB = 1024 * 1024;

/** All blocks of a stream that arrives in these chunks, and what is left at its end. */
function cut(chunks: readonly Buffer[]) {
  const blocks = new SseBlocks(8 * MIB);
  const whole: Buffer[] = [];
  for (const chunk of chunks) {
    const block = blocks.push(chunk);
    assert.notEqual(block, 'too-long');
    if (block) whole.push(block as Buffer);
  }
  return { blocks: whole, messages: whole.flatMap(messagesOf), rest: blocks.rest() };
}

const message = (data: string, event = ''): SseMessage => ({ event, data });

// web-platform-tests, eventsource/format-*.any.js: the streams, and what they dispatch.
const vectors: readonly [name: string, stream: string | Buffer, messages: readonly SseMessage[]][] = [
  ['a byte order mark opens the stream', '\uFEFFdata:1\n\n', [message('1')]],
  ['a second byte order mark is part of a name', '\uFEFF\uFEFFdata:1\n\ndata:2\n\ndata:3\n\n', [message('2'), message('3')]],
  ['a byte order mark inside the stream is part of a name', 'data:1\n\n\uFEFFdata:2\n\ndata:3\n\n', [message('1'), message('3')]],
  [
    'comments',
    `data:1\r:\0\n:\r\ndata:2\n:${'x'.repeat(2048)}\rdata:3\n:data:fail\r:${'x'.repeat(2048)}\ndata:4\n\n`,
    [message('1\n2\n3\n4')],
  ],
  ['data before the end of the stream', 'retry:1000\ndata:test1\n\nid:test\ndata:test2', [message('test1')]],
  ['data with and without a value', 'data:\n\ndata\ndata\n\ndata:test\n\n', [message(''), message('\n'), message('test')]],
  ['an event without data', 'event:a\n\ndata:x\n\n', [message('x')]],
  ['the event name', 'event:test\ndata:x\n\ndata:x\n\n', [message('x', 'test'), message('x')]],
  ['an empty event name', 'event:\ndata:data\n\n', [message('data')]],
  ['the last event name counts', 'event:a\nevent:b\ndata:x\n\n', [message('x', 'b')]],
  ['ids, one with a NUL', 'id: 1\ndata:a\n\nid: 1\0 2\ndata:b\n\nid\ndata:c\n\n', [message('a'), message('b'), message('c')]],
  ['one leading space', 'data: \ttest\rdata:  \ndata:test\n\n', [message('\ttest\n \ntest')]],
  ['mixed line endings', 'data:test\r\ndata\ndata:test\r\n\r\n', [message('test\n\ntest')]],
  ['NUL in data', 'data:\0\n\n\n\n', [message('\0')]],
  ['retry', 'retry:3000\ndata:x\n\nretry:1000x\ndata:y\n\n', [message('x'), message('y')]],
  ['unknown fields', 'data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\n\n', [message('test\n')]],
  ['names are case-sensitive', 'Data:x\nDATA:y\ndata :z\n\ndata:w\n\n', [message('w')]],
  ['UTF-8', 'data:ok…\n\ndata:日本🙂\n\n', [message('ok…'), message('日本🙂')]],
  ['invalid UTF-8', Buffer.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0x78, 0xc3, 0x0a, 0x0a]), [message('\uFFFDx\uFFFD')]],
  ['only CR', 'data:a\r\rdata:b\rdata:c\r\r', [message('a'), message('b\nc')]],
  [
    'a line ending of each kind in a row',
    'data:a\n\rdata:b\r\n\ndata:c\r\n\rdata:d\r\r\n',
    ['a', 'b', 'c', 'd'].map(text => message(text)),
  ],
  ['blank lines only', '\n\r\n\r\n\n', []],
  ['nothing', '', []],
];

test('WPT streams dispatch what WPT says, whole and split at every byte', () => {
  for (const [name, stream, expected] of vectors) {
    const bytes = Buffer.from(stream as string);
    assert.deepEqual(cut([bytes]).messages, expected, name);
    assert.deepEqual(cut([...bytes].map(byte => Buffer.from([byte]))).messages, expected, `${name}, byte by byte`);
    for (let at = 0; at <= bytes.length; at++) {
      assert.deepEqual(cut([bytes.subarray(0, at), bytes.subarray(at)]).messages, expected, `${name}, split at ${at}`);
    }
  }
});

test('a chunk of whole frames comes back as it is, without a copy', () => {
  const blocks = new SseBlocks(MIB);
  for (const text of ['data: 1\n\n', ': ping\r\n\r\n', 'data: 2\n\nevent: x\ndata: 3\n\n']) {
    const chunk = Buffer.from(text);
    assert.equal(blocks.push(chunk), chunk);
  }
});

test('a frame is given out as soon as its blank line has begun', () => {
  const blocks = new SseBlocks(MIB);
  assert.equal(blocks.push(Buffer.from('data: 1\r')), undefined);
  assert.equal(blocks.push(Buffer.from('\n')), undefined);
  assert.equal(String(blocks.push(Buffer.from('\r'))), 'data: 1\r\n\r');
  assert.deepEqual(messagesOf(blocks.push(Buffer.from('\ndata: 2\n\nda')) as Buffer), [message('2')]);
  assert.equal(String(blocks.rest()), 'da');
});

test('every byte of a frame is in exactly one raw frame', () => {
  const frames = framesOf(Buffer.from(': hi\n\ndata: 1\n\nevent: x\n\n\ndata: 2\r\n\r\ndata: 3'));
  assert.deepEqual(
    frames.map(frame => [String(frame.raw), frame.message]),
    [
      [': hi\n\n', undefined],
      ['data: 1\n\n', message('1')],
      ['event: x\n\n', undefined],
      ['\n', undefined],
      ['data: 2\r\n\r\n', message('2')],
      ['data: 3', undefined],
    ],
  );
});

test('a line of 1 MiB in pieces of 100 bytes is read in one', () => {
  const text = 'x'.repeat(MIB);
  const stream = Buffer.from(`data: ${text}\n\ndata: y\n\n`);
  const pieces = Array.from({ length: Math.ceil(stream.length / 100) }, (_, i) => stream.subarray(i * 100, i * 100 + 100));
  assert.deepEqual(cut(pieces).messages, [message(text), message('y')]);
});

test('8 MiB in pieces of 16 bytes cost linear time and bounded memory', () => {
  const blocks = new SseBlocks(8 * MIB);
  const piece = Buffer.alloc(16, 0x78);
  for (let i = 0; i < (8 * MIB) / 16; i++) assert.equal(blocks.push(piece), undefined);
  assert.equal(blocks.rest().length, 8 * MIB);
  assert.equal(blocks.push(piece), 'too-long');
});

test('the limit holds for the frame that is not complete, not for a chunk of whole frames', () => {
  const blocks = new SseBlocks(10);
  const long = Buffer.from(`data: ${'x'.repeat(100)}\n\n`);
  assert.equal(blocks.push(long), long);
  assert.equal(blocks.push(Buffer.from('data: 6789')), undefined);
  assert.equal(blocks.push(Buffer.from('0')), 'too-long');
  assert.equal(new SseBlocks(10).push(Buffer.from('data: 1\n\ndata: 67890')), 'too-long');
});

// ---------------------------------------------------------------- against a reading letter by letter

/** "9.2.6 Interpreting an event stream", with nothing in mind but the text of the standard. */
function naiveMessages(bytes: Buffer): SseMessage[] {
  const text = new TextDecoder().decode(bytes);
  const lines = text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split('\n').slice(0, -1);
  const messages: SseMessage[] = [];
  let data = '';
  let event = '';
  for (const line of lines) {
    if (line === '') {
      if (data !== '') messages.push({ event, data: data.slice(0, -1) });
      data = '';
      event = '';
      continue;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
    if (field === 'data') data += `${value}\n`;
    if (field === 'event') event = value!;
  }
  return messages;
}

const piece = fc.constantFrom(
  '\n',
  '\r',
  '\r\n',
  '\n\n',
  'data',
  'data:',
  'data: ',
  'event:',
  ':',
  'id: 1',
  ' ',
  'é',
  '🙂',
  '\uFEFF',
  'x',
  '\0',
);
const streams = fc.oneof(
  fc.array(piece, { maxLength: 40 }).map(parts => Buffer.from(parts.join(''))),
  fc.array(fc.oneof(fc.constantFrom(10, 13), fc.nat(255)), { maxLength: 60 }).map(codes => Buffer.from(codes)),
);

test('any stream in any chunks dispatches what the standard says, and no byte is lost', () => {
  fc.assert(
    fc.property(streams, fc.array(fc.nat(9), { minLength: 1, maxLength: 8 }), (stream, sizes) => {
      const chunks: Buffer[] = [];
      for (let at = 0, i = 0; at < stream.length; at += sizes[i++ % sizes.length]! + 1) {
        chunks.push(stream.subarray(at, at + sizes[i % sizes.length]! + 1));
      }
      const { blocks, messages, rest } = cut(chunks);
      assert.deepEqual(messages, naiveMessages(stream));
      const withoutMark = stream.subarray(stream.subarray(0, 3).equals(Buffer.from('\uFEFF')) ? 3 : 0);
      assert.deepEqual(Buffer.concat([...blocks, rest]), withoutMark);
      for (const block of blocks) assert.deepEqual(Buffer.concat(framesOf(block).map(frame => frame.raw)), block);
    }),
    { numRuns: 3000 },
  );
});
