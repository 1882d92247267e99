// Money as text: exact decimal strings from integers.
import { type NanoUsd, nanoUsd } from '../units.ts';

/** The largest amount that is reserved or summed up: 9 million USD, below 2^53 nano-dollars. What would be more counts as this. */
export const MAX_USD: NanoUsd = nanoUsd(9e15);

/** "0.000123", without trailing zeros and without an exponent. */
export function formatUsd(amount: NanoUsd): string {
  const sign = amount < 0 ? '-' : '';
  const nano = Math.abs(amount);
  const whole = Math.floor(nano / 1e9);
  const fraction = String(nano % 1e9)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return fraction ? `${sign}${whole}.${fraction}` : `${sign}${whole}`;
}
