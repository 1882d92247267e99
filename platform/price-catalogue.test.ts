// Against the bundled list itself: prices that are history there do not move.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { loadPriceCatalogue, type PriceCatalogue } from './price-catalogue.ts';

describe('the bundled price list', () => {
  let catalogue: PriceCatalogue;
  before(async () => {
    catalogue = await loadPriceCatalogue();
  });
  const november = Date.parse('2026-11-21T00:00:00Z');

  test('prices a dated name of a model as the model, in decimal text', () => {
    const found = catalogue.find({ id: 'openai' }, 'gpt-4o-2024-11-20', november);
    assert.deepEqual(found, { rates: { input: '2.5', cacheRead: '1.25', output: '10' }, tiers: [], contextWindow: 128000 });
  });

  test('gives the rates of long prompts whole, class by class', () => {
    const found = catalogue.find({ id: 'anthropic' }, 'claude-sonnet-4-5', november);
    assert.deepEqual(found?.rates, { input: '3', cacheRead: '0.3', cacheWrite5m: '3.75', cacheWrite1h: '6', output: '15' });
    assert.deepEqual(found?.tiers, [
      { above: 200_000, rates: { input: '6', cacheRead: '0.6', cacheWrite5m: '7.5', cacheWrite1h: '12', output: '22.5' } },
    ]);
  });

  test('gives pictures and video their own rate', () => {
    const rates = (model: string) => catalogue.find({ id: 'google' }, model, november)?.rates;
    assert.deepEqual(rates('gemini-2.5-flash-image'), { input: '0.3', output: '2.5', audioOutput: '30' });
    assert.equal(rates('gemini-omni-flash-preview')?.audioOutput, '17.5');
    assert.equal(catalogue.find({ id: 'openai' }, 'gpt-image-1.5', november)?.rates.audioOutput, '32');
    assert.equal(catalogue.find({ id: 'openai' }, 'gpt-realtime', november)?.rates.audioOutput, '64');
  });

  test('knows that prices changed on a day', () => {
    assert.equal(catalogue.find({ id: 'openai' }, 'o3', Date.parse('2025-06-01'))?.rates.input, '10');
    assert.equal(catalogue.find({ id: 'openai' }, 'o3', Date.parse('2025-07-01'))?.rates.input, '2');
  });

  test('takes the price of the dearer hours where the day has two', () => {
    assert.deepEqual(catalogue.find({ id: 'deepseek' }, 'deepseek-chat', november)?.rates.input, '0.27');
  });

  test("finds the owner of a model by the URL, and by the name of the model where the URL is nobody's", () => {
    assert.equal(
      catalogue.find({ url: 'https://api.groq.com/openai/v1' }, 'llama-3.3-70b-versatile', november)?.rates.input,
      '0.59',
    );
    assert.equal(catalogue.find({ url: 'http://127.0.0.1:4010/v1' }, 'gpt-4o', november)?.rates.input, '2.5');
  });

  test('has no price for what it does not know', () => {
    assert.equal(catalogue.find({ id: 'openai' }, 'no-such-model', november), undefined);
    assert.equal(catalogue.find({ id: 'no-such-owner' }, 'gpt-4o', november), undefined);
    assert.equal(catalogue.find({ url: 'http://127.0.0.1:11434/v1' }, 'llama3.2', november), undefined);
  });

  test('says which version it is', () => assert.match(catalogue.version, /^genai-prices-\d+\.\d+\.\d+$/));
});
