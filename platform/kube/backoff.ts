// How long to wait after a failure, and after the next one.

export type Backoff = { readonly baseMs: number; readonly maxMs: number };

/**
 * Doubles with each failure in a row, up to a bound; the upper half of each wait is by chance, so that many who failed together do not
 * return together.
 * @param failures in a row, from 1
 * @param random in [0, 1)
 */
export function backoffMs(failures: number, { baseMs, maxMs }: Backoff, random: number): number {
  const whole = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 40));
  return whole / 2 + (whole / 2) * random;
}
