// Money as text: exact decimal strings from integers.
import type { NanoUsd } from '../units.ts';

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
