// Rerank in Cohere's own form (version 2), at Cohere and at Bedrock. Read against cohere-ai 8.1 (V2RerankRequest).
import { noUsage } from '#core/chat/usage.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import type { RerankRequest, RerankResult } from '#core/unary/rerank.ts';
import type { UnaryReply } from '#core/unary/unary.ts';
import type { LeavingOut } from '../leaving-out.ts';
import { countOf, recordOf, recordsOf, textOf } from '../wire.ts';

export function rerankBody(request: RerankRequest, limits: LeavingOut): Record<string, unknown> {
  const { query, documents, topN, maxTokensPerDocument, extra } = request;
  for (const name of Object.keys(extra)) limits.leaveOut(name);
  return {
    query,
    documents,
    ...(topN !== undefined && { top_n: topN }),
    ...(maxTokensPerDocument !== undefined && { max_tokens_per_doc: maxTokensPerDocument }),
  };
}

export function decodeRanking(body: unknown, { documents }: RerankRequest): Parsed<UnaryReply<'Rerank'>> {
  if (!isRecord(body) || !Array.isArray(body.results)) return refuse('upstream_bad_response');
  const results = recordsOf(body.results).map(({ index, relevance_score: score }) => ({ index, score }));
  if (!results.every(isResult(documents.length))) return refuse('upstream_bad_response');
  const id = textOf(body.id);
  const units = countOf(recordOf(recordOf(body.meta).billed_units).search_units);
  return ok({
    results: results as readonly RerankResult[],
    ...(id !== '' && { id }),
    ...(units > 0 && { usage: { ...noUsage, requests: units } }),
  });
}

const isResult =
  (count: number) =>
  ({ index, score }: { index: unknown; score: unknown }): boolean =>
    Number.isSafeInteger(index) && (index as number) >= 0 && (index as number) < count && Number.isFinite(score);
