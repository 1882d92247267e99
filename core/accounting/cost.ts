// Usage times price: the cost of one attempt, exact, in integers, rounded once.
import { type BilledTool, billedTools, promptTokens, type ToolCalls, type Usage } from '../chat/usage.ts';
import type { Price, Rates } from '../snapshot/snapshot.ts';
import { type NanoUsd, nanoUsd } from '../units.ts';
import { MAX_USD } from './money.ts';
import { priceAt, unpricedLevels } from './service-price.ts';

/**
 * The cost of one attempt: every class of tokens at its own rate, summed in pico-dollars, rounded half up to nano-dollars,
 * plus the price per request for each that it is billed as, of each unit and of each call of a tool, as far as these are known
 * (`unpricedIn`), plus its share of the time of the GPUs where the model is priced by that. No more than `MAX_USD`, whatever was counted.
 *
 * @param gpuSeconds this attempt's share of its replica's time (gpu-share.ts)
 */
export function costOf(usage: Usage, price: Price, gpuSeconds = 0): NanoUsd {
  const rates = ratesFor(usage, price);
  const { audioInput, audioOutput, reasoning } = partsOf(usage);
  // Products and sums of safe integers that stay safe are exact in floating point; a sum beyond 2^53 shows itself.
  const pico =
    (usage.inputUncached - audioInput) * rates.input +
    audioInput * rates.audioInput +
    usage.cacheRead * rates.cacheRead +
    usage.cacheWrite5m * rates.cacheWrite5m +
    usage.cacheWrite1h * rates.cacheWrite1h +
    (usage.output - audioOutput - reasoning) * rates.output +
    reasoning * rates.reasoning +
    audioOutput * rates.audioOutput;
  const nano = pico <= Number.MAX_SAFE_INTEGER - 500 ? Math.floor((pico + 500) / 1000) : exactNano(usage, rates);
  const besides = rates.perRequest * (usage.requests ?? 1) + (rates.perUnit ?? 0) * (usage.units ?? 0);
  const calls = usage.toolCalls ? costOfCalls(usage.toolCalls, rates) : 0;
  return nanoUsd(Math.min(nano + calls + besides + (price.gpu ? gpuCost(price.gpu, gpuSeconds) : 0), MAX_USD));
}

function costOfCalls(calls: ToolCalls, { perToolCall = {} }: Rates): number {
  let nano = 0;
  for (const tool of billedTools) nano += (calls[tool] ?? 0) * (perToolCall[tool] ?? 0);
  return nano;
}

/** Something of it has no price that anybody knows: a cost leaves that out. */
export const isPartlyPriced = (usage: Usage, price: Price): boolean =>
  unpricedIn(usage, price).length > 0 || unpricedLevels(usage.service, price).length > 0;

/** Tools that were called and have no price. */
export const unpricedIn = ({ toolCalls = {} }: Usage, { rates: { perToolCall = {} } }: Price): readonly BilledTool[] =>
  billedTools.filter(tool => toolCalls[tool] !== undefined && perToolCall[tool] === undefined);

const MICROS_PER_HOUR = 3_600_000_000n;

/** `gpus` of them for these seconds, exact to the microsecond, rounded half up to nano-dollars. */
export function gpuCost({ hour, gpus }: NonNullable<Price['gpu']>, seconds: number): NanoUsd {
  const micros = BigInt(Math.round(seconds * 1e6));
  return nanoUsd(Number((BigInt(hour) * BigInt(gpus) * micros + MICROS_PER_HOUR / 2n) / MICROS_PER_HOUR));
}

/** The rates that hold for a prompt of this size that was served so. */
export function ratesFor(usage: Usage, price: Price): Rates {
  const served = price.services ? priceAt(price, usage.service) : price;
  return served.tiers.length === 0 ? served.rates : ratesForPrompt(promptTokens(usage), served);
}

/** @param prompt its tokens */
export function ratesForPrompt(prompt: number, price: Price): Rates {
  let { rates } = price;
  for (const tier of price.tiers) if (prompt > tier.above) rates = tier.rates;
  return rates;
}

/** Each token is priced once: parts (reasoning, audio) come out of the class they are part of. Sloppy providers report parts larger than the whole. */
function partsOf(usage: Usage): { audioInput: number; audioOutput: number; reasoning: number } {
  const audioOutput = Math.min(usage.audioOutput, usage.output);
  return {
    audioInput: Math.min(usage.audioInput, usage.inputUncached),
    audioOutput,
    reasoning: Math.min(usage.reasoning, usage.output - audioOutput),
  };
}

/** The same sum where a double is too short for it. */
function exactNano(usage: Usage, rates: Rates): number {
  const { audioInput, audioOutput, reasoning } = partsOf(usage);
  const terms = [
    [usage.inputUncached - audioInput, rates.input],
    [audioInput, rates.audioInput],
    [usage.cacheRead, rates.cacheRead],
    [usage.cacheWrite5m, rates.cacheWrite5m],
    [usage.cacheWrite1h, rates.cacheWrite1h],
    [usage.output - audioOutput - reasoning, rates.output],
    [reasoning, rates.reasoning],
    [audioOutput, rates.audioOutput],
  ] as const;
  const pico = terms.reduce((sum, [count, rate]) => sum + BigInt(count) * BigInt(rate), 0n);
  return Number((pico + 500n) / 1000n);
}
