// What OpenAI's chat completions endpoint accepts: the tables are its request types (npm `openai` 7, ChatCompletionCreateParams), the
// rules below them are those it states in its error messages. Everything else is 400.
import {
  anything,
  flag,
  integer,
  isRecord,
  type Json,
  list,
  mapOf,
  nullable,
  number,
  object,
  oneOf,
  type Problem,
  type Shape,
  tagged,
  text,
  textOr,
} from '../shape.ts';
import { invalid, openaiPath, openaiProblem } from './openai-errors.ts';
import type { Refusal } from './wire.ts';

export function openaiInvalid(body: unknown): Refusal | undefined {
  const problem = request(body);
  if (problem) return openaiProblem(problem);
  return rules.reduce<Refusal | undefined>((found, rule) => found ?? rule(body as Json), undefined);
}

const anyObject = mapOf(anything, 10_000);
const cacheBreakpoint = { prompt_cache_breakpoint: anyObject };
const toolName = text({ pattern: /^[a-zA-Z0-9_-]+$/, max: 64 });
// Longer ids are refused by the real API: "string too long. Expected a string with maximum length 40".
const toolCallId = text({ min: 1, max: 40 });

const textPart = object({ type: anything, text: text() }, cacheBreakpoint);
const parts = {
  text: textPart,
  image_url: object(
    { type: anything, image_url: object({ url: text({ min: 1 }) }, { detail: oneOf('auto', 'low', 'high') }) },
    cacheBreakpoint,
  ),
  input_audio: object({ type: anything, input_audio: object({ data: text(), format: oneOf('wav', 'mp3') }) }, cacheBreakpoint),
  file: object({ type: anything, file: object({}, { file_data: text(), file_id: text(), filename: text() }) }, cacheBreakpoint),
};
const plainContent = textOr(list(tagged('type', { text: textPart }), { min: 1 }));

const toolCall = tagged('type', {
  function: object({ type: anything, id: toolCallId, function: object({ name: toolName, arguments: text() }) }),
  custom: object({ type: anything, id: toolCallId, custom: object({ name: toolName, input: text() }) }),
});

const message = tagged('role', {
  system: object({ role: anything, content: plainContent }, { name: text() }),
  developer: object({ role: anything, content: plainContent }, { name: text() }),
  user: object({ role: anything, content: textOr(list(tagged('type', parts), { min: 1 })) }, { name: text() }),
  assistant: object(
    { role: anything },
    {
      content: nullable(textOr(list(tagged('type', { text: textPart, refusal: object({ type: anything, refusal: text() }) })))),
      refusal: nullable(text()),
      name: text(),
      audio: nullable(object({ id: text() })),
      function_call: nullable(object({ name: toolName, arguments: text() })),
      tool_calls: list(toolCall, { min: 1, max: 128 }),
      // Sent back as it came: part of the reply's own shape.
      annotations: nullable(list(anything)),
    },
  ),
  tool: object({ role: anything, content: plainContent, tool_call_id: toolCallId }),
  function: object({ role: anything, content: nullable(text()), name: toolName }),
});

const tool = tagged('type', {
  function: object({
    type: anything,
    function: object({ name: toolName }, { description: text(), parameters: anyObject, strict: nullable(flag) }),
  }),
  custom: object({ type: anything, custom: object({ name: toolName }, { description: text(), format: anyObject }) }),
});

const named = object({ name: toolName });
const toolChoice: Shape = value =>
  typeof value === 'string'
    ? oneOf('none', 'auto', 'required')(value)
    : tagged('type', {
        function: object({ type: anything, function: named }),
        custom: object({ type: anything, custom: named }),
        allowed_tools: object({
          type: anything,
          allowed_tools: object({ mode: oneOf('auto', 'required'), tools: list(anyObject, { min: 1 }) }),
        }),
      })(value);

const responseFormat = tagged('type', {
  text: object({ type: anything }),
  json_object: object({ type: anything }),
  json_schema: object({
    type: anything,
    json_schema: object({ name: toolName }, { description: text(), schema: anyObject, strict: nullable(flag) }),
  }),
});

