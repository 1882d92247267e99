// A ranking in the words of Cohere and of Jina at once: the results are the same, the usage has a place for each.
import { promptTokens, type Usage } from '#core/chat/usage.ts';
import type { RerankRequest } from '#core/unary/rerank.ts';
import type { UnaryReply } from '#core/unary/unary.ts';
import type { EncodedReply, ReplyContext } from '../frontend.ts';

export function encodeReply(
  { id, model, results, usage }: UnaryReply<'Rerank'>,
  request: RerankRequest,
  { requestId }: ReplyContext,
): EncodedReply {
  const { documents, returnsDocuments } = request;
  const body = {
    id: id ?? requestId,
    model: model ?? request.model,
    results: results.map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(returnsDocuments && { document: { text: documents[index] } }),
    })),
    ...(usage && usageOf(usage)),
  };
  return { body: JSON.stringify(body) };
}

function usageOf(usage: Usage) {
  const total = promptTokens(usage);
  return {
    ...(usage.requests !== undefined && { meta: { billed_units: { search_units: usage.requests } } }),
    ...(total > 0 && { usage: { total_tokens: total } }),
  };
}
