// Embeddings on OpenAI's wire, as strict as OpenAI (`openai` 7, EmbeddingCreateParams and the API's error messages), and as vLLM has them.
import { integer, type Json, list, object, oneOf, type Shape, text } from '../shape.ts';
import { countTokens } from '../tokens.ts';
import { invalid, openaiProblem } from '../wires/openai-errors.ts';
import { vllmError, vllmProblem } from '../wires/vllm-errors.ts';
import type { Refusal } from '../wires/wire.ts';
import { base64Of, vectorOf } from './vectors.ts';

type Input = string | readonly number[];

const MAX_INPUTS = 2048;
/** Of one text, and of all in a request. */
const MAX_TOKENS = 8192;
const MAX_ALL_TOKENS = 300_000;

const tokenList = list(integer(0), { min: 1, max: MAX_INPUTS });
const inputs: Shape = value => {
  if (typeof value === 'string') return text({ min: 1 })(value);
  const [first] = Array.isArray(value) ? value : [];
  const item = typeof first === 'number' ? integer(0) : Array.isArray(first) ? tokenList : text({ min: 1 });
  return list(item, { min: 1, max: MAX_INPUTS })(value);
};
const fields = { dimensions: integer(1), encoding_format: oneOf('float', 'base64'), user: text() };
const request = object({ model: text({ min: 1 }), input: inputs }, fields);
/** vLLM lets everything through that it does not know. */
const openRequest = object({ input: inputs }, { ...fields, model: text() }, true);

/** Of models that know more than one size; others have 64. */
const SIZES: Readonly<Record<string, number>> = { 'text-embedding-3-small': 1536, 'text-embedding-3-large': 3072 };
const DIMENSIONS = 64;

export function openaiEmbeddings(body: unknown): Refusal {
  const problem = request(body);
  if (problem) return openaiProblem(problem);
  const { model, input, dimensions } = body as Json;
  const most = SIZES[model];
  if (dimensions !== undefined && most === undefined)
    return invalid('This model does not support specifying dimensions.', 'dimensions');
  if (dimensions !== undefined && dimensions > most!)
    return invalid(`Invalid value for 'dimensions' = ${dimensions}. Must be less than or equal to ${most}.`, 'dimensions');
  const counts = inputsOf(input).map(tokensIn);
  const longest = Math.max(...counts);
  if (longest > MAX_TOKENS)
    return invalid(
      `This model's maximum context length is ${MAX_TOKENS} tokens, however you requested ${longest} tokens (${longest} in your prompt; 0 for the completion). Please reduce your prompt; or completion length.`,
    );
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all > MAX_ALL_TOKENS)
    return invalid(`Requested ${all} tokens, max ${MAX_ALL_TOKENS} tokens per request`, null, 'max_tokens_per_request');
  return { status: 200, body: replyOf(body as Json, dimensions ?? most ?? DIMENSIONS) };
}

export function vllmEmbeddings(body: unknown): Refusal {
  const problem = openRequest(body);
  if (problem) return vllmProblem(problem, undefined);
  const { dimensions, model } = body as Json;
  if (dimensions !== undefined && SIZES[model] === undefined)
    return vllmError(
      400,
      `Model "${model}" does not support matryoshka representation, changing output dimensions will lead to poor results.`,
    );
  const reply = replyOf(body as Json, dimensions ?? DIMENSIONS);
  return { status: 200, body: { id: 'embd-simulated', created: 0, ...reply } };
}

/** Names of another list: as numbers, or in base64. */
function replyOf({ model, input, encoding_format: format }: Json, dimensions: number) {
  const all = inputsOf(input);
  const tokens = all.reduce((sum, one) => sum + tokensIn(one), 0);
  const written = (vector: Float32Array) => (format === 'base64' ? base64Of(vector) : Array.from(vector));
  return {
    object: 'list',
    data: all.map((one, index) => ({ object: 'embedding', index, embedding: written(vectorOf(one, dimensions)) })),
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function inputsOf(input: Json | string): readonly Input[] {
  if (typeof input === 'string') return [input];
  return typeof input[0] === 'number' ? [input as unknown as number[]] : (input as unknown as Input[]);
}

const tokensIn = (input: Input): number => (typeof input === 'string' ? countTokens(input) : input.length);
