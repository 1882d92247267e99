// Cohere's own wire, version 2 (`cohere-ai` 8, V2EmbedRequest and V2RerankRequest): embed and rerank, billed in tokens and in search units.
import { digestOf } from '../answer.ts';
import { integer, type Json, list, object, oneOf, type Problem, text } from '../shape.ts';
import { countTokens } from '../tokens.ts';
import { openaiPath } from '../wires/openai-errors.ts';
import type { Refusal } from '../wires/wire.ts';
import { ranked } from './rerank.ts';
import { base64Of, vectorOf } from './vectors.ts';

const cohereError = (status: number, message: string): Refusal => ({
  status,
  body: { id: digestOf(message).slice(0, 32), message },
});

function cohereProblem(problem: Problem): Refusal {
  const path = openaiPath(problem.path);
  if (problem.kind === 'unknown') return cohereError(400, `unknown field: parameter '${path}' is not a valid field`);
  if (problem.kind === 'missing') return cohereError(400, `invalid request: ${path} must be provided`);
  return cohereError(400, `invalid type: parameter ${path} is not valid`);
}

/** "Maximum number of texts per call is 96." */
const MAX_TEXTS = 96;
const embedRequest = object(
  {
    model: text({ min: 1 }),
    texts: list(text(), { min: 1 }),
    input_type: oneOf('search_document', 'search_query', 'classification', 'clustering', 'image'),
  },
  {
    embedding_types: list(oneOf('float', 'int8', 'uint8', 'binary', 'ubinary', 'base64')),
    output_dimension: integer(1),
    truncate: oneOf('NONE', 'START', 'END'),
    max_tokens: integer(1),
    priority: integer(0),
  },
);
const DIMENSIONS = [256, 512, 1024, 1536];

export function cohereEmbed(body: unknown): Refusal {
  const problem = embedRequest(body);
  if (problem) return cohereProblem(problem);
  const { model, texts, embedding_types: types = ['float'], output_dimension: size = 1536 } = body as Json;
  if (texts.length > MAX_TEXTS)
    return cohereError(400, `invalid request: total number of texts must be at most ${MAX_TEXTS}, received ${texts.length}`);
  if (!DIMENSIONS.includes(size)) return cohereError(400, `invalid output_dimension: must be one of ${DIMENSIONS.join(', ')}`);
  const vectors: Float32Array[] = texts.map((one: string) => vectorOf(one, size));
  const input = texts.reduce((sum: number, one: string) => sum + countTokens(one), 0);
  return {
    status: 200,
    body: {
      id: digestOf(model, ...texts).slice(0, 32),
      embeddings: {
        ...(types.includes('float') && { float: vectors.map(vector => Array.from(vector)) }),
        ...(types.includes('base64') && { base64: vectors.map(base64Of) }),
      },
      texts,
      meta: { api_version: { version: '2' }, billed_units: { input_tokens: input } },
      response_type: 'embeddings_by_type',
    },
  };
}

const rerankRequest = object(
  { model: text({ min: 1 }), query: text({ min: 1 }), documents: list(text(), { min: 1, max: 10_000 }) },
  { top_n: integer(1), max_tokens_per_doc: integer(1), priority: integer(0) },
);

export function cohereRerank(body: unknown): Refusal {
  const problem = rerankRequest(body);
  if (problem) return cohereProblem(problem);
  const { query, documents } = body as Json;
  const chunks = documents.reduce((sum: number, one: string) => sum + Math.max(1, Math.ceil(countTokens(one) / 500)), 0);
  return {
    status: 200,
    body: {
      id: digestOf(query, ...documents).slice(0, 32),
      results: ranked(body as Json, false),
      meta: { api_version: { version: '2' }, billed_units: { search_units: Math.ceil(chunks / 100) } },
    },
  };
}
