// Whether two questions mean the same: vectors say which are near, guards and the words that differ say which of those are the same.
// Readings of kept questions are remembered, as popular ones are compared again and again.
import { decide, GUARD_VERSION, type Means } from '#core/cache/decide.ts';
import { type Reading, read } from '#core/cache/reading.ts';
import type { AnswerCache, ModelAt } from '#core/snapshot/snapshot.ts';
import type { Embedder } from './embedders/embedder.ts';
import { staticEmbedder } from './embedders/static.ts';
import { embedded } from './judge-pairs.ts';
import type { Inquiry, Meaning } from './lookup.ts';
import type { Kind } from './question.ts';
import type { CacheEntry } from './store.ts';
import { thesaurus } from './thesaurus.ts';
import { wordSimilarity } from './word-similarity.ts';

/** undefined: that model is not there, or makes no embeddings. */
export type EmbedderAt = (target: ModelAt) => Embedder | undefined;

const exactOnly: Kind = { embedder: 'none', guards: 'none' };

export class Meanings implements Meaning {
  readonly #embedderAt: EmbedderAt;
  #means: Means | undefined;
  readonly #readings = new WeakMap<CacheEntry, Reading>();

  constructor(embedderAt: EmbedderAt) {
    this.#embedderAt = embedderAt;
  }

  kindOf(cache: AnswerCache): Kind {
    const embedder = this.#embedderOf(cache);
    return embedder ? { embedder: `${embedder.id}@${embedder.version}`, guards: `${GUARD_VERSION}` } : exactOnly;
  }

  prepare(cache: AnswerCache): void {
    if (this.#embedderOf(cache)) this.#loaded();
  }

  inquire(cache: AnswerCache, prompt: string): Inquiry {
    const question = read(prompt);
    return {
      vector: () => this.#vectorOf(cache, question),
      compare: (entry, similarity, threshold) =>
        decide({ reading: this.#readingOf(entry), similarity }, question, cache.match, threshold, this.#loaded()),
    };
  }

  #embedderOf({ mode, embedding }: AnswerCache): Embedder | undefined {
    if (mode !== 'Semantic') return undefined;
    return embedding ? this.#embedderAt(embedding) : staticEmbedder();
  }

  async #vectorOf(cache: AnswerCache, question: Reading): Promise<Float32Array | undefined> {
    const embedder = this.#embedderOf(cache);
    if (!embedder) return undefined;
    const texts = [embedded(question, embedder)];
    const [vector] = embedder.embedNow?.(texts) ?? (await embedder.embed(texts).catch(() => []));
    return vector?.some(value => value !== 0) ? vector : undefined;
  }

  /** Words without context are the built-in table's, whoever makes the vectors of whole questions. */
  #loaded(): Means {
    if (this.#means) return this.#means;
    const alike = wordSimilarity(staticEmbedder());
    this.#means = { thesaurus: thesaurus(), ...(alike && { alike }) };
    return this.#means;
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
