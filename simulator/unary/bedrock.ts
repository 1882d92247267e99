// Embeddings and rerank of Bedrock's InvokeModel: each family has a body of its own (recordings of pydantic-ai, and AWS's "Inference request
// parameters"). Every answer tells its tokens in a header.

import { digestOf } from '../answer.ts';
import { flag, integer, type Json, list, object, oneOf, type Shape, text } from '../shape.ts';
import { countTokens } from '../tokens.ts';
import { bedrockProblem, invalid } from '../wires/bedrock-errors.ts';
import type { Refusal } from '../wires/wire.ts';
import { ranked } from './rerank.ts';
import { vectorOf } from './vectors.ts';

type Family = { readonly name: RegExp; readonly request: Shape; answer(body: Json, model: string): Refusal };

const answered = (body: unknown, tokens: number): Refusal => ({
  status: 200,
  headers: { 'x-amzn-bedrock-input-token-count': String(tokens) },
  body,
});

const numbers = (said: string, size: number): number[] => Array.from(vectorOf(said, size));

const cohereFields = {
  texts: list(text(), { min: 1, max: 96 }),
  input_type: oneOf('search_document', 'search_query', 'classification', 'clustering'),
};

const families: readonly Family[] = [
  {
    name: /^amazon\.titan-embed-text-v1/,
    request: object({ inputText: text({ min: 1 }) }),
    answer: ({ inputText }) =>
      answered({ embedding: numbers(inputText, 1536), inputTextTokenCount: countTokens(inputText) }, countTokens(inputText)),
  },
  {
    name: /^amazon\.titan-embed-text-v2/,
    request: object({ inputText: text({ min: 1 }) }, { dimensions: integer(), normalize: flag }),
    answer({ inputText, dimensions = 1024 }) {
      if (![256, 512, 1024].includes(dimensions)) return invalid('Malformed input request: #/dimensions: not a valid enum value');
      const embedding = numbers(inputText, dimensions);
      const body = { embedding, embeddingsByType: { float: embedding }, inputTextTokenCount: countTokens(inputText) };
      return answered(body, countTokens(inputText));
    },
  },
  {
    name: /^amazon\.nova-2-multimodal-embeddings/,
    request: object({
      taskType: oneOf('SINGLE_EMBEDDING'),
      singleEmbeddingParams: object(
        {
          embeddingPurpose: oneOf('GENERIC_INDEX', 'GENERIC_RETRIEVAL', 'TEXT_RETRIEVAL', 'CLASSIFICATION', 'CLUSTERING'),
          text: object({ value: text({ min: 1 }), truncationMode: oneOf('NONE', 'START', 'END') }),
        },
        { embeddingDimension: integer(256, 3072) },
      ),
    }),
    answer({ singleEmbeddingParams: { text: asked, embeddingDimension = 3072 } }) {
      const embedding = numbers(asked.value, embeddingDimension);
      return answered({ embeddings: [{ embedding, embeddingType: 'TEXT' }] }, countTokens(asked.value));
    },
  },
  {
    name: /^cohere\.embed/,
    request: object(cohereFields, {
      truncate: oneOf('NONE', 'START', 'END'),
      embedding_types: list(oneOf('float', 'int8')),
      output_dimension: integer(256, 1536),
      max_tokens: integer(1),
    }),
    answer({ texts, embedding_types: types, output_dimension: size = 1536 }, model) {
      const isThird = /-v3/.test(model);
      if (isThird && size !== 1536) return invalid('Malformed input request: extraneous key [output_dimension] is not permitted');
      const vectors = texts.map((one: string) => numbers(one, isThird ? 1024 : size));
      const embeddings = isThird && !types ? vectors : { float: vectors };
      const body = {
        embeddings,
        id: digestOf(...texts),
        response_type: types ? 'embeddings_by_type' : 'embeddings_floats',
        texts,
      };
      return answered(
        body,
        texts.reduce((sum: number, one: string) => sum + countTokens(one), 0),
      );
    },
  },
  {
    name: /^cohere\.rerank/,
    request: object(
      { api_version: integer(2, 2), query: text({ min: 1 }), documents: list(text(), { min: 1, max: 1000 }) },
      { top_n: integer(1), max_tokens_per_doc: integer(1) },
    ),
    answer: body => answered({ results: ranked(body, false) }, 0),
  },
  {
    name: /^amazon\.rerank/,
    request: object({ query: text({ min: 1 }), documents: list(text(), { min: 1, max: 1000 }) }, { top_n: integer(1) }),
    answer: body => answered({ results: ranked(body, false) }, 0),
  },
];

/** undefined: a model that has conversations. */
export function invokeOf(model: string): ((body: unknown) => Refusal) | undefined {
  const name = model.replace(/^(?:us|eu|apac|global)\./, '');
  const family = families.find(one => one.name.test(name));
  return family && (body => onBody(family, body, name));
}

function onBody({ request, answer }: Family, body: unknown, name: string): Refusal {
  const problem = request(body);
  return problem ? bedrockProblem(problem) : answer(body as Json, name);
}
