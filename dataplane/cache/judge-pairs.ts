// What the cache would decide of labelled pairs: for `tollgate cache-eval`, the bench and the test that holds the floor.
import { contentText } from '#core/cache/content-text.ts';
import { decide } from '#core/cache/decide.ts';
import type { Mode } from '#core/cache/difference.ts';
import type { Judged, LabelledPair } from '#core/cache/evaluate.ts';
import { type Reading, read } from '#core/cache/reading.ts';
import { cosine, type Embedder } from './embedders/embedder.ts';
import { staticEmbedder } from './embedders/static.ts';
import { thesaurus } from './thesaurus.ts';
import { wordSimilarity } from './word-similarity.ts';

/** Prompts that go to the embedder in one call. */
const BATCH = 64;

export type Vectors = ReadonlyMap<string, Float32Array>;

/** The first prompt of a pair is in the cache, the second one asks. */
export function judge(
  pairs: readonly LabelledPair[],
  mode: Mode,
  threshold: number,
  vectors: Vectors,
  embedder: Embedder,
): Judged[] {
  // A transformer has no vectors of single words: the built-in table stands in.
  const alike = wordSimilarity(embedder) ?? (mode === 'Balanced' ? wordSimilarity(staticEmbedder()) : undefined);
  const means = { thesaurus: thesaurus(), ...(alike && { alike }) };
  return pairs.map(pair => {
    const similarity = cosine(vectors.get(pair.a)!, vectors.get(pair.b)!);
    return { ...pair, similarity, decision: decide({ reading: read(pair.a), similarity }, read(pair.b), mode, threshold, means) };
  });
}

/** What an embedder is given of a prompt. */
export const embedded = (reading: Reading, { reads }: Embedder): string =>
  reads === 'content' ? contentText(reading) : reading.text;

/** Of every prompt of the pairs. */
export async function vectorsOf(pairs: readonly LabelledPair[], embedder: Embedder): Promise<Vectors> {
  const prompts = [...new Set(pairs.flatMap(({ a, b }) => [a, b]))];
  const vectors = new Map<string, Float32Array>();
  for (let from = 0; from < prompts.length; from += BATCH) {
    const batch = prompts.slice(from, from + BATCH);
    const made = await embedder.embed(batch.map(prompt => embedded(read(prompt), embedder)));
    for (const [at, prompt] of batch.entries()) vectors.set(prompt, made[at]!);
  }
  return vectors;
}