export const openaiFields = {
  required: { model: text({ min: 1 }), messages: list(message, { min: 1, max: 2048 }) },
  optional: {
    audio: nullable(anyObject),
    frequency_penalty: nullable(number(-2, 2)),
    function_call: anything,
    functions: list(anyObject, { min: 1, max: 128 }),
    logit_bias: nullable(mapOf(number(-100, 100), 300)),
    logprobs: nullable(flag),
    max_completion_tokens: nullable(integer(1)),
    max_tokens: nullable(integer(1)),
    metadata: nullable(mapOf(text({ max: 512 }), 16)),
    modalities: nullable(list(oneOf('text', 'audio'))),
    moderation: nullable(anyObject),
    n: nullable(integer(1, 128)),
    parallel_tool_calls: flag,
    prediction: nullable(anyObject),
    presence_penalty: nullable(number(-2, 2)),
    prompt_cache_key: nullable(text({ max: 64 })),
    prompt_cache_options: anyObject,
    prompt_cache_retention: nullable(oneOf('in_memory', '24h')),
    reasoning_effort: nullable(oneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max')),
    response_format: responseFormat,
    safety_identifier: nullable(text()),
    seed: nullable(integer()),
    service_tier: nullable(oneOf('auto', 'default', 'flex', 'scale', 'priority', 'fast')),
    stop: nullable((value: unknown): Problem | undefined =>
      typeof value === 'string' ? undefined : list(text(), { max: 4 })(value),
    ),
    store: nullable(flag),
    stream: nullable(flag),
    stream_options: nullable(object({}, { include_usage: flag, include_obfuscation: flag })),
    temperature: nullable(number(0, 2)),
    tool_choice: toolChoice,
    tools: list(tool, { max: 128 }),
    top_logprobs: nullable(integer(0, 20)),
    top_p: nullable(number(0, 1)),
    user: text(),
    verbosity: nullable(oneOf('low', 'medium', 'high')),
    web_search_options: anyObject,
  },
} as const;

const request = object(openaiFields.required, openaiFields.optional);

type Rule = (body: Json) => Refusal | undefined;

const isReasoning = (model: string): boolean => /^(o\d|gpt-5)/.test(model);
const cannotReason = (model: string): boolean => /^gpt-(3\.5|4)/.test(model);

const rules: readonly Rule[] = [
  body =>
    body.stream_options && !body.stream
      ? invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.", 'stream_options')
      : undefined,
  body =>
    body.tool_choice && !body.tools?.length
      ? invalid("Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.", 'tool_choice')
      : undefined,
  body =>
    body.parallel_tool_calls !== undefined && !body.tools?.length
      ? invalid(
          "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified.",
          'parallel_tool_calls',
        )
      : undefined,
  body =>
    body.top_logprobs != null && !body.logprobs
      ? invalid("'top_logprobs' is only allowed when 'logprobs' is enabled.", 'top_logprobs')
      : undefined,
  body =>
    body.max_tokens != null && body.max_completion_tokens != null
      ? invalid("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", 'max_tokens')
      : undefined,
  body => (isReasoning(body.model) ? reasoningModelRefuses(body) : undefined),
  body =>
    cannotReason(body.model) && body.reasoning_effort != null
      ? invalid('Unrecognized request argument supplied: reasoning_effort')
      : undefined,
  body =>
    body.response_format?.type === 'json_object' && !/json/i.test(JSON.stringify(body.messages))
      ? invalid(
          "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
          'messages',
        )
      : undefined,
  body => unknownToolChoice(body),
  body => toolMessagesOutOfPlace(body.messages),
  body => strictSchemaIsLoose(body),
];

function reasoningModelRefuses(body: Json): Refusal | undefined {
  if (body.max_tokens != null)
    return invalid(
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      'max_tokens',
      'unsupported_parameter',
    );
  if (body.temperature != null && body.temperature !== 1)
    return invalid(
      `Unsupported value: 'temperature' does not support ${body.temperature} with this model. Only the default (1) value is supported.`,
      'temperature',
      'unsupported_value',
    );
  const field = ['top_p', 'presence_penalty', 'frequency_penalty', 'logprobs', 'stop'].find(
    name => body[name] != null && body[name] !== false,
  );
  return field && !(field === 'top_p' && body.top_p === 1)
    ? invalid(`Unsupported parameter: '${field}' is not supported with this model.`, field, 'unsupported_parameter')
    : undefined;
}

function unknownToolChoice(body: Json): Refusal | undefined {
  const name = body.tool_choice?.function?.name;
  const isOffered = name === undefined || body.tools.some((tool: Json) => tool.function?.name === name);
  return isOffered ? undefined : invalid(`Tool choice '${name}' not found in 'tools' parameter.`, 'tool_choice');
}

/** Every call is answered by tool messages right after it, and tool messages answer nothing else. */
function toolMessagesOutOfPlace(messages: readonly Json[]): Refusal | undefined {
  let open = new Set<string>();
  let asked = false;
  for (const [index, message] of messages.entries()) {
    const at = `messages.[${index}]`;
    if (message.role === 'tool') {
      if (!asked)
        return invalid(
          "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
          `${at}.role`,
        );
      if (!open.delete(message.tool_call_id))
        return invalid(
          `Invalid parameter: 'tool_call_id' of '${message.tool_call_id}' not found in 'tool_calls' of previous message.`,
          `${at}.tool_call_id`,
        );
      continue;
    }
    if (open.size > 0) return unanswered(open, `${at}.role`);
    if (
      message.role === 'assistant' &&
      message.content == null &&
      !message.tool_calls &&
      !message.function_call &&
      !message.audio &&
      !message.refusal
    )
      return invalid("Invalid value for 'content': expected a string, got null.", `${at}.content`);
    asked = message.role === 'assistant' && message.tool_calls !== undefined;
    open = new Set(asked ? message.tool_calls.map((call: Json) => call.id) : []);
  }
  return open.size > 0 ? unanswered(open, `messages.[${messages.length}].role`) : undefined;
}

const unanswered = (open: ReadonlySet<string>, param: string): Refusal =>
  invalid(
    `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${[...open].join(', ')}`,
    param,
  );

/** Strict schemas close every object and require every property (OpenAI's structured outputs guide). */
function strictSchemaIsLoose(body: Json): Refusal | undefined {
  const format = body.response_format?.json_schema;
  if (format?.strict && !format.schema)
    return invalid(
      "Missing required parameter: 'response_format.json_schema.schema'.",
      'response_format.json_schema.schema',
      'missing_required_parameter',
    );
  const inFormat = format?.strict ? looseObject(format.schema) : undefined;
  if (inFormat) return invalid(`Invalid schema for response_format '${format.name}': ${inFormat}`, 'response_format');
  for (const [index, tool] of (body.tools ?? []).entries()) {
    const problem = tool.function?.strict ? looseObject(tool.function.parameters) : undefined;
    if (problem)
      return invalid(
        `Invalid schema for function '${tool.function.name}': ${problem}`,
        openaiPath(['tools', index, 'function', 'parameters']),
        'invalid_function_parameters',
      );
  }
  return undefined;
}

function looseObject(schema: unknown, path: readonly string[] = []): string | undefined {
  if (!isRecord(schema) || path.length > 32) return undefined;
  const context = `In context=(${path.map(step => `'${step}'`).join(', ')}), `;
  if (schema.type === 'object' && schema.additionalProperties !== false)
    return `${context}'additionalProperties' is required to be supplied and to be false.`;
  const properties = isRecord(schema.properties) ? schema.properties : {};
  const required = Array.isArray(schema.required) ? schema.required : [];
  const missing = Object.keys(properties).find(name => !required.includes(name));
  if (missing)
    return `${context}'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`;
  for (const [name, property] of Object.entries(properties)) {
    const problem = looseObject(property, [...path, 'properties', name]);
    if (problem) return problem;
  }
  return looseObject(schema.items, [...path, 'items']);
}
