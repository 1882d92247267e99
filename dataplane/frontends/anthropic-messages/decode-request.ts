// A messages body as the neutral request. Field names and shapes as in the types of @anthropic-ai/sdk 1.12, and of the versions
// before it (`output_format`).
import type { ChatRequest, Effort, OutputFormat, ThinkingRequest, Tool, ToolChoice } from '#core/chat/request.ts';
import { ok, type Parsed } from '#core/failure.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { tokens } from '#core/units.ts';
import { withoutControls } from '../controls.ts';
import {
  aBoolean,
  aList,
  aName,
  aNumber,
  anObject,
  aString,
  integerFrom,
  oneOf,
  optional,
  present,
  required,
} from '../reading.ts';
import { cacheMarkOf, type Reading, readMessages, readTextParts } from './decode-messages.ts';

export function decodeRequest(view: JsonView): Parsed<ChatRequest> {
  // `user` is a control of ours in this dialect.
  const { user: _ours, ...body } = withoutControls(view.whole());
  const reading: Reading = { faults: {}, extra: {} };
  const { faults } = reading;
  const system = optionalText(reading, body.system);
  const { toolChoice, parallelToolCalls } = readToolChoice(reading, body.tool_choice);
  const maxTokens = optional(faults, body.max_tokens, 'max_tokens', integerFrom(1));
  const request = present({
    dialect: 'anthropic-messages' as const,
    model: required(faults, body.model, 'model', aName, ''),
    messages: [...system, ...readMessages(reading, body.messages)],
    tools: readTools(reading, body.tools),
    toolChoice,
    parallelToolCalls,
    output: readOutput(reading, body),
    thinking: readThinking(reading, body),
    sampling: present({
      temperature: optional(faults, body.temperature, 'temperature', aNumber),
      topP: optional(faults, body.top_p, 'top_p', aNumber),
      topK: optional(faults, body.top_k, 'top_k', aNumber),
    }),
    maxOutputTokens: maxTokens === undefined ? undefined : tokens(maxTokens),
    stop: readStop(reading, body.stop_sequences),
    stream: optional(faults, body.stream, 'stream', aBoolean) ?? false,
    user: readUser(reading, body.metadata),
    extra: { ...extraOf(body), ...reading.extra },
    body,
  });
  return faults.first ? { ok: false, failure: faults.first } : ok(request);
}

function optionalText(reading: Reading, system: unknown): ChatRequest['messages'] {
  if (system === undefined || system === null) return [];
  return [{ role: 'system', content: readTextParts(reading, system, 'system') }];
}

function readTools(reading: Reading, value: unknown): readonly Tool[] {
  const list = optional(reading.faults, value, 'tools', aList) ?? [];
  return list.flatMap((item, i) => readTool(reading, item, `tools[${i}]`) ?? []);
}

/** A tool with a type is one that Anthropic runs, or knows the schema of: no other provider has it. */
function readTool(reading: Reading, value: unknown, path: string): Tool | undefined {
  const { faults, extra } = reading;
  const tool = required(faults, value, path, anObject, {});
  if (typeof tool.type === 'string' && tool.type !== 'custom') {
    extra[path] = tool;
    return undefined;
  }
  return present({
    name: required(faults, tool.name, `${path}.name`, aName, ''),
    description: optional(faults, tool.description, `${path}.description`, aString),
    parameters: optional(faults, tool.input_schema, `${path}.input_schema`, anObject),
    strict: optional(faults, tool.strict, `${path}.strict`, aBoolean),
    cache: cacheMarkOf(tool),
  });
}

const choiceKinds = { auto: 'auto', any: 'required', none: 'none' } as const;
const aChoiceType = oneOf('auto', 'any', 'none', 'tool');

function readToolChoice({ faults }: Reading, value: unknown): Partial<Pick<ChatRequest, 'toolChoice' | 'parallelToolCalls'>> {
  const choice = optional(faults, value, 'tool_choice', anObject);
  if (!choice) return {};
  const type = required(faults, choice.type, 'tool_choice.type', aChoiceType, 'auto');
  const serial = optional(faults, choice.disable_parallel_tool_use, 'tool_choice.disable_parallel_tool_use', aBoolean);
  const toolChoice: ToolChoice =
    type === 'tool'
      ? { kind: 'tool', name: required(faults, choice.name, 'tool_choice.name', aName, '') }
      : { kind: choiceKinds[type as keyof typeof choiceKinds] };
  return { toolChoice, ...(serial && { parallelToolCalls: false }) };
}

/** Anthropic's formats have no name, and other dialects want one. */
const FORMAT_NAME = 'response';

function readOutput({ faults, extra }: Reading, body: JsonRecord): OutputFormat | undefined {
  const config = optional(faults, body.output_config, 'output_config', anObject);
  const [value, path] =
    config?.format === undefined ? [body.output_format, 'output_format'] : [config.format, 'output_config.format'];
  const format = optional(faults, value, path, anObject);
  if (!format) return undefined;
  if (required(faults, format.type, `${path}.type`, aName, 'json_schema') !== 'json_schema') {
    extra[path] = format;
    return undefined;
  }
  // The format is a promise of Anthropic's, so it is strict.
  return {
    kind: 'json-schema',
    name: FORMAT_NAME,
    schema: required(faults, format.schema, `${path}.schema`, anObject, {}),
    strict: true,
  };
}

const anEffort = oneOf<Effort>('low', 'medium', 'high', 'xhigh', 'max');

function readThinking({ faults, extra }: Reading, body: JsonRecord): ThinkingRequest | undefined {
  const config = optional(faults, body.output_config, 'output_config', anObject);
  const effort = optional(faults, config?.effort, 'output_config.effort', anEffort);
  const thinking = optional(faults, body.thinking, 'thinking', anObject);
  switch (thinking?.type) {
    case undefined:
      return effort && { kind: 'effort', effort };
    case 'disabled':
      return { kind: 'disabled' };
    case 'adaptive':
      return { kind: 'adaptive', ...(effort && { effort }) };
    case 'enabled':
      return {
        kind: 'budget',
        tokens: tokens(required(faults, thinking.budget_tokens, 'thinking.budget_tokens', integerFrom(1), 1)),
      };
    default:
      extra.thinking = thinking;
      return undefined;
  }
}

function readStop({ faults }: Reading, value: unknown): readonly string[] {
  const list = optional(faults, value, 'stop_sequences', aList) ?? [];
  return list.map((text, i) => required(faults, text, `stop_sequences[${i}]`, aString, ''));
}

function readUser({ faults }: Reading, value: unknown): string | undefined {
  const metadata = optional(faults, value, 'metadata', anObject);
  return optional(faults, metadata?.user_id, 'metadata.user_id', aString);
}

/** What the code above gives a neutral meaning to. A top-level `cache_control` only says where to cache, which others do unasked. */
const KNOWN: ReadonlySet<string> = new Set(
  `model messages system tools tool_choice output_config output_format thinking temperature top_p top_k max_tokens stop_sequences
   stream metadata cache_control`.split(/\s+/),
);

function extraOf(body: JsonRecord): JsonRecord {
  return Object.fromEntries(Object.entries(body).filter(([name, value]) => !KNOWN.has(name) && value !== null));
}
