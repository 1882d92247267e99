// Rates of any size, for properties of prices.
import fc from 'fast-check';
import type { Rates } from '#core/snapshot/snapshot.ts';

/** @param rate of each class of tokens, in pico-dollars */
export const ratesOf = (rate: fc.Arbitrary<number>): fc.Arbitrary<Rates> =>
  fc.record({
    input: rate,
    cacheRead: rate,
    cacheWrite5m: rate,
    cacheWrite1h: rate,
    output: rate,
    reasoning: rate,
    audioInput: rate,
    audioOutput: rate,
    perRequest: fc.nat(1_000_000),
  }) as fc.Arbitrary<unknown> as fc.Arbitrary<Rates>;
