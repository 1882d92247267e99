// Embeddings and rerank by InvokeModel, whose body is the model's own: Amazon's Titan and Nova, one text a request, and Cohere's.
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import { type EmbeddingRequest, textsOf, vectorsInOrder } from '#core/unary/embeddings.ts';
import type { RerankRequest } from '#core/unary/rerank.ts';
import type { UnaryReply } from '#core/unary/unary.ts';
import { tokens } from '#core/units.ts';
import { decodeEmbeddings, decodeRanking, embedBody, rerankBody } from '../cohere/index.ts';
import { LeavingOut } from '../leaving-out.ts';
import type { ClientHeaders, EncodedRequest, UnaryWire } from '../provider.ts';
import { countOf, entryOf, recordOf, recordsOf } from '../wire.ts';
import { addressOf } from './address.ts';
import { authorize } from './authorize.ts';
import { classify } from './errors.ts';
import { type BedrockConnection, type BedrockTarget, tellingName } from './target.ts';

type Reply = Parsed<UnaryReply<'Embeddings'>>;

/** How a family of models is asked for vectors. */
type Family = {
  readonly name: RegExp;
  body(request: EmbeddingRequest, limits: LeavingOut, name: string): Record<string, unknown>;
  decode(body: Record<string, unknown>, request: EmbeddingRequest): Reply;
};

/** Of a model that takes one text: what a request for several gets is said before it is sent. */
function onlyText({ inputs, extra }: EmbeddingRequest, limits: LeavingOut): unknown {
  for (const name of Object.keys(extra)) limits.leaveOut(name);
  return inputs[0];
}

function oneVector(vector: unknown): Reply {
  const vectors = vectorsInOrder([{ index: 0, vector: Array.isArray(vector) ? vector : undefined }], 1);
  return vectors ? ok({ vectors }) : refuse('upstream_bad_response');
}

/** Nova has purposes of its own. */
const purposes: Readonly<Record<string, string>> = {
  search_query: 'TEXT_RETRIEVAL',
  search_document: 'GENERIC_INDEX',
  classification: 'CLASSIFICATION',
  clustering: 'CLUSTERING',
};

const families: readonly Family[] = [
  {
    name: /^amazon\.titan-embed/,
    body(request, limits, name) {
      const { dimensions, purpose } = request;
      if (purpose !== undefined) limits.leaveOut('input_type');
      // The first version has one size.
      const size = dimensions !== undefined && !/-v2\b/.test(name) ? limits.leaveOut('dimensions') : dimensions;
      return { inputText: onlyText(request, limits), ...(size !== undefined && { dimensions: size }) };
    },
    decode: ({ embedding }) => oneVector(embedding),
  },
  {
    name: /^amazon\.nova-.*embed/,
    body(request, limits) {
      const { dimensions, purpose = 'search_document' } = request;
      return {
        taskType: 'SINGLE_EMBEDDING',
        singleEmbeddingParams: {
          embeddingPurpose: entryOf(purposes, purpose) ?? limits.leaveOut('input_type') ?? 'GENERIC_INDEX',
          text: { value: onlyText(request, limits), truncationMode: 'NONE' },
          ...(dimensions !== undefined && { embeddingDimension: dimensions }),
        },
      };
    },
    decode: ({ embeddings }) => oneVector(recordOf(recordsOf(embeddings)[0]).embedding),
  },
];

/** Several texts at once, in the form of Cohere's own API. */
const cohere: Family = {
  name: /^cohere\.embed/,
  body(request, limits, name) {
    const { embedding_types: types, ...body } = embedBody(request, name, limits);
    // The third version answers with a plain list where it is not asked for types.
    return /-v3\b/.test(name) ? body : { ...body, embedding_types: types };
  },
  decode: decodeEmbeddings,
};

const familyOf = (name: string): Family | undefined => [...families, cohere].find(family => family.name.test(name));

const wireOf = (family: Family): UnaryWire<'Embeddings', BedrockConnection> => ({
  ...common,
  translation: {
    ...(family !== cohere && { maxTexts: 1 }),
    encode: (request, target) => encode(request, target, family),
    decodeReply: (body, request, headers) =>
      withUsage(isRecord(body) ? family.decode(body, request) : refuse('upstream_bad_response'), headers),
  },
});

const invoke = addressOf('invoke', 'invoke');

const common = {
  tokenizer: 'other',
  address: (target: BedrockTarget) => invoke(target, { stream: false, action: 'generate' }),
  authorize,
  classify,
} as const;

function encode(request: EmbeddingRequest, target: BedrockTarget, family: Family): Parsed<EncodedRequest> {
  const limits = new LeavingOut('Bedrock', target.provider.parameters.dropUnsupported);
  if (!textsOf(request)) limits.refuse('input', 'Bedrock does not take tokens as input.');
  if (family !== cohere && request.inputs.length > 1) limits.refuse('input', 'This model takes one text a request at Bedrock.');
  const body = family.body(request, limits, tellingName(target.model));
  return limits.refusal ? { ok: false, failure: limits.refusal } : ok({ body, dropped: limits.dropped });
}

/** Every reply of InvokeModel tells its tokens in a header. */
function withUsage(reply: Reply, headers: ClientHeaders): Reply {
  const count = countOf(Number(headers['x-amzn-bedrock-input-token-count']));
  if (!reply.ok || count === 0) return reply;
  const usage: Usage = { ...noUsage, inputUncached: tokens(count) };
  return ok({ ...reply.value, usage });
}

const wires = new Map([...families, cohere].map(family => [family, wireOf(family)]));

/** undefined: it is no model that makes vectors. */
export function embeddingsOf({ model }: Pick<BedrockTarget, 'model'>): UnaryWire<'Embeddings', BedrockConnection> | undefined {
  const family = familyOf(tellingName(model));
  return family && wires.get(family);
}

const rerank: UnaryWire<'Rerank', BedrockConnection> = {
  ...common,
  translation: { encode: encodeRerank, decodeReply: decodeRerank },
};

const RERANKERS = /^(?:cohere|amazon)\.rerank/;

export const rerankOf = ({ model }: Pick<BedrockTarget, 'model'>): UnaryWire<'Rerank', BedrockConnection> | undefined =>
  RERANKERS.test(tellingName(model)) ? rerank : undefined;

function encodeRerank(request: RerankRequest, target: BedrockTarget): Parsed<EncodedRequest> {
  const limits = new LeavingOut('Bedrock', target.provider.parameters.dropUnsupported);
  const isCohere = tellingName(target.model).startsWith('cohere.');
  if (!isCohere && request.maxTokensPerDocument !== undefined) limits.leaveOut('max_tokens_per_doc');
  const { max_tokens_per_doc: most, ...body } = rerankBody(request, limits);
  const own = isCohere ? { api_version: 2, ...(most !== undefined && { max_tokens_per_doc: most }) } : {};
  return limits.refusal ? { ok: false, failure: limits.refusal } : ok({ body: { ...body, ...own }, dropped: limits.dropped });
}

/** "A query can contain up to 100 document chunks": more are billed as several (Bedrock's pricing page). The reply does not say. */
const QUERY_DOCUMENTS = 100;

function decodeRerank(body: unknown, request: RerankRequest): Parsed<UnaryReply<'Rerank'>> {
  const ranking = decodeRanking(body, request);
  if (!ranking.ok) return ranking;
  const requests = Math.ceil(request.documents.length / QUERY_DOCUMENTS);
  return ok({ ...ranking.value, usage: ranking.value.usage ?? { ...noUsage, requests } });
}
