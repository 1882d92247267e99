// Rerank as clients speak it, in the form of Cohere (both versions) and Jina: `/v1/rerank`, `/v2/rerank`, `/rerank`.
import type { Parsed } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import { tokens } from '#core/units.ts';
import { invalid, isFilledList, readEssentials } from '../essentials.ts';
import type { Envelope, UnaryFrontend } from '../frontend.ts';
import { countTexts, unaryEnvelope, unaryFields } from '../unary-body.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeReply } from './encode-reply.ts';
import { encodeError, encodeStreamError } from './errors.ts';
import { extent } from './extent.ts';

export const rerank: UnaryFrontend<'Rerank'> = {
  dialect: 'rerank',
  operation: 'Rerank',
  fields: unaryFields('documents', 'query', 'top_n', 'max_tokens_per_doc'),
  inspect,
  extent,
  count,
  translation: { decode: decodeRequest, encodeReply },
  encodeError,
  encodeStreamError,
};

function inspect(body: JsonView): Parsed<Envelope> {
  const essentials = readEssentials(body, undefined);
  if (!essentials.ok) return essentials;
  if (!body.has('query')) return invalid('query', 'a text that is not empty');
  if (!isFilledList(body, 'documents')) return invalid('documents', 'a list of at least one document');
  return unaryEnvelope(body, essentials.value.model);
}

/** The query is read once with each document. */
async function count(body: JsonView, estimate: (text: string) => Promise<number>) {
  const request = decodeRequest(body);
  // What cannot be read is refused by its provider, or counts by its size.
  if (!request.ok) return { tokens: tokens(extent(body).bytes), texts: 1 };
  const { query, documents } = request.value;
  return countTexts(documents, estimate, documents.length * (await estimate(query)));
}
