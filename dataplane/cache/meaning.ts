// Whether two questions mean the same: vectors say which are near, guards and the words that differ say which of those are the same.
// Readings of kept questions are remembered, as popular ones are compared again and again.
import { decide, GUARD_VERSION, type Means } from '#core/cache/decide.ts';
import { type Reading, read } from '#core/cache/reading.ts';
import type { AnswerCache, ModelAt } from '#core/snapshot/snapshot.ts';
import type { Embedder } from './embedders/embedder.ts';
import type { Comparison, Meaning } from './lookup.ts';
import type { Kind } from './question.ts';
import type { CacheEntry } from './store.ts';

export type MeaningParts = {
  /** Loaded with the first question that needs it. @param target absent: the built-in one */
  readonly embedderFor: (target: ModelAt | undefined) => Embedder | undefined;
  /** The thesaurus, and the built-in embedder's words. Loaded as late. */
  readonly means: () => Means;
};

const exactOnly: Kind = { embedder: 'none', guards: 'none' };

export class Meanings implements Meaning {
  readonly #parts: MeaningParts;
  readonly #readings = new WeakMap<CacheEntry, Reading>();

  constructor(parts: MeaningParts) {
    this.#parts = parts;
  }

  kindOf({ mode, embedding }: AnswerCache): Kind {
    const embedder = mode === 'Semantic' ? this.#parts.embedderFor(embedding) : undefined;
    return embedder ? { embedder: `${embedder.id}@${embedder.version}`, guards: `${GUARD_VERSION}` } : exactOnly;
  }

  prepare(cache: AnswerCache): void {
    if (cache.mode !== 'Semantic') return;
    this.kindOf(cache);
    this.#parts.means();
  }

  async vectorOf({ embedding }: AnswerCache, prompt: string): Promise<Float32Array | undefined> {
    const embedder = this.#parts.embedderFor(embedding);
    if (!embedder) return undefined;
    const vectors = embedder.embedNow?.([prompt]) ?? (await embedder.embed([prompt]).catch(() => []));
    return vectors[0]?.some(value => value !== 0) ? vectors[0] : undefined;
  }

  comparisonWith(prompt: string, match: AnswerCache['match']): Comparison {
    const [question, means] = [read(prompt), this.#parts.means()];
    return (entry, similarity, threshold) =>
      decide({ reading: this.#readingOf(entry), similarity }, question, match, threshold, means);
  }

  #readingOf(entry: CacheEntry): Reading {
    let reading = this.#readings.get(entry);
    if (!reading) {
      reading = read(entry.prompt);
      this.#readings.set(entry, reading);
    }
    return reading;
  }
}
