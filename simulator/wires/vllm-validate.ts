// What vLLM accepts: OpenAI's fields with its own ranges; it ignores what it does not know, and its tool rules are the chat template's.
import { anything, flag, integer, type Json, list, nullable, number, object, text } from '../shape.ts';
import { openaiFields } from './openai-validate.ts';
import { pythonNumber, vllmError, vllmProblem } from './vllm-errors.ts';
import type { Refusal } from './wire.ts';

export const maxModelLength = 131_072;

const message = object(
  { role: text() },
  { content: anything, tool_calls: nullable(list(object({ function: object({ name: text() }, {}, true) }, {}, true))) },
  true,
);

const { optional } = openaiFields;
const request = object(
  { messages: list(message) },
  {
    model: nullable(text()),
    tools: nullable(list(object({ type: text(), function: object({ name: text() }, {}, true) }, {}, true))),
    tool_choice: nullable(optional.tool_choice),
    response_format: nullable(object({ type: text() }, {}, true)),
    stop: optional.stop,
    stream: nullable(flag),
    stream_options: nullable(object({}, { include_usage: nullable(flag) }, true)),
    n: nullable(integer(1, 128)),
    max_tokens: nullable(integer(1)),
    max_completion_tokens: nullable(integer(1)),
    logprobs: nullable(flag),
    top_logprobs: nullable(integer(0, 20)),
    temperature: nullable(number()),
    top_p: nullable(number()),
    chat_template_kwargs: nullable(object({}, {}, true)),
  },
  true,
);

export function vllmInvalid(body: unknown): Refusal | undefined {
  const problem = request(body);
  if (problem)
    return vllmProblem(
      problem,
      valueAt(
        body,
        problem.path.filter(step => typeof step !== 'object'),
      ),
    );
  const checked = body as Json;
  return tooManyTokens(checked) ?? outOfRange(checked) ?? streamOptionsWithoutStream(checked);
}

function tooManyTokens(body: Json): Refusal | undefined {
  const asked = body.max_completion_tokens ?? body.max_tokens;
  return asked > maxModelLength
    ? vllmError(
        400,
        `max_tokens=${asked} cannot be greater than max_model_len=${maxModelLength}. Please request fewer output tokens. (parameter=max_tokens, value=${asked})`,
        'BadRequestError',
        'max_tokens',
      )
    : undefined;
}

function outOfRange(body: Json): Refusal | undefined {
  const wrong = (name: string, range: string): Refusal =>
    vllmError(
      400,
      `${name} must be in ${range}, got ${pythonNumber(body[name])}. (parameter=${name}, value=${pythonNumber(body[name])})`,
      'BadRequestError',
      name,
    );
  if (body.temperature != null && (body.temperature < 0 || body.temperature > 2)) return wrong('temperature', '[0, 2]');
  return body.top_p != null && (body.top_p <= 0 || body.top_p > 1) ? wrong('top_p', '(0, 1]') : undefined;
}

const streamOptionsWithoutStream = (body: Json): Refusal | undefined =>
  body.stream_options && !body.stream
    ? vllmError(400, 'Stream options can only be defined when `stream=True`.', 'BadRequestError', 'stream_options')
    : undefined;

const valueAt = (value: unknown, path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((at, step) => (at as Json | undefined)?.[step], value);
