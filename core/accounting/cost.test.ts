import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ratesOf } from '#test/support/any-rates.ts';
import { noUsage, promptTokens, type Usage } from '../chat/usage.ts';
import type { Price, Rates } from '../snapshot/snapshot.ts';
import { nanoUsd, tokens } from '../units.ts';
import { costOf, gpuCost, unpricedIn } from './cost.ts';
import { formatUsd, MAX_USD } from './money.ts';

type Numbered = Exclude<keyof Rates, 'perToolCall'>;
const rates = (more: Partial<Record<Numbered, number>> = {}): Rates =>
  ({
    input: 2_500_000,
    cacheRead: 1_250_000,
    cacheWrite5m: 3_125_000,
    cacheWrite1h: 5_000_000,
    output: 10_000_000,
    reasoning: 10_000_000,
    audioInput: 40_000_000,
    audioOutput: 80_000_000,
    perRequest: 0,
    ...more,
  }) as Rates;
const price = (more: Partial<Price> = {}): Price => ({ source: 'provider', version: '1', rates: rates(), tiers: [], ...more });
type Counted = Exclude<keyof Usage, 'toolCalls' | 'service'>;
const usage = (more: Partial<Record<Counted, number>>): Usage => ({ ...noUsage, ...(more as Partial<Usage>) });

describe('the cost of an attempt', () => {
  const rows: [sentence: string, usage: Partial<Record<Counted, number>>, nano: number][] = [
    ['nothing used costs nothing', {}, 0],
    ['a million input tokens at 2.50 USD', { inputUncached: 1_000_000 }, 2_500_000_000],
    [
      'cache reads and writes at their own rates',
      { cacheRead: 1000, cacheWrite5m: 1000, cacheWrite1h: 1000 },
      1_250_000 + 3_125_000 + 5_000_000,
    ],
    ['reasoning is a part of the output and is not priced twice', { output: 100, reasoning: 60 }, 1_000_000],
    [
      'audio is taken out of the class it is part of',
      { inputUncached: 100, audioInput: 40, output: 50, audioOutput: 50 },
      150_000 + 1_600_000 + 4_000_000,
    ],
    ['parts larger than the whole are cut to it', { output: 10, reasoning: 50, audioOutput: 50 }, 800_000],
  ];
  for (const [sentence, used, nano] of rows)
    test(sentence, () => {
      assert.equal(costOf(usage(used), price()), nano);
    });

  test('the price per request is that of each request that it is billed as', () => {
    const perSearch = price({ rates: rates({ perRequest: 2_000_000 }) });
    assert.deepEqual([costOf(usage({}), perSearch), costOf(usage({ requests: 3 }), perSearch)], [2_000_000, 6_000_000]);
  });
  test('is an amount that is reserved and summed up, whatever a provider says that it counted', () => {
    const most = Number.MAX_SAFE_INTEGER;
    const absurd = { ...usage({ inputUncached: most, output: most }), toolCalls: { webSearch: most } };
    const withTools = price({ rates: { ...rates(), perToolCall: { webSearch: nanoUsd(10_000_000) } } });
    assert.deepEqual([costOf(absurd, withTools), costOf(usage({ output: most }), price())], [MAX_USD, MAX_USD]);
  });
  test('rounds once, half up, to nano-dollars', () => {
    const tiny = price({ rates: rates({ input: 1 }) });
    assert.deepEqual(
      [499, 500, 1499, 1500].map(n => costOf(usage({ inputUncached: n }), tiny)),
      [0, 1, 1, 2],
    );
  });
  test('adds the time of the GPUs, exact to the microsecond, rounded once', () => {
    const gpu = { hour: nanoUsd(1_500_000_000), gpus: 2 };
    const free = rates({ input: 0, output: 0, reasoning: 0 });
    const seconds = (n: number) => costOf(usage({ inputUncached: 5 }), price({ rates: free, gpu }), n);
    assert.deepEqual([0, 3600, 0.6, 0.000001].map(seconds), [0, 3_000_000_000, 500_000, 1]);
    assert.equal(costOf(usage({ inputUncached: 1_000 }), price({ gpu }), 0.6), 2_500_000 + 500_000);
    assert.equal(gpuCost({ hour: nanoUsd(9e15), gpus: 1 }, 3600), 9e15);
  });
  test('adds the price per request', () => {
    assert.equal(costOf(noUsage, price({ rates: rates({ perRequest: 7 }) })), 7);
  });
  test('adds the price of each unit, where it is billed by such', () => {
    const perUnit = price({ rates: { ...rates({ perRequest: 7 }), perUnit: nanoUsd(100_000) } });
    assert.equal(costOf({ ...noUsage, units: 61 }, perUnit), 6_100_007);
    assert.equal(costOf(noUsage, perUnit), 7);
    assert.equal(costOf({ ...noUsage, units: 61 }, price({ rates: rates({ perRequest: 7 }) })), 7);
  });
  test('adds the price of each call of a tool, and tells which have none', () => {
    const searched: Usage = { ...noUsage, toolCalls: { webSearch: 3, codeExecution: 1 } };
    const prices = (perToolCall: Rates['perToolCall']) =>
      price({ rates: { ...rates({ perRequest: 7 }), perToolCall: perToolCall! } });
    const both = prices({ webSearch: nanoUsd(10_000_000), codeExecution: nanoUsd(0) });
    assert.equal(costOf(searched, both), 30_000_007);
    assert.deepEqual(unpricedIn(searched, both), []);
    const one = prices({ webSearch: nanoUsd(10_000_000) });
    assert.equal(costOf(searched, one), 30_000_007);
    assert.deepEqual(unpricedIn(searched, one), ['codeExecution']);
    assert.deepEqual(unpricedIn(searched, price()), ['webSearch', 'codeExecution']);
    assert.deepEqual(unpricedIn(noUsage, price()), []);
  });
  test('takes the rates of the tier that the whole prompt falls into', () => {
    const tiered = price({ tiers: [{ above: tokens(200_000), rates: rates({ input: 5_000_000, cacheRead: 2_500_000 }) }] });
    assert.equal(costOf(usage({ inputUncached: 150_000, cacheRead: 50_000 }), tiered), 375_000_000 + 62_500_000);
    assert.equal(costOf(usage({ inputUncached: 150_001, cacheRead: 50_000 }), tiered), 750_005_000 + 125_000_000);
  });
  test('is the exact sum of every token at one rate, whatever the size', () => {
    fc.assert(
      fc.property(anyUsage, anyRates, (used, all) => {
        const parts = pricedApart(used);
        // Each token is in one class: none is priced twice, none is left out.
        const counted = parts.reduce((sum, [, count]) => sum + count, 0n);
        assert.equal(counted, BigInt(promptTokens(used)) + BigInt(used.output));
        const wanted = decimalSum(parts.map(([name, count]) => [count, all[name]!]));
        if (wanted <= Number.MAX_SAFE_INTEGER) assert.equal(costOf(used, price({ rates: all })), wanted + all.perRequest);
      }),
    );
  });
});

