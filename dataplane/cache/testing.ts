// Entries and answers for tests of the cache.
import { createHash } from 'node:crypto';
import { noUsage } from '#core/chat/usage.ts';
import { type EpochMillis, millis, nanoUsd, tokens } from '#core/units.ts';
import type { CachedAnswer, NewEntry } from './store.ts';

export const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

export const anAnswer = (text: string): CachedAnswer => ({
  reply: {
    id: 'a-1',
    model: 'upstream-model',
    parts: [{ kind: 'text', text }],
    finish: { reason: 'stop' },
    usage: { ...noUsage, inputUncached: tokens(12), output: tokens(34) },
  },
  provider: 'default/p',
  model: 'm',
  cost: nanoUsd(56_000),
});

/** By default of the partition `p`, with its prompt as the text of its key, for an hour and another one stale. */
export const anEntry = (prompt: string, changes: Partial<NewEntry> = {}): NewEntry => ({
  partition: digest('p'),
  key: digest(prompt),
  prompt,
  vector: vectorOf(prompt),
  tenant: 'acme',
  route: 'default/r',
  model: 'm',
  tags: [],
  askedAt: Number.MAX_SAFE_INTEGER as EpochMillis,
  ttl: millis(3_600_000),
  staleFor: millis(3_600_000),
  embedder: 'e1',
  guards: 'g1',
  ...changes,
});

/** Of length 1; the same for the same text, and hardly alike for two. */
export function vectorOf(text: string, dimension = 64): Float32Array {
  const bytes = createHash('shake256', { outputLength: 4 * dimension })
    .update(text)
    .digest();
  return unit(Float32Array.from({ length: dimension }, (_, i) => bytes.readInt32LE(4 * i)));
}

/** Between two vectors; `share` 0 is the first. */
export const between = (one: Float32Array, other: Float32Array, share: number): Float32Array =>
  unit(one.map((component, i) => component * (1 - share) + other[i]! * share));

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map(component => component / length);
}
