// Hashing for decisions that every process must make alike without talking: 32 bits, well mixed, nothing secret about them.

const SEED = 0x9e3779b9;

/** One more piece; order counts. MurmurHash3's step (Austin Appleby, public domain). */
export function mix(hash: number, piece: number): number {
  let k = Math.imul(piece, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** MurmurHash3's last step: every bit of the input reaches every bit of the result, an integer in [0, 2^32). */
export function finish(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function hashText(text: string, seed = SEED): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i));
  return finish(hash ^ text.length);
}

export function hashBytes(bytes: Uint8Array, start: number, end: number, seed = SEED): number {
  let hash = seed;
  for (let i = start; i < end; i++) hash = mix(hash, bytes[i]!);
  return finish(hash ^ (end - start));
}

/**
 * Weighted rendezvous hashing (Schindelhauer and Schomaker 2005): of all targets the one with the lowest value takes the key. Each
 * takes its weight's share of keys, and one that goes moves its own keys alone.
 */
export function rendezvous(key: number, target: number, weight: number): number {
  if (weight === 0) return Number.POSITIVE_INFINITY;
  const uniform = (finish(mix(key, target)) + 0.5) / 0x1_0000_0000;
  return -Math.log(uniform) / weight;
}
