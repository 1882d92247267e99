import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ratesOf } from '#test/support/any-rates.ts';
import { costOf } from '../accounting/cost.ts';
import { MAX_USD } from '../accounting/money.ts';
import { type BilledTool, billedTools, noUsage, promptTokens, toolCallsIn, type Usage } from '../chat/usage.ts';
import type { Price, Rates } from '../snapshot/snapshot.ts';
import { millis, nanoUsd, tokens } from '../units.ts';
import { costBound, fitOutput, type InputFacts, inputBound, noAttachments, outputBound } from './bound.ts';

const anyRates = ratesOf(fc.oneof(fc.nat(100), fc.nat(100_000_000), fc.nat({ max: 9_000_000_000_000 })));

const anyPrice: fc.Arbitrary<Price> = fc
  .tuple(anyRates, fc.uniqueArray(fc.tuple(fc.nat(300_000), anyRates), { maxLength: 3, selector: ([above]) => above }))
  .map(([rates, tiers]) => ({
    source: 'provider',
    version: '1',
    rates,
    tiers: tiers.sort(([a], [b]) => a - b).map(([above, of]) => ({ above: tokens(above), rates: of })),
  }));

const count = fc.oneof(fc.nat(20), fc.nat(400_000));
const anyUsage = fc
  .record({ inputUncached: count, cacheRead: count, cacheWrite5m: count, cacheWrite1h: count, output: count })
  .chain(whole =>
    fc
      .record({ reasoning: fc.nat(whole.output), audioOutput: fc.nat(whole.output), audioInput: fc.nat(whole.inputUncached) })
      .map(parts => ({ ...whole, ...parts }) as unknown as Usage),
  );

const facts = { audio: true, duration: millis(600_000) };
const silent = { ...facts, audio: false };
const flat = (input: number, output: number, perRequest = 0): Price => {
  const inputs = { input, cacheRead: input, cacheWrite5m: input, cacheWrite1h: input, audioInput: input };
  const rates = { ...inputs, output, reasoning: output, audioOutput: output, perRequest } as unknown as Rates;
  return { source: 'provider', version: '1', rates, tiers: [] };
};

describe('the bound of a cost', () => {
  test('holds for every usage within the bounds of its tokens, in every class and tier', () => {
    fc.assert(
      fc.property(anyUsage, anyPrice, count, count, (usage, price, moreInput, moreOutput) => {
        const input = tokens(promptTokens(usage) + moreInput);
        const output = tokens(usage.output + moreOutput);
        const cost = costOf(usage, price);
        assert.ok(Math.min(cost, MAX_USD) <= costBound(input, output, price, facts));
        const several = costOf({ ...usage, requests: 3 }, price);
        assert.ok(Math.min(several, MAX_USD) <= costBound(input, output, price, { ...facts, requests: 4 }));
        const withoutAudio = { ...usage, audioInput: tokens(0), audioOutput: tokens(0) };
        assert.ok(Math.min(costOf(withoutAudio, price), MAX_USD) <= costBound(input, output, price, silent));
      }),
      { numRuns: 500 },
    );
  });
  test('is the cost itself where all classes cost the same', () => {
    assert.equal(costBound(tokens(1000), tokens(10), flat(2_500_000, 10_000_000, 7), facts), 2_500_000 + 100_000 + 7);
  });
  test('is rounded up', () => {
    assert.equal(costBound(tokens(1), tokens(0), flat(1, 0), facts), 1);
  });
  test('counts a tier only where the prompt can reach it, and a cheaper one only for what reaches it', () => {
    const tiered = (above: number, other: number): Price => ({
      ...flat(1000, 0),
      tiers: [{ above: tokens(above), rates: flat(other, 0).rates }],
    });
    assert.equal(costBound(tokens(100), tokens(0), tiered(100, 2000), facts), 100);
    assert.equal(costBound(tokens(101), tokens(0), tiered(100, 2000), facts), 202);
    assert.equal(costBound(tokens(120), tokens(0), tiered(100, 500), facts), 100);
  });
  test('has the price of each unit that there may be', () => {
    const price = flat(0, 0, 7);
    const perUnit = { ...price, rates: { ...price.rates, perUnit: nanoUsd(40) } };
    assert.equal(costBound(tokens(0), tokens(0), perUnit, { ...silent, units: 3 }), 127);
    assert.equal(costBound(tokens(0), tokens(0), perUnit, silent), 7);
  });
  test('holds for every call of a tool that the request lets be made', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...billedTools), fc.nat(20), fc.option(fc.nat(20), { nil: undefined })), {
          maxLength: 4,
        }),
        fc.option(fc.nat(30), { nil: undefined }),
        fc.dictionary(fc.constantFrom(...billedTools), fc.nat(1e9)),
        fc.nat(25),
        (drawn, mostTogether, perToolCall, maxToolCalls) => {
          const flatPrice = flat(1, 1);
          const rates = { ...flatPrice.rates, perToolCall: perToolCall as Rates['perToolCall'] & object };
          const price = { ...flatPrice, rates, maxToolCalls };
          const asked = drawn.map(([tool, , most], i) => ({ tool, param: `tools[${i}]`, ...(most !== undefined && { most }) }));
          // What is called keeps to what the request says, or to what the operator said of all.
          const calls: [BilledTool, number][] = [];
          let left = mostTogether ?? Number.POSITIVE_INFINITY;
          for (const [tool, called, most] of drawn) {
            const made = Math.min(called, left, most ?? mostTogether ?? maxToolCalls);
            left -= made;
            calls.push([tool, made]);
          }
          const used = { ...noUsage, ...toolCallsIn(calls) };
          const tools = { tools: asked, ...(mostTogether !== undefined && { mostTogether }) };
          assert.ok(costOf(used, price) <= costBound(tokens(0), tokens(0), price, { ...silent, tools }));
        },
      ),
      { numRuns: 1000 },
    );
  });
  test('prices audio that goes in only where there is some, and what comes out as the dearest that may', () => {
    const price = flat(1000, 1000);
    const dear = 9000 as Rates['output'];
    const withAudio = { ...price, rates: { ...price.rates, audioInput: dear, audioOutput: dear } };
    assert.equal(costBound(tokens(10), tokens(0), withAudio, silent), 10);
    assert.equal(costBound(tokens(10), tokens(0), withAudio, facts), 90);
    assert.equal(costBound(tokens(0), tokens(10), withAudio, silent), 90);
  });
  test('has all the GPUs for all the time besides the tokens, where their time is a price', () => {
    const gpu = { hour: nanoUsd(2_000_000_000), gpus: 4 };
    assert.equal(
      costBound(tokens(9), tokens(9), { ...flat(1, 1), gpu }, { audio: false, duration: millis(900_000) }),
      2_000_000_001,
    );
  });
  test('is 0 where the price is not known', () => {
    assert.equal(costBound(tokens(1000), tokens(1000), undefined, facts), 0);
  });
  test('is never more than the counters can hold', () => {
    assert.equal(costBound(tokens(2 ** 50), tokens(2 ** 50), flat(9e12, 9e12), facts), MAX_USD);
  });
});

