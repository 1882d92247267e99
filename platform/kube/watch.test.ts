// The events of a watch, however its bytes are cut.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isKubeError } from './errors.ts';
import type { KubeObject } from './resource.ts';
import { eventsIn } from './watch.ts';

const event = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
const named = (name: string) => ({ metadata: { name, resourceVersion: '7' } });

async function* chunks(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let start = 0;
  for (const cut of [...cuts.toSorted((one, other) => one - other), bytes.length]) {
    yield bytes.subarray(start, cut);
    start = cut;
  }
}

const read = async (text: string, cuts: readonly number[] = []) => {
  const events = [];
  for await (const each of eventsIn<KubeObject>(chunks(Buffer.from(text), cuts))) events.push(each);
  return events;
};

describe('a watch', () => {
  const text = [
    event('ADDED', named('ä😀')),
    event('MODIFIED', named('b')),
    '\n',
    event('DELETED', named('c')),
    event('BOOKMARK', { metadata: { resourceVersion: '9' } }),
  ].join('');

  test('has the same events wherever its bytes are cut', async () => {
    const whole = await read(text);
    assert.deepEqual(
      whole.map(({ kind }) => kind),
      ['added', 'modified', 'deleted', 'bookmark'],
    );
    const cut = fc.integer({ min: 0, max: Buffer.byteLength(text) });
    await fc.assert(fc.asyncProperty(fc.array(cut), async cuts => assert.deepEqual(await read(text, cuts), whole)));
  });

  test('fails with what the server says in an event', async () => {
    const gone = event('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' });
    await assert.rejects(read(gone), error => isKubeError(error, 'gone'));
    const busy = event('ERROR', { kind: 'Status', code: 429, details: { retryAfterSeconds: 3 } });
    await assert.rejects(read(busy), error => isKubeError(error, 'throttled') && error.retryAfterMs === 3_000);
  });

  test('fails on what is no event, and says nothing of half a line at its end', async () => {
    await assert.rejects(read('<html>\n'), error => isKubeError(error, 'unreachable'));
    assert.deepEqual(await read('{"type":"ADDED","obj'), []);
  });
});
