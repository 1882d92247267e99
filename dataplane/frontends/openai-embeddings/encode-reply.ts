// Vectors as OpenAI's list of embeddings, in numbers or in base64 as the client asked.
import { promptTokens } from '#core/chat/usage.ts';
import type { EmbeddingRequest, Vector } from '#core/unary/embeddings.ts';
import type { UnaryReply } from '#core/unary/unary.ts';
import type { EncodedReply } from '../frontend.ts';

export function encodeReply(reply: UnaryReply<'Embeddings'>, { model, encoding }: EmbeddingRequest): EncodedReply {
  const { vectors, usage } = reply;
  const used = usage && promptTokens(usage);
  const written = encoding === 'base64' ? base64Of : numbersOf;
  const body = {
    object: 'list',
    data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: written(vector) })),
    model: reply.model ?? model,
    ...(used !== undefined && { usage: { prompt_tokens: used, total_tokens: used } }),
  };
  return { body: JSON.stringify(body) };
}

/** Not as JSON writes a typed array, which is an object. */
const numbersOf = (vector: Vector): readonly number[] => Array.from(vector);

/** 32-bit floats, little-endian whatever this machine is. */
function base64Of(vector: Vector): string {
  const bytes = Buffer.allocUnsafe(vector.length * 4);
  for (let at = 0; at < vector.length; at++) bytes.writeFloatLE(vector[at]!, at * 4);
  return bytes.toString('base64');
}