describe('the longest answer that fits', () => {
  test('fits, and one token more does not', () => {
    const remaining = fc.oneof(fc.nat(10_000), fc.nat({ max: 9_000_000_000 }));
    fc.assert(
      fc.property(remaining, count, fc.integer({ min: 1, max: 4 }), anyPrice, (left, input, choices, price) => {
        const bound = (output: number) => costBound(tokens(input), tokens(output * choices), price, facts);
        const fitting = fitOutput(nanoUsd(left), tokens(input), choices, price, facts);
        if (fitting === undefined) assert.ok(bound(1) > left);
        else assert.ok(bound(fitting) <= left && (bound(fitting + 1) > left || fitting >= 2 ** 28));
      }),
      { numRuns: 300 },
    );
  });
  test('is not even one token where the prompt alone costs more than is left', () => {
    assert.equal(fitOutput(nanoUsd(99), tokens(100), 1, flat(1000, 1000), facts), undefined);
    assert.equal(fitOutput(nanoUsd(100), tokens(100), 1, flat(1000, 1000), facts), undefined);
    assert.equal(fitOutput(nanoUsd(101), tokens(100), 1, flat(1000, 1000), facts), 1);
  });
});

describe('the bound of the input', () => {
  const input = (more: Partial<InputFacts> = {}): InputFacts => ({
    bytes: 1000,
    attachments: noAttachments,
    tools: false,
    ...more,
  });
  const counted = (n: number, messages: number, tokenizer: 'own' | 'other') => ({ tokens: tokens(n), messages, tokenizer });

  const rows: [sentence: string, facts: InputFacts, bound: number][] = [
    ['is the bytes where nobody counted', input(), 1000],
    ['is a count of the own encoding with a tenth on top, and something for each message', input({ counted: counted(100, 2, 'own') }), 126],
    ['is a count of another encoding with half on top', input({ counted: counted(101, 1, 'other') }), 160],
    ['is never more than the bytes of the text', input({ counted: counted(990, 2, 'own') }), 1000],
    ['has room for the prompt that comes with tools', input({ tools: true }), 2300],
    ['takes the cap of an image for its bytes', input({ attachments: { ...noAttachments, images: 1, imageBytes: 900 } }), 50_100],
    ['takes the cap of a document that is elsewhere', input({ attachments: { ...noAttachments, documents: 1 } }), 301_000],
    ['takes a document that is here by its size', input({ attachments: { ...noAttachments, documentBytes: 900 } }), 1900],
  ]; // biome-ignore format: one case a line
  for (const [sentence, of, bound] of rows)
    test(sentence, () => {
      assert.equal(inputBound(of, {}), bound);
    });
  test('is never more than fits into the model', () => {
    assert.equal(inputBound(input(), { contextWindow: tokens(900) }), 900);
    assert.ok(
      inputBound({ ...input(), isBatch: true }, { contextWindow: tokens(900) }) > 900,
      'each text of a batch has a window',
    );
  });
});

test('the bound of the output is what was asked for, else what the model can, else 4096, for each choice', () => {
  const model = { maxOutputTokens: tokens(16_384) };
  assert.deepEqual([outputBound(10, 1, model), outputBound(10, 3, {}), outputBound(undefined, 2, model)], [10, 30, 32_768]);
  assert.deepEqual([outputBound(undefined, 1, {}), outputBound(0, 1, model), outputBound(20_000, 1, model)], [4096, 0, 20_000]);
});
