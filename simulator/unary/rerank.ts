// Rerank as Jina and vLLM have it, on a wire like OpenAI's: the query counts with each document.
import { digestOf } from '../answer.ts';
import { flag, integer, isRecord, type Json, list, object, type Problem, text } from '../shape.ts';
import { countTokens } from '../tokens.ts';
import { openaiProblem } from '../wires/openai-errors.ts';
import { vllmProblem } from '../wires/vllm-errors.ts';
import type { Refusal } from '../wires/wire.ts';
import { relevanceOf } from './vectors.ts';

const document = (value: unknown): Problem | undefined => (isRecord(value) ? object({ text: text() })(value) : text()(value));
const required = { model: text({ min: 1 }), query: text({ min: 1 }), documents: list(document, { min: 1, max: 2048 }) };
const request = object(required, { top_n: integer(1), return_documents: flag, max_tokens_per_doc: integer(1), truncation: flag });
/** vLLM lets everything through that it does not know; a `top_n` of 0 is all. */
const openRequest = object(required, { top_n: integer(0) }, true);

/** Shows its documents unless it is told not to. */
export function jinaRerank(body: unknown): Refusal {
  const problem = request(body);
  if (problem) return openaiProblem(problem);
  const { model, return_documents: shows = true } = body as Json;
  const tokens = tokensOf(body as Json);
  return {
    status: 200,
    body: { model, object: 'list', usage: { total_tokens: tokens, prompt_tokens: tokens }, results: ranked(body as Json, shows) },
  };
}

export function vllmRerank(body: unknown): Refusal {
  const problem = openRequest(body);
  if (problem) return vllmProblem(problem, undefined);
  const { model, query } = body as Json;
  const tokens = tokensOf(body as Json);
  return {
    status: 200,
    body: {
      id: `score-${digestOf(query).slice(0, 16)}`,
      model,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
      results: ranked(body as Json, true),
    },
  };
}

const textOf = (one: string | Json): string => (typeof one === 'string' ? one : one.text);

const tokensOf = ({ query, documents }: Json): number =>
  documents.reduce((sum: number, one: string | Json) => sum + countTokens(query) + countTokens(textOf(one)), 0);

/** Best first; equal ones in their order. */
export function ranked({ query, documents, top_n: top }: Json, shows: boolean) {
  const results = (documents as (string | Json)[]).map((one, index) => ({
    index,
    ...(shows && { document: { text: textOf(one) } }),
    relevance_score: relevanceOf(query, textOf(one)),
  }));
  results.sort((a, b) => b.relevance_score - a.relevance_score || a.index - b.index);
  return top ? results.slice(0, top) : results;
}
