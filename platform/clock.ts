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
/** Of an id, with the bits of its version and its variant. */
const RANDOM_BYTES = 10;

/** UUIDv7 (RFC 9562, 5.7): 48 bits of epoch milliseconds, then random bits; sorts by time. Random bytes are drawn in blocks, as one draw costs more than the rest. */
export function uuidV7Source(clock: Clock): () => string {
  const pool = Buffer.alloc(POOL_BYTES);
  let used = POOL_BYTES;
  let time = { at: Number.NaN, text: '' };
  return () => {
    if (used + RANDOM_BYTES > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    const at = clock.now();
    if (at !== time.at) time = { at, text: timeText(at) };
    // Version and variant.
    pool[used] = (pool[used]! & 0x0f) | 0x70;
    pool[used + 2] = (pool[used + 2]! & 0x3f) | 0x80;
    const random = pool.toString('hex', used, used + RANDOM_BYTES);
    used += RANDOM_BYTES;
    return `${time.text}-${random.slice(0, 4)}-${random.slice(4, 8)}-${random.slice(8)}`;
  };
}

function timeText(epochMs: number): string {
  const hex = epochMs.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
