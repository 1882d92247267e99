// The built-in embedder: a table with one vector per piece of a word, and the mean of a text's pieces as its vector. Microseconds a prompt,
// no native code. Loaded with the first route that caches by meaning, and never before: it takes some megabytes.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Embedder, normalised } from './embedder.ts';
import { tokenIds, vocabularyOf } from './wordpiece.ts';

const folder = path.join(import.meta.dirname, 'potion-base-2M');
const DIMENSIONS = 64;
/** Tokens of a prompt that count: beyond it the mean says little. */
const MAX_TOKENS = 512;

type StaticEmbedder = Embedder & Required<Pick<Embedder, 'embedNow' | 'wordVector'>>;

let loaded: StaticEmbedder | undefined;

export function staticEmbedder(): StaticEmbedder {
  loaded ??= load();
  return loaded;
}

function load(): StaticEmbedder {
  const file = (name: string) => readFileSync(path.join(folder, name));
  const vocabulary = vocabularyOf(file('vocab.txt').toString('utf8'));
  const bytes = file('embeddings.int8.bin');
  const rows = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  // A copy: floats have to lie at a multiple of four.
  const scales = new Float32Array(Uint8Array.from(file('scales.f32.bin')).buffer);
  const embedOne = (text: string): Float32Array => {
    const sum = new Float32Array(DIMENSIONS);
    for (const id of tokenIds(text, vocabulary, MAX_TOKENS)) {
      const scale = scales[id]!;
      for (let at = 0, from = id * DIMENSIONS; at < DIMENSIONS; at++) sum[at]! += rows[from + at]! * scale;
    }
    return normalised(sum);
  };
  return {
    id: 'potion-base-2M',
    version: 'int8-1',
    dimensions: DIMENSIONS,
    reads: 'content',
    embed: texts => Promise.resolve(texts.map(embedOne)),
    embedNow: texts => texts.map(embedOne),
    wordVector: word => {
      const ids = tokenIds(word, vocabulary, MAX_TOKENS);
      return ids.length === 0 || ids.includes(vocabulary.unknown) ? undefined : embedOne(word);
    },
    close: () => Promise.resolve(),
  };
}
