// The request controls of a body: what is read, what is taken out before an upstream sees it, and what is refused.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import { scanObject } from '#core/json/scan.ts';
import type { JsonView } from '#core/json/view.ts';
import { readControls } from './controls.ts';

function viewOf(body: unknown): JsonView {
  const scanned = scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 64, interpreted: new Set(), isUtf8 });
  assert.ok(scanned.ok);
  return scanned.value;
}

function read(body: unknown) {
  const result = readControls(viewOf(body));
  assert.ok(result.ok, JSON.stringify(result));
  return { controls: result.value.controls, edits: Object.fromEntries(result.value.edits) };
}

const none = { metadata: {}, tags: [], disableFallbacks: false };

test('a body without controls reads as none, and the same object each time', () => {
  assert.deepEqual(read({ model: 'm', messages: [] }), { controls: none, edits: {} });
  const [one, two] = [readControls(viewOf({ a: 1 })), readControls(viewOf({ b: 2 }))];
  assert.equal(one, two);
});

test('all controls at once', () => {
  const { controls, edits } = read({
    metadata: { team: 'red', tags: ['a'], depth: 3 },
    user: 'u',
    tags: ['b'],
    cache: { 'no-cache': true, 'no-store': null, ttl: 1.5, 's-maxage': 0, namespace: 'n', similarity: 0.9, other: 1 },
    num_retries: 2,
    timeout: 1.5,
    fallbacks: ['gpt-4o'],
    disable_fallbacks: true,
    mock_testing_content_policy_fallbacks: true,
  });
  assert.deepEqual(controls, {
    metadata: { team: 'red' },
    tags: ['a', 'b'],
    user: 'u',
    cache: { noCache: true, ttl: 1500, maxAge: 0, namespace: 'n', similarity: 0.9 },
    numRetries: 2,
    timeout: 1500,
    fallbacks: ['gpt-4o'],
    disableFallbacks: true,
    mock: 'content_filtered',
  });
  assert.deepEqual(edits, {
    metadata: '{"team":"red","depth":3}',
    tags: null,
    cache: null,
    num_retries: null,
    timeout: null,
    fallbacks: null,
    disable_fallbacks: null,
    mock_testing_content_policy_fallbacks: null,
  });
});

test('metadata without our subkey stays as the client wrote it, and goes when nothing else is in it', () => {
  assert.deepEqual(read({ metadata: { team: 'red' } }).edits, {});
  assert.deepEqual(read({ metadata: { tags: ['a'] } }).edits, { metadata: null });
  assert.deepEqual(read({ metadata: null }), { controls: none, edits: {} });
});

test('null counts as absent, and is taken out all the same', () => {
  assert.deepEqual(read({ tags: null, timeout: null }), { controls: none, edits: { tags: null, timeout: null } });
});

test('a name that is special to JavaScript is an ordinary name', () => {
  const { controls, edits } = read(JSON.parse('{"metadata":{"__proto__":"x","tags":["a"]}}'));
  assert.deepEqual(Object.entries(controls.metadata), [['__proto__', 'x']]);
  assert.deepEqual(edits, { metadata: '{"__proto__":"x"}' });
});

test('each way of testing the fallbacks fails as its own class', () => {
  assert.equal(read({ mock_testing_fallbacks: true }).controls.mock, 'upstream_error');
  assert.equal(read({ mock_testing_context_window_fallbacks: true }).controls.mock, 'context_length_exceeded');
  assert.equal(read({ mock_testing_fallbacks: false }).controls.mock, undefined);
});

describe('a control of the wrong type is refused by its name', () => {
  const rows: readonly (readonly [body: Record<string, unknown>, param?: string])[] = [
    [{ metadata: 'x' }],
    [{ metadata: { tags: 'x' } }, 'metadata.tags'],
    [{ user: 7 }],
    [{ tags: 'a,b' }],
    [{ tags: [1] }],
    [{ tags: [''] }],
    [{ tags: Array.from({ length: 101 }, () => 'a') }],
    [{ cache: true }],
    [{ cache: { 'no-cache': 'yes' } }, 'cache.no-cache'],
    [{ cache: { ttl: -1 } }, 'cache.ttl'],
    [{ cache: { namespace: '' } }, 'cache.namespace'],
    [{ cache: { similarity: 1.1 } }, 'cache.similarity'],
    [{ num_retries: 1.5 }],
    [{ num_retries: -1 }],
    [{ timeout: 0 }],
    [{ timeout: '5' }],
    [{ timeout: 1e9 }],
    [{ fallbacks: 'm' }],
    [{ fallbacks: [{ model: 'm', messages: [] }] }],
    [{ disable_fallbacks: 'yes' }],
    [{ mock_testing_fallbacks: 1 }],
  ];
  for (const [body, param = Object.keys(body)[0]] of rows) {
    test(JSON.stringify(body).slice(0, 60), () => {
      const result = readControls(viewOf(body));
      assert.deepEqual(!result.ok && [result.failure.class, result.failure.param], ['invalid_request', param]);
      assert.ok(!result.ok && result.failure.message.startsWith(`${param} must be `));
    });
  }
});
