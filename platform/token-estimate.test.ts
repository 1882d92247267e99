import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { estimateTokens, tokenEstimator } from './token-estimate.ts';

describe('the estimate of a text', () => {
  test('is exact for a short one', async () => {
    assert.equal(await estimateTokens(''), 0);
    assert.equal(await estimateTokens('Hello, world!'), countTokens('Hello, world!'));
  });

  test('is within two percent for a long one', async () => {
    const text = 'The quick brown fox jumps over the lazy dog, and {"json": [1, 2, 3]} follows. '.repeat(500);
    const exact = countTokens(text);
    assert.ok(Math.abs((await estimateTokens(text)) - exact) < exact * 0.02);
  });

  test('takes the names of control tokens for text', async () => {
    assert.ok((await estimateTokens('<|endoftext|>')) > 1);
  });

  test('does not take long for words without end, in any script', async () => {
    const started = performance.now();
    for (const text of ['a'.repeat(250_000), '中'.repeat(100_000), '🙂'.repeat(60_000), ' '.repeat(250_000)]) {
      assert.ok((await estimateTokens(text)) > 0);
    }
    assert.ok(performance.now() - started < 3000, 'quadratic time would be a minute');
  });

  test('is told from the length above 256 KiB', async () => {
    assert.equal(await estimateTokens('ab '.repeat(350_000)), 300_000);
  });
});

test('an estimator takes one text after the other, and the length alone when too many wait', async () => {
  const estimate = tokenEstimator();
  const text = 'a few words of text';
  const counts = await Promise.all(Array.from({ length: 300 }, () => estimate(text)));
  const counted = await estimateTokens(text);
  assert.deepEqual(counts, [...Array(256).fill(counted), ...Array(44).fill(Math.ceil(text.length / 3.5))]);
  assert.equal(await estimate(text), counted);
});
