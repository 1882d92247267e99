// Usage times price: the cost of one attempt, exact, in integers, rounded once.
import { promptTokens, type Usage } from '../chat/usage.ts';
import type { Price, Rates } from '../snapshot/snapshot.ts';
import { type NanoUsd, nanoUsd } from '../units.ts';

/**
 * The cost of one attempt: every class of tokens at its own rate, summed in pico-dollars, rounded half up to nano-dollars,
 * plus the price per request. GPU-hour prices are not covered here: they need the measured time.
 */
export function costOf(usage: Usage, price: Price): NanoUsd {
  const rates = ratesFor(usage, price);
  const terms = pricedTokens(usage, rates);
  // Products and sums of safe integers that stay safe are exact in floating point; a sum beyond 2^53 shows itself.
  let pico = 0;
  for (const [count, rate] of terms) pico += count * rate;
  const nano = pico <= Number.MAX_SAFE_INTEGER - 500 ? Math.floor((pico + 500) / 1000) : exactNano(terms);
  return nanoUsd(nano + rates.perRequest);
}

/** The rates that hold for a prompt of this size. */
export function ratesFor(usage: Usage, price: Price): Rates {
  let rates = price.rates;
  if (price.tiers.length > 0) {
    const prompt = promptTokens(usage);
    for (const tier of price.tiers) if (prompt > tier.above) rates = tier.rates;
  }
  return rates;
}

/** Each token once: parts (reasoning, audio) are taken out of the class they are part of. Sloppy providers report parts larger than the whole. */
function pricedTokens(usage: Usage, rates: Rates): readonly (readonly [count: number, rate: number])[] {
  const audioInput = Math.min(usage.audioInput, usage.inputUncached);
  const audioOutput = Math.min(usage.audioOutput, usage.output);
  const reasoning = Math.min(usage.reasoning, usage.output - audioOutput);
  return [
    [usage.inputUncached - audioInput, rates.input],
    [audioInput, rates.audioInput],
    [usage.cacheRead, rates.cacheRead],
    [usage.cacheWrite5m, rates.cacheWrite5m],
    [usage.cacheWrite1h, rates.cacheWrite1h],
    [usage.output - audioOutput - reasoning, rates.output],
    [reasoning, rates.reasoning],
    [audioOutput, rates.audioOutput],
  ];
}

function exactNano(terms: readonly (readonly [number, number])[]): number {
  const pico = terms.reduce((sum, [count, rate]) => sum + BigInt(count) * BigInt(rate), 0n);
  return Number((pico + 500n) / 1000n);
}
