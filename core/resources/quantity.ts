// Exact numbers out of decimal text: money and durations without a float on the way.
import { type Millis, millis } from '../units.ts';

/**
 * `text` times ten to the power of `decimals`, as an integer; rounded half up where the text has more decimals than that.
 * Undefined for what is not a decimal number from 0 to 2^53. Takes exponents, because JSON prices have them (2.5e-06).
 */
export function scaled(text: string, decimals: number): number | undefined {
  const parts = /^([0-9]{1,20})(?:\.([0-9]{1,30}))?(?:[eE]([+-]?[0-9]{1,3}))?$/.exec(text);
  if (!parts) return undefined;
  const [, whole = '', fraction = '', exponent = '0'] = parts;
  const shift = decimals - fraction.length + Number(exponent);
  const digits = BigInt(whole + fraction);
  const value = shift >= 0 ? digits * 10n ** BigInt(shift) : roundedQuotient(digits, 10n ** BigInt(-shift));
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}

const roundedQuotient = (dividend: bigint, divisor: bigint): bigint => (dividend + divisor / 2n) / divisor;

const IN_MILLIS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Go's duration syntax, already checked by the schema. */
export function durationOf(text: string): Millis {
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(ms|s|m|h)/g))
    sum += Number(amount) * IN_MILLIS[unit as keyof typeof IN_MILLIS];
  return millis(Math.round(sum));
}

export const ratioOf = (text: string): number => Number(text);
