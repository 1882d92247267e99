// How alike two words are by an embedder's vectors of single words, for the mode Balanced.
import type { WordSimilarity } from '#core/cache/difference.ts';
import { cosine, type Embedder } from './embedders/embedder.ts';

/** Words whose vectors are kept; the oldest go first. */
const MAX_WORDS = 5000;

export function wordSimilarity({ wordVector }: Embedder): WordSimilarity | undefined {
  if (!wordVector) return undefined;
  const vectors = new Map<string, Float32Array | undefined>();
  const vectorOf = (word: string): Float32Array | undefined => {
    if (vectors.has(word)) return vectors.get(word);
    if (vectors.size >= MAX_WORDS) vectors.delete(vectors.keys().next().value!);
    const vector = wordVector(word);
    vectors.set(word, vector);
    return vector;
  };
  return (a, b) => {
    const [x, y] = [vectorOf(a.form), vectorOf(b.form)];
    return x && y ? cosine(x, y) : 0;
  };
}
