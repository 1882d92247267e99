// Time and chance, as the only places that read them; everything else gets them as arguments.
import { randomFillSync } from 'node:crypto';

export type Clock = {
  /** Milliseconds since the epoch, UTC. */
  now(): number;
  /** Milliseconds of a clock that never goes back; for durations. */
  monotonic(): number;
};

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

const POOL_BYTES = 16 * 1024;

/** UUIDv7 (RFC 9562, 5.7): 48 bits of epoch milliseconds, then random bits; sorts by time. Random bytes are drawn in blocks, as one draw costs more than the rest. */
export function uuidV7Source(clock: Clock): () => string {
  const pool = Buffer.alloc(POOL_BYTES);
  let used = POOL_BYTES;
  return () => {
    if (used + 10 > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    const time = clock.now().toString(16).padStart(12, '0');
    const random = pool.toString('hex', used, used + 10);
    used += 10;
    const variant = ((Number.parseInt(random[3] ?? '0', 16) & 0x3) | 0x8).toString(16);
    return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`;
  };
}
