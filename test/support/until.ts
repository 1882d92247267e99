// Waiting for something that has no event to await: asks again every few milliseconds, and gives up with what it last saw.
import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 10;

/** Resolves with the first value that is neither undefined nor false; what `probe` throws means "not yet". */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  deadlineMs = 10_000,
): Promise<Exclude<T, undefined | false>> {
  const end = performance.now() + deadlineMs;
  let last: unknown = 'nothing';
  do {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
      last = value;
    } catch (error) {
      last = error;
    }
    await delay(PAUSE_MS);
  } while (performance.now() < end);
  throw new Error(`not within ${deadlineMs} ms: ${what}`, { cause: last });
}

/** Rejects when `promise` takes longer: a test that would hang says what it waited for. */
export async function within<T>(deadlineMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${deadlineMs} ms: ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
