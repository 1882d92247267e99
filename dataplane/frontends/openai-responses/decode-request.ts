// A Responses body as the neutral request. Field names and shapes as in the types of openai 7.57 for Node.
import type { ChatRequest, Effort, OutputFormat, ThinkingRequest, Tool, ToolChoice } from '#core/chat/request.ts';
import { ok, type Parsed } from '#core/failure.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { tokens } from '#core/units.ts';
import { otherFields, withoutControls } from '../controls.ts';
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
import { readInput } from './decode-input.ts';
import { readTools } from './decode-tools.ts';

/** What has no neutral meaning, by its place: a target of another dialect cannot take it. */
export type Extra = Record<string, unknown>;

export function decodeRequest(view: JsonView): Parsed<ChatRequest> {
  const body = view.whole();
  const faults: Faults = {};
  const extra = otherFields(body, KNOWN, DEFAULTS);
  const { tools, toolChoice } = readTools(faults, body, extra);
  const request = present({
    dialect: 'openai-responses' as const,
    model: required(faults, body.model, 'model', aName, ''),
    messages: readInput(faults, body, extra),
    tools: tools as readonly Tool[],
    toolChoice: toolChoice as ToolChoice | undefined,
    parallelToolCalls: optional(faults, body.parallel_tool_calls, 'parallel_tool_calls', aBoolean),
    output: readText(faults, body, extra),
    thinking: readReasoning(faults, body, extra),
    sampling: present({
      temperature: optional(faults, body.temperature, 'temperature', aNumber),
      topP: optional(faults, body.top_p, 'top_p', aNumber),
    }),
    maxOutputTokens: readLimit(faults, body),
    stop: [],
    logprobs: readLogprobs(faults, body),
    stream: optional(faults, body.stream, 'stream', aBoolean) ?? false,
    user: optional(faults, body.user, 'user', aString),
    extra,
    body: withoutControls(body),
  });
  return faults.first ? { ok: false, failure: faults.first } : ok(request);
}

function readLimit(faults: Faults, body: JsonRecord) {
  const limit = optional(faults, body.max_output_tokens, 'max_output_tokens', integerFrom(1));
  return limit === undefined ? undefined : tokens(limit);
}

function readLogprobs(faults: Faults, body: JsonRecord): ChatRequest['logprobs'] {
  const top = optional(faults, body.top_logprobs, 'top_logprobs', integerFrom(0, 20));
  const includes = optional(faults, body.include, 'include', aList) ?? [];
  return top !== undefined || includes.includes('message.output_text.logprobs') ? { top: top ?? 0 } : undefined;
}

const anEffort = oneOf<Effort>('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max');

/** How a summary is written is the target's own way; whether there is one, too. */
function readReasoning(faults: Faults, body: JsonRecord, extra: Extra): ThinkingRequest | undefined {
  const reasoning = optional(faults, body.reasoning, 'reasoning', anObject);
  if (!reasoning) return undefined;
  const { effort: value, summary: _summary, generate_summary: _former, ...others } = reasoning;
  for (const [name, other] of Object.entries(others)) if (other !== null) extra[`reasoning.${name}`] = other;
  const effort = optional(faults, value, 'reasoning.effort', anEffort);
  if (effort === undefined) return undefined;
  return effort === 'none' ? { kind: 'disabled' } : { kind: 'effort', effort };
}

function readText(faults: Faults, body: JsonRecord, extra: Extra): OutputFormat | undefined {
  const { format: value, ...others } = optional(faults, body.text, 'text', anObject) ?? {};
  for (const [name, other] of Object.entries(others)) if (!isDefault(name, other)) extra[`text.${name}`] = other;
  const format = optional(faults, value, 'text.format', anObject);
  switch (format?.type) {
    case undefined:
    case 'text':
      return undefined;
    case 'json_object':
      return { kind: 'json-object' };
    case 'json_schema':
      return readSchema(faults, format);
    default:
      return unsupportedKind(faults, 'text.format.type', 'the format', format?.type);
  }
}

const isDefault = (name: string, value: unknown): boolean => value === null || (name === 'verbosity' && value === 'medium');

function readSchema(faults: Faults, format: JsonRecord): OutputFormat {
  const path = 'text.format';
  return present({
    kind: 'json-schema' as const,
    name: required(faults, format.name, `${path}.name`, aName, ''),
    description: optional(faults, format.description, `${path}.description`, aString),
    schema: required(faults, format.schema, `${path}.schema`, anObject, {}),
    strict: optional(faults, format.strict, `${path}.strict`, aBoolean),
  });
}

/**
 * What the readers give a neutral meaning to, and what asks for nothing: how a stream is padded, what else an answer shows of tools that
 * have a place of their own.
 */
const KNOWN: ReadonlySet<string> = new Set(
  `model input instructions tools tool_choice parallel_tool_calls text reasoning temperature top_p max_output_tokens top_logprobs include
   stream stream_options user`.split(/\s+/),
);

/** What a body says that is so anyway. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  store: false,
  background: false,
  truncation: 'disabled',
  service_tier: 'auto',
};