const amount = fc.oneof(fc.nat(200_000), fc.nat(10_000_000));
const anyUsage = fc
  .record({ inputUncached: amount, cacheRead: amount, cacheWrite5m: amount, cacheWrite1h: amount, output: amount })
  .chain(whole =>
    fc
      .record({ reasoning: fc.nat(whole.output), audioOutput: fc.nat(whole.output), audioInput: fc.nat(whole.inputUncached) })
      .map(parts => usage({ ...whole, ...parts, reasoning: Math.min(parts.reasoning, whole.output - parts.audioOutput) })),
  );
const anyRates = ratesOf(fc.oneof(fc.nat(100_000_000), fc.nat({ max: 9_000_000_000_000 })));

/** The disjoint classes of a usage, each at the rate of its own. */
function pricedApart(used: Usage): [Numbered, bigint][] {
  return [
    ['input', BigInt(used.inputUncached - used.audioInput)],
    ['audioInput', BigInt(used.audioInput)],
    ['cacheRead', BigInt(used.cacheRead)],
    ['cacheWrite5m', BigInt(used.cacheWrite5m)],
    ['cacheWrite1h', BigInt(used.cacheWrite1h)],
    ['output', BigInt(used.output - used.audioOutput - used.reasoning)],
    ['reasoning', BigInt(used.reasoning)],
    ['audioOutput', BigInt(used.audioOutput)],
  ];
}

/** Nano-dollars, half up: the pico-dollars as decimal text, of which the last three digits are cut off. */
function decimalSum(terms: readonly (readonly [bigint, number])[]): number {
  const pico = terms.reduce((sum, [count, each]) => sum + count * BigInt(each), 0n);
  const digits = String(pico).padStart(4, '0');
  return Number(digits.slice(0, -3)) + (Number(digits.at(-3)) >= 5 ? 1 : 0);
}

test('money is printed exactly', () => {
  const shown = [0, 1, 4_910_000, 1_000_000_000, 1_500_000_001, -20].map(n => formatUsd(nanoUsd(n)));
  assert.deepEqual(shown, ['0', '0.000000001', '0.00491', '1', '1.500000001', '-0.00000002']);
});
