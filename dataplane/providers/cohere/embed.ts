// Embeddings in Cohere's own form (version 2), at Cohere and at Bedrock. Read against cohere-ai 8.1 (V2EmbedRequest).
import { noUsage } from '#core/chat/usage.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import { type EmbeddingRequest, textsOf, type Vector, vectorsInOrder } from '#core/unary/embeddings.ts';
import type { UnaryReply } from '#core/unary/unary.ts';
import { tokens } from '#core/units.ts';
import type { LeavingOut } from '../leaving-out.ts';
import { countOf, recordOf, textOf } from '../wire.ts';

/** "Only available for embed-v4 and newer models." */
const fixedSize = /embed-(?:english|multilingual)/;

/** @param upstreamName of the model, which decides what it can do */
export function embedBody(request: EmbeddingRequest, upstreamName: string, limits: LeavingOut): Record<string, unknown> {
  const { dimensions, purpose, extra } = request;
  const texts = textsOf(request) ?? limits.refuse('input', 'Models of Cohere do not take tokens as input.');
  for (const name of Object.keys(extra)) limits.leaveOut(name);
  const size = dimensions !== undefined && fixedSize.test(upstreamName) ? limits.leaveOut('dimensions') : dimensions;
  return {
    texts,
    // Required since version 3; vectors that are kept are made so, those of a question want to be asked for.
    input_type: purpose ?? 'search_document',
    embedding_types: ['float'],
    ...(size !== undefined && { output_dimension: size }),
    // As OpenAI has it: what is too long is an error, and not cut without a word.
    truncate: 'NONE',
  };
}

export function decodeEmbeddings(body: unknown, { inputs }: EmbeddingRequest): Parsed<UnaryReply<'Embeddings'>> {
  if (!isRecord(body)) return refuse('upstream_bad_response');
  const { embeddings } = body;
  // Bedrock's older models have the list itself.
  const listed = Array.isArray(embeddings) ? embeddings : recordOf(embeddings).float;
  const all: readonly unknown[] = Array.isArray(listed) ? listed : [];
  const vectors = vectorsInOrder(
    all.map((vector, index) => ({ index, vector: Array.isArray(vector) ? (vector as Vector) : undefined })),
    inputs.length,
  );
  if (!vectors) return refuse('upstream_bad_response');
  const id = textOf(body.id);
  const billed = countOf(recordOf(recordOf(body.meta).billed_units).input_tokens);
  return ok({
    vectors,
    ...(id !== '' && { id }),
    ...(billed > 0 && { usage: { ...noUsage, inputUncached: tokens(billed) } }),
  });
}
