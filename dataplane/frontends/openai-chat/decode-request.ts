// A chat completions body as the neutral request. Field names and shapes as in the types of openai 7.57 for Node.
import type { ChatRequest, Effort, OutputFormat, Sampling, ThinkingRequest, Tool, ToolChoice } from '#core/chat/request.ts';
import { ok, type Parsed } from '#core/failure.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { tokens } from '#core/units.ts';
import { otherFields } from '../controls.ts';
import {
  aBoolean,
  aList,
  aName,
  aNumber,
  anObject,
  aString,
  type Faults,
  integerFrom,
  oneOf,
  optional,
  present,
  required,
  unsupportedKind,
} from '../reading.ts';
import { readMessages } from './decode-messages.ts';
import { readTools } from './decode-tools.ts';

export function decodeRequest(view: JsonView): Parsed<ChatRequest> {
  const body = view.whole();
  const faults: Faults = {};
  const { tools, toolChoice } = readTools(faults, body);
  const request = present({
    dialect: 'openai-chat' as const,
    model: required(faults, body.model, 'model', aName, ''),
    messages: readMessages(faults, body.messages),
    tools: tools as readonly Tool[],
    toolChoice: toolChoice as ToolChoice | undefined,
    parallelToolCalls: optional(faults, body.parallel_tool_calls, 'parallel_tool_calls', aBoolean),
    output: readOutput(faults, body),
    thinking: readThinking(faults, body),
    sampling: readSampling(faults, body),
    maxOutputTokens: readMaxTokens(faults, body),
    stop: readStop(faults, body),
    logprobs: readLogprobs(faults, body),
    choices: optional(faults, body.n, 'n', integerFrom(1, 128)),
    stream: optional(faults, body.stream, 'stream', aBoolean) ?? false,
    user: optional(faults, body.user, 'user', aString),
    extra: otherFields(body, KNOWN),
  });
  return faults.first ? { ok: false, failure: faults.first } : ok(request);
}

function readSampling(faults: Faults, body: JsonRecord): Sampling {
  return present({
    temperature: optional(faults, body.temperature, 'temperature', aNumber),
    topP: optional(faults, body.top_p, 'top_p', aNumber),
    // Not OpenAI's own: vLLM, Ollama and OpenRouter take it in this dialect.
    topK: optional(faults, body.top_k, 'top_k', aNumber),
    frequencyPenalty: optional(faults, body.frequency_penalty, 'frequency_penalty', aNumber),
    presencePenalty: optional(faults, body.presence_penalty, 'presence_penalty', aNumber),
    seed: optional(faults, body.seed, 'seed', integerFrom(Number.MIN_SAFE_INTEGER)),
  });
}

function readMaxTokens(faults: Faults, body: JsonRecord) {
  const newer = optional(faults, body.max_completion_tokens, 'max_completion_tokens', integerFrom(1));
  const older = optional(faults, body.max_tokens, 'max_tokens', integerFrom(1));
  const count = newer ?? older;
  return count === undefined ? undefined : tokens(count);
}

function readStop(faults: Faults, body: JsonRecord): readonly string[] {
  if (typeof body.stop === 'string') return [body.stop];
  const list = optional(faults, body.stop, 'stop', aList) ?? [];
  return list.map((text, i) => required(faults, text, `stop[${i}]`, aString, ''));
}

function readLogprobs(faults: Faults, body: JsonRecord): ChatRequest['logprobs'] {
  const wanted = optional(faults, body.logprobs, 'logprobs', aBoolean);
  const top = optional(faults, body.top_logprobs, 'top_logprobs', integerFrom(0, 20));
  return wanted ? { top: top ?? 0 } : undefined;
}

const anEffort = oneOf<Effort>('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max');

function readThinking(faults: Faults, body: JsonRecord): ThinkingRequest | undefined {
  const effort = optional(faults, body.reasoning_effort, 'reasoning_effort', anEffort);
  if (effort === undefined) return undefined;
  return effort === 'none' ? { kind: 'disabled' } : { kind: 'effort', effort };
}

function readOutput(faults: Faults, body: JsonRecord): OutputFormat | undefined {
  const format = optional(faults, body.response_format, 'response_format', anObject);
  if (!format) return undefined;
  switch (format.type) {
    case 'text':
      return undefined;
    case 'json_object':
      return { kind: 'json-object' };
    case 'json_schema':
      return readSchema(faults, format.json_schema);
    default:
      return unsupportedKind(faults, 'response_format.type', 'the format', format.type);
  }
}

function readSchema(faults: Faults, value: unknown): OutputFormat {
  const path = 'response_format.json_schema';
  const spec = required(faults, value, path, anObject, {});
  return present({
    kind: 'json-schema' as const,
    name: required(faults, spec.name, `${path}.name`, aName, ''),
    description: optional(faults, spec.description, `${path}.description`, aString),
    schema: optional(faults, spec.schema, `${path}.schema`, anObject) ?? {},
    strict: optional(faults, spec.strict, `${path}.strict`, aBoolean),
  });
}

/** What the code above, or the tools' and messages' readers, give a neutral meaning to. */
const KNOWN: ReadonlySet<string> = new Set(
  `model messages tools tool_choice functions function_call parallel_tool_calls response_format reasoning_effort temperature top_p top_k
   frequency_penalty presence_penalty seed max_completion_tokens max_tokens stop logprobs top_logprobs n stream stream_options user`.split(
    /\s+/,
  ),
);
