// Cohere's own API, beside the wire of OpenAI's that it has for conversations (`/compatibility/v1`): that one knows no size of vectors, no
// purpose of them, and no rerank.
import { ok, type Parsed } from '#core/failure.ts';
import { decodeEmbeddings, decodeRanking, embedBody, rerankBody } from '../cohere/index.ts';
import { LeavingOut } from '../leaving-out.ts';
import { addressBelow, classify, credentialHeaders, inspectList } from '../openai/index.ts';
import type { Address, EncodedRequest, RequestFields, Target, UnaryWire } from '../provider.ts';
import type { CompatibleConnection, CompatibleTarget } from './target.ts';

const common = { tokenizer: 'other', classify } as const;

/** The API's root, from the URL that conversations go to. */
const below =
  (path: string) =>
  ({ provider, credential }: CompatibleTarget): Address =>
    addressBelow(
      provider.connection.baseURL.replace(/(?:\/compatibility)?\/v\d$/, ''),
      path,
      credentialHeaders({ provider, credential }),
    );

function encoded({ model, provider }: Target, bodyOf: (limits: LeavingOut) => object): Parsed<EncodedRequest> {
  const limits = new LeavingOut('Cohere', provider.parameters.dropUnsupported);
  const body = { model: model.upstreamName, ...bodyOf(limits) };
  return limits.refusal ? { ok: false, failure: limits.refusal } : ok({ body, dropped: limits.dropped });
}

export const cohereEmbeddings: UnaryWire<'Embeddings', CompatibleConnection> = {
  ...common,
  address: below('/v2/embed'),
  translation: {
    encode: (request, target) => encoded(target, limits => embedBody(request, target.model.upstreamName, limits)),
    decodeReply: decodeEmbeddings,
  },
};

/** Fields that clients of the first version, or of Jina's, send. */
const OTHERS = ['return_documents', 'rank_fields', 'max_chunks_per_doc', 'truncation', 'user'];

function isForeign(body: RequestFields): boolean {
  const documents = body.get('documents');
  return OTHERS.some(name => body.has(name)) || (Array.isArray(documents) && documents.some(one => typeof one !== 'string'));
}

export const cohereRerank: UnaryWire<'Rerank', CompatibleConnection> = {
  ...common,
  address: below('/v2/rerank'),
  native: { dialect: 'rerank', isForeign, inspectReply: reply => inspectList(reply, 'results') },
  translation: {
    encode: (request, target) => encoded(target, limits => rerankBody(request, limits)),
    decodeReply: decodeRanking,
  },
};
