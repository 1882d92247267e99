// Embeddings on OpenAI's wire: texts that share words have vectors that are near each other, the same in every run.
import { createHash } from 'node:crypto';
import type { Json } from './shape.ts';
import { countTokens } from './tokens.ts';
import { invalid } from './wires/openai-errors.ts';
import type { Refusal } from './wires/wire.ts';

const DIMENSIONS = 64;
const MAX_INPUTS = 2048;

export function embeddingsReply(body: unknown): Refusal {
  const { model, input } = (typeof body === 'object' && body !== null ? body : {}) as Json;
  const texts = typeof input === 'string' ? [input] : input;
  if (typeof model !== 'string' || model === '') return invalid('you must provide a model parameter');
  if (!Array.isArray(texts) || texts.length === 0 || texts.length > MAX_INPUTS || texts.some(text => typeof text !== 'string'))
    return invalid("'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.");
  const prompt = (texts as string[]).reduce((sum, text) => sum + countTokens(text), 0);
  return {
    status: 200,
    body: {
      object: 'list',
      data: (texts as string[]).map((text, index) => ({ object: 'embedding', index, embedding: vectorOf(text) })),
      model,
      usage: { prompt_tokens: prompt, total_tokens: prompt },
    },
  };
}

/** The sum of a fixed vector for each word. */
function vectorOf(text: string): number[] {
  const sum = Array.from({ length: DIMENSIONS }, () => 0);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text])
    for (const [at, byte] of createHash('sha512').update(word).digest().entries()) sum[at]! += byte / 127.5 - 1;
  const length = Math.hypot(...sum) || 1;
  return sum.map(value => value / length);
}
