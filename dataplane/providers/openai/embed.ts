// Embeddings as OpenAI's wire has them: what OpenAI, Azure, vLLM, TEI, Ollama, Mistral and most others speak.
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import type { Connection } from '#core/snapshot/snapshot.ts';
import { type EmbeddingReply, type EmbeddingRequest, type Vector, vectorsInOrder } from '#core/unary/embeddings.ts';
import type { UnaryReply } from '#core/unary/unary.ts';
import type { Address, EncodedRequest, Target, UnaryWire } from '../provider.ts';
import { recordsOf } from '../wire.ts';
import { classify } from './errors.ts';
import { inspectList, replyTold } from './unary-reply.ts';

const EMBEDDINGS = '/embeddings';

export const embeddingsWire = <C extends Connection>(
  tokenizer: 'own' | 'other',
  address: (target: Target<C>, path: string) => Address,
): UnaryWire<'Embeddings', C> => ({
  tokenizer,
  address: target => address(target, EMBEDDINGS),
  native: { dialect: 'openai-embeddings', inspectReply: reply => inspectList(reply, 'data') },
  translation: { encode, decodeReply },
  classify,
});

function encode({ inputs, dimensions, purpose, user, extra }: EmbeddingRequest, { model }: Target): Parsed<EncodedRequest> {
  const body = {
    ...extra,
    model: model.upstreamName,
    input: inputs,
    // Numbers: not all who speak this wire know base64.
    encoding_format: 'float',
    ...(dimensions !== undefined && { dimensions }),
    ...(purpose !== undefined && { input_type: purpose }),
    ...(user !== undefined && { user }),
  };
  return ok({ body, dropped: [] });
}

function decodeReply(body: unknown, { inputs }: EmbeddingRequest): Parsed<UnaryReply<'Embeddings'>> {
  const told = replyTold(body);
  if (!told.ok) return told;
  const items = recordsOf(isRecord(body) ? body.data : undefined);
  const vectors = vectorsInOrder(
    items.map(({ index, embedding }, place) => ({ index: index ?? place, vector: vectorOf(embedding) })),
    inputs.length,
  );
  return vectors
    ? ok({ ...told.value, vectors } satisfies UnaryReply<'Embeddings'> & EmbeddingReply)
    : refuse('upstream_bad_response');
}

/** Some answer in base64 whatever they are asked for: 32-bit floats, little-endian. */
function vectorOf(value: unknown): Vector | undefined {
  if (typeof value !== 'string') return Array.isArray(value) ? value : undefined;
  const bytes = Buffer.from(value, 'base64');
  if (bytes.length % 4 !== 0) return undefined;
  return Float32Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4));
}
