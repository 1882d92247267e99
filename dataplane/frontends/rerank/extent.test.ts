// What a rerank is reserved for: never less than what it can cost.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { scanObject } from '#core/json/scan.ts';
import { extent } from './extent.ts';
import { rerank } from './index.ts';

const view = (body: unknown) => {
  const scanned = scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 8, interpreted: new Set(), isUtf8 });
  assert.ok(scanned.ok);
  return scanned.value;
};

test('no count of tokens is above the bytes, as the query counts with each document', () => {
  fc.assert(
    fc.asyncProperty(
      fc.string({ minLength: 1 }),
      fc.array(fc.string(), { minLength: 1, maxLength: 50 }),
      async (query, documents) => {
        const body = view({ model: 'm', query, documents });
        // The most that any tokenizer makes of a text: one for each byte.
        const { tokens } = await rerank.count(body, async text => Buffer.byteLength(text));
        assert.ok(tokens <= extent(body).bytes, `${tokens} ${extent(body).bytes}`);
      },
    ),
  );
});

test('a search is a hundred documents, and a long one is several', () => {
  const of = (count: number, text = 'short', more = {}) =>
    extent(view({ model: 'm', query: 'why', documents: Array.from({ length: count }, () => text), ...more })).requests;
  assert.equal(of(1), 1);
  assert.equal(of(100), 1);
  assert.equal(of(101), 2);
  assert.ok(of(100, 'word '.repeat(400))! > 1);
  assert.equal(of(100, 'word '.repeat(400), { max_tokens_per_doc: 100 }), 1);
});
