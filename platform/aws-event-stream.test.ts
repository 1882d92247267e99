import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EventStreamCodec } from '@smithy/core/event-streams';
import fc from 'fast-check';
import { type EventMessage, EventStreamReader, eventMessage } from './aws-event-stream.ts';

/** AWS's own implementation: what it writes is read, and it reads what is written. */
const codec = new EventStreamCodec(
  bytes => Buffer.from(bytes).toString(),
  text => Buffer.from(text),
);

const read = (chunks: Iterable<Buffer>): { messages: EventMessage[]; broken: string | undefined } => {
  const reader = new EventStreamReader();
  const messages = [...chunks].flatMap(chunk => [...reader.push(chunk)]);
  return { messages, broken: reader.broken };
};

const plain = ({ headers, payload }: EventMessage) => ({ headers, text: payload.toString() });

const hello = eventMessage({ ':event-type': 'chunk', ':message-type': 'event' }, Buffer.from('{"a":"Grüße"}'));
const second = eventMessage({}, Buffer.from('two'));
const both = Buffer.concat([hello, second]);

describe('an event stream', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 });
  const name = fc.stringMatching(/^[:a-z-]{1,20}$/);
  const message = fc.record(
    { headers: fc.dictionary(name, text, { maxKeys: 5, noNullPrototype: true }), text },
    { noNullPrototype: true },
  );

  test('is read as AWS writes it, and written as AWS reads it, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), fc.array(fc.nat()), (list, cuts) => {
        const typed = (headers: Record<string, string>) =>
          Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, { type: 'string' as const, value }]));
        const theirs = Buffer.concat(
          list.map(({ headers, text }) => codec.encode({ headers: typed(headers), body: Buffer.from(text) })),
        );
        const ours = Buffer.concat(list.map(({ headers, text }) => eventMessage(headers, Buffer.from(text))));
        assert.deepEqual(ours, theirs);
        const points = [...new Set(cuts.map(cut => cut % (theirs.length + 1)))].sort((a, b) => a - b);
        const chunks = [0, ...points].map((from, i) => theirs.subarray(from, points[i] ?? theirs.length));
        const { messages, broken } = read(chunks);
        assert.equal(broken, undefined);
        assert.deepEqual(messages.map(plain), list);
      }),
    );
  });

  test('may have headers of any type: those that are no text are passed over', () => {
    const bytes = codec.encode({
      headers: {
        yes: { type: 'boolean', value: true },
        no: { type: 'boolean', value: false },
        byte: { type: 'byte', value: 1 },
        short: { type: 'short', value: 2 },
        integer: { type: 'integer', value: 3 },
        binary: { type: 'binary', value: Buffer.from('bytes') },
        when: { type: 'timestamp', value: new Date(0) },
        uuid: { type: 'uuid', value: '00000000-0000-4000-8000-000000000000' },
        text: { type: 'string', value: 'here' },
      },
      body: Buffer.from('x'),
    });
    assert.deepEqual(read([Buffer.from(bytes)]).messages.map(plain), [{ headers: { text: 'here' }, text: 'x' }]);
  });

  test('that is cut has what came whole, and no more', () => {
    for (let end = 0; end < both.length; end++) {
      const { messages, broken } = read([both.subarray(0, end)]);
      assert.equal(broken, undefined);
      assert.equal(messages.length, end >= hello.length ? 1 : 0, `after ${end} bytes`);
    }
  });

  test('with any one bit turned over is broken or waits, and gives nothing from there on', () => {
    for (let bit = 0; bit < hello.length * 8; bit++) {
      const bytes = Buffer.from(both);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const { messages, broken } = read([bytes]);
      assert.ok(broken, `bit ${bit}`);
      assert.deepEqual(messages, [], `bit ${bit}`);
    }
  });

  test('with a message too long is broken before it is waited for, and so is one shorter than its headers', () => {
    const prelude = (length: number, headers: number) => {
      const bytes = Buffer.from(eventMessage({}, Buffer.alloc(0)).subarray(0, 12));
      bytes.writeUInt32BE(length, 0);
      bytes.writeUInt32BE(headers, 4);
      return bytes;
    };
    for (const [length, headers] of [
      [0x7fffffff, 0],
      [0, 0],
      [16, 1],
    ] as const) {
      const bytes = prelude(length, headers);
      bytes.writeUInt32BE(crcOf(bytes.subarray(0, 8)), 8);
      assert.match(read([bytes]).broken ?? '', /too long|shorter than its headers/);
    }
  });

  test('with headers that do not add up is broken', () => {
    for (const head of [Buffer.of(200), Buffer.of(1, 0x61, 42), Buffer.of(1, 0x61, 7), Buffer.of(1, 0x61, 7, 0, 9, 0x62)]) {
      assert.match(read([withHead(head)]).broken ?? '', /headers/);
    }
  });
});

/** CRC-32, bit by bit. */
function crcOf(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function withHead(head: Buffer): Buffer {
  const bytes = Buffer.alloc(16 + head.length);
  bytes.writeUInt32BE(bytes.length, 0);
  bytes.writeUInt32BE(head.length, 4);
  bytes.writeUInt32BE(crcOf(bytes.subarray(0, 8)), 8);
  head.copy(bytes, 12);
  bytes.writeUInt32BE(crcOf(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
  return bytes;
}
