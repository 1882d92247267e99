// Vectors that mean something: texts that share words are near each other, the same in every run.
import { createHash } from 'node:crypto';

/** The sum of a fixed vector for each word, at length 1, in 32-bit floats as models have them. */
export function vectorOf(input: string | readonly number[], dimensions: number): Float32Array {
  const words = typeof input === 'string' ? (input.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [input]) : input.map(String);
  const sum = new Float64Array(dimensions);
  for (const word of words) for (let from = 0; from < dimensions; from += 64) addWord(sum, word, from);
  const length = Math.hypot(...sum) || 1;
  return Float32Array.from(sum, value => value / length);
}

function addWord(sum: Float64Array, word: string, from: number): void {
  const bytes = createHash('sha512')
    .update(from === 0 ? word : `${word} ${from}`)
    .digest();
  for (let at = 0; at < 64 && from + at < sum.length; at++) sum[from + at]! += bytes[at]! / 127.5 - 1;
}

export const base64Of = (vector: Float32Array): string =>
  Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');

/** The share of a query's words that a document has: 0 to 1. */
export function relevanceOf(query: string, document: string): number {
  const words = (text: string) => new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  const [asked, said] = [words(query), words(document)];
  const shared = [...asked].filter(word => said.has(word)).length;
  return Math.round((shared / Math.max(1, asked.size)) * 1e6) / 1e6;
}
