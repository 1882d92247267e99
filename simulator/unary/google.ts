// Embeddings of Google's: of the Gemini API in batches, of Vertex AI by `predict` and one by one (npm `@google/genai` 3, its converters).
import { anything, flag, integer, type Json, list, object, oneOf, text } from '../shape.ts';
import { countTokens } from '../tokens.ts';
import { geminiProblem, invalid } from '../wires/gemini-errors.ts';
import type { Refusal } from '../wires/wire.ts';
import { vectorOf } from './vectors.ts';

const SIZE = 3072;
const MAX_BATCH = 100;
const TASKS = ['RETRIEVAL_QUERY', 'RETRIEVAL_DOCUMENT', 'SEMANTIC_SIMILARITY', 'CLASSIFICATION', 'CLUSTERING'];
const taskType = oneOf(...TASKS);
const size = integer(1, SIZE);
const content = object({ parts: list(object({ text: text() }), { min: 1 }) }, { role: anything });

const valuesOf = (said: string, dimensions: number | undefined) => Array.from(vectorOf(said, dimensions ?? SIZE));
const textIn = ({ parts }: Json): string => parts.map((part: Json) => part.text).join('');

const batchRequest = object({
  requests: list(object({ model: text({ min: 1 }), content }, { taskType, title: text(), outputDimensionality: size }), {
    min: 1,
  }),
});

export function batchEmbedContents(body: unknown, model: string): Refusal {
  const problem = batchRequest(body);
  if (problem) return geminiProblem(problem);
  const { requests } = body as Json;
  if (requests.length > MAX_BATCH)
    return invalid(`* BatchEmbedContentsRequest.requests: at most ${MAX_BATCH} requests can be in one batch\n`);
  if (requests.some((one: Json) => one.model !== `models/${model}`))
    return invalid('The model in the request does not match the model in the batch request.');
  return {
    status: 200,
    body: { embeddings: requests.map((one: Json) => ({ values: valuesOf(textIn(one.content), one.outputDimensionality) })) },
  };
}

const predictRequest = object(
  { instances: list(object({ content: text() }, { task_type: taskType, title: text() }), { min: 1, max: 250 }) },
  { parameters: object({}, { autoTruncate: flag, outputDimensionality: size }) },
);

export function predictEmbeddings(body: unknown): Refusal {
  const problem = predictRequest(body);
  if (problem) return geminiProblem(problem);
  const { instances, parameters = {} } = body as Json;
  return {
    status: 200,
    body: {
      predictions: instances.map(({ content: said }: Json) => ({
        embeddings: {
          values: valuesOf(said, parameters.outputDimensionality),
          statistics: { truncated: false, token_count: countTokens(said) },
        },
      })),
      metadata: { billableCharacterCount: instances.reduce((sum: number, one: Json) => sum + one.content.length, 0) },
    },
  };
}

const singleRequest = object(
  { content },
  { embedContentConfig: object({}, { taskType, title: text(), outputDimensionality: size, autoTruncate: flag }) },
);

export function embedContent(body: unknown): Refusal {
  const problem = singleRequest(body);
  if (problem) return geminiProblem(problem);
  const { content: asked, embedContentConfig = {} } = body as Json;
  const said = textIn(asked);
  return {
    status: 200,
    body: {
      embedding: { values: valuesOf(said, embedContentConfig.outputDimensionality) },
      usageMetadata: { promptTokenCount: countTokens(said), totalTokenCount: countTokens(said) },
      truncated: false,
    },
  };
}
