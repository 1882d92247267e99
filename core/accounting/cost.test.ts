import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { noUsage, type Usage } from '../chat/usage.ts';
import type { Price, Rates } from '../snapshot/snapshot.ts';
import { nanoUsd, tokens } from '../units.ts';
import { costOf } from './cost.ts';
import { formatUsd } from './money.ts';

const rates = (more: Partial<Record<keyof Rates, number>> = {}): Rates =>
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
const usage = (more: Partial<Record<keyof Usage, number>>): Usage => ({ ...noUsage, ...(more as Partial<Usage>) });

describe('the cost of an attempt', () => {
  const rows: [sentence: string, usage: Partial<Record<keyof Usage, number>>, nano: number][] = [
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

  test('rounds once, half up, to nano-dollars', () => {
    const tiny = price({ rates: rates({ input: 1 }) });
    assert.deepEqual(
      [499, 500, 1499, 1500].map(n => costOf(usage({ inputUncached: n }), tiny)),
      [0, 1, 1, 2],
    );
  });
  test('adds the price per request', () => {
    assert.equal(costOf(noUsage, price({ rates: rates({ perRequest: 7 }) })), 7);
  });
  test('takes the rates of the tier that the whole prompt falls into', () => {
    const tiered = price({ tiers: [{ above: tokens(200_000), rates: rates({ input: 5_000_000, cacheRead: 2_500_000 }) }] });
    assert.equal(costOf(usage({ inputUncached: 150_000, cacheRead: 50_000 }), tiered), 375_000_000 + 62_500_000);
    assert.equal(costOf(usage({ inputUncached: 150_001, cacheRead: 50_000 }), tiered), 750_005_000 + 125_000_000);
  });
  test('is the exact sum whatever the size', () => {
    const amount = fc.integer({ min: 0, max: 10_000_000 });
    const rate = fc.integer({ min: 0, max: 9_000_000_000_000 });
    fc.assert(
      fc.property(amount, amount, rate, rate, (input, output, inputRate, outputRate) => {
        const pico = BigInt(input) * BigInt(inputRate) + BigInt(output) * BigInt(outputRate);
        const wanted = Number((pico + 500n) / 1000n);
        const cost = costOf(
          usage({ inputUncached: input, output }),
          price({ rates: rates({ input: inputRate, output: outputRate }) }),
        );
        if (Number.isSafeInteger(wanted)) assert.equal(cost, wanted);
      }),
    );
  });
});

test('money is printed exactly', () => {
  const shown = [0, 1, 4_910_000, 1_000_000_000, 1_500_000_001, -20].map(n => formatUsd(nanoUsd(n)));
  assert.deepEqual(shown, ['0', '0.000000001', '0.00491', '1', '1.500000001', '-0.00000002']);
});
