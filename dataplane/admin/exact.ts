// Numbers in answers, exact: amounts of money and counts are written digit by digit, whatever a double could hold.
import type { NanoUsd } from '#core/units.ts';

declare global {
  interface JSON {
    /** ES2026; TypeScript does not know it yet. The text of one JSON number, written as it is. */
    rawJSON(text: string): RawNumber;
  }
}
/** Only `JSON.stringify` looks into it. */
export type RawNumber = { readonly rawJSON: string };

/** US dollars as a JSON number with all its decimals. */
export const usd = (amount: bigint | NanoUsd): RawNumber => JSON.rawJSON(decimal(BigInt(amount)));
/** An integer as a JSON number with all its digits. */
export const integer = (value: bigint): RawNumber => JSON.rawJSON(value.toString());

/** Nano-dollars as a decimal of dollars without trailing zeros. */
export function decimal(nano: bigint): string {
  const digits = (nano < 0n ? -nano : nano).toString().padStart(10, '0');
  const fraction = digits.slice(-9).replace(/0+$/, '');
  return `${nano < 0n ? '-' : ''}${digits.slice(0, -9)}${fraction && `.${fraction}`}`;
}
