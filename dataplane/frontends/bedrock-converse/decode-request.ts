// A body of Converse as the neutral request. Shapes as in the types of @aws-sdk/client-bedrock-runtime 3.1163.
import type { ChatRequest, Effort, Message, OutputFormat, ThinkingRequest, Tool, ToolChoice } from '#core/chat/request.ts';
import { ok, type Parsed } from '#core/failure.ts';
import { isRecord, type JsonRecord, parseRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { tokens } from '#core/units.ts';
import { isOurControl } from '../controls.ts';
import {
  aBoolean,
  aList,
  aName,
  aNumber,
  anObject,
  aString,
  integerFrom,
  invalid,
  oneOf,
  optional,
  present,
  required,
} from '../reading.ts';
import { type Reading, readMessages, readSystem } from './decode-blocks.ts';
import type { Asked } from './paths.ts';

export function decodeRequest(view: JsonView, { model, stream }: Asked): Parsed<ChatRequest> {
  const body = bodyForUpstream(view.whole());
  const reading: Reading = { faults: {}, extra: {} };
  const { faults, extra } = reading;
  const system = readSystem(reading, body.system, 'system');
  const config = optional(faults, body.inferenceConfig, 'inferenceConfig', anObject) ?? {};
  const more = optional(faults, body.additionalModelRequestFields, 'additionalModelRequestFields', anObject) ?? {};
  const { list, choice } = readTools(reading, body.toolConfig);
  const maxTokens = optional(faults, config.maxTokens, 'inferenceConfig.maxTokens', integerFrom(1));
  const messages: Message[] = [
    ...(system.length > 0 ? [{ role: 'system' as const, content: system }] : []),
    ...readMessages(reading, body.messages),
  ];
  const request = present({
    dialect: 'bedrock-converse' as const,
    model,
    messages,
    tools: list,
    toolChoice: choice,
    output: readOutput(reading, body.outputConfig),
    thinking: readThinking(reading, more),
    sampling: present({
      temperature: optional(faults, config.temperature, 'inferenceConfig.temperature', aNumber),
      topP: optional(faults, config.topP, 'inferenceConfig.topP', aNumber),
      topK: readTopK(reading, more),
    }),
    maxOutputTokens: maxTokens === undefined ? undefined : tokens(maxTokens),
    stop: readStop(reading, config.stopSequences),
    stream,
    extra: { ...unknownIn(body), ...unknownMore(more), ...extra },
    body,
  });
  return faults.first ? { ok: false, failure: faults.first } : ok(request);
}

/** Without our request controls, of which `user` and `metadata` are two in this dialect. */
const bodyForUpstream = (whole: JsonRecord): JsonRecord =>
  Object.fromEntries(Object.entries(whole).filter(([name]) => !isOurControl(name) && name !== 'user' && name !== 'metadata'));

function readStop({ faults }: Reading, value: unknown): readonly string[] {
  const list = optional(faults, value, 'inferenceConfig.stopSequences', aList) ?? [];
  return list.map((text, i) => required(faults, text, `inferenceConfig.stopSequences[${i}]`, aString, ''));
}

type ToolsRead = { readonly list: readonly Tool[]; readonly choice?: ToolChoice | undefined };

function readTools(reading: Reading, value: unknown): ToolsRead {
  const config = optional(reading.faults, value, 'toolConfig', anObject);
  if (!config) return { list: [] };
  const list: Tool[] = [];
  for (const [i, item] of required(reading.faults, config.tools, 'toolConfig.tools', aList, []).entries()) {
    const at = `toolConfig.tools[${i}]`;
    const tool = required(reading.faults, item, at, anObject, {});
    const last = list.at(-1);
    if (isRecord(tool.cachePoint) && last)
      list[list.length - 1] = { ...last, cache: tool.cachePoint.ttl === '1h' ? { ttl: '1h' } : {} };
    else if (isRecord(tool.toolSpec)) list.push(readSpec(reading, tool.toolSpec, `${at}.toolSpec`));
    // A tool that Bedrock runs itself: no other provider has it.
    else reading.extra[at] = tool;
  }
  return { list, choice: readChoice(reading, config.toolChoice) };
}

function readSpec({ faults }: Reading, spec: JsonRecord, path: string): Tool {
  const schema = required(faults, spec.inputSchema, `${path}.inputSchema`, anObject, {});
  return present({
    name: required(faults, spec.name, `${path}.name`, aName, ''),
    description: optional(faults, spec.description, `${path}.description`, aString),
    parameters: optional(faults, schema.json, `${path}.inputSchema.json`, anObject),
    strict: optional(faults, spec.strict, `${path}.strict`, aBoolean),
  });
}

function readChoice({ faults }: Reading, value: unknown): ToolChoice | undefined {
  const choice = optional(faults, value, 'toolConfig.toolChoice', anObject);
  if (!choice) return undefined;
  if (isRecord(choice.tool))
    return { kind: 'tool', name: required(faults, choice.tool.name, 'toolConfig.toolChoice.tool.name', aName, '') };
  return { kind: 'any' in choice ? 'required' : 'auto' };
}

/** A schema comes as a text. */
function readOutput(reading: Reading, value: unknown): OutputFormat | undefined {
  const { faults, extra } = reading;
  const config = optional(faults, value, 'outputConfig', anObject) ?? {};
  if (config.effort !== undefined) extra['outputConfig.effort'] = config.effort;
  const format = optional(faults, config.textFormat, 'outputConfig.textFormat', anObject);
  if (!format) return undefined;
  const path = 'outputConfig.textFormat.structure.jsonSchema';
  const structure = required(faults, format.structure, 'outputConfig.textFormat.structure', anObject, {});
  const { schema, name, description } = required(faults, structure.jsonSchema, path, anObject, {});
  return present({
    kind: 'json-schema' as const,
    name: optional(faults, name, `${path}.name`, aName) ?? 'response',
    description: optional(faults, description, `${path}.description`, aString),
    schema: parsedSchema(reading, required(faults, schema, `${path}.schema`, aString, '{}'), `${path}.schema`),
  });
}

function parsedSchema({ faults }: Reading, text: string, path: string): JsonRecord {
  const schema = parseRecord(text);
  if (schema) return schema;
  invalid(faults, path, 'the JSON text of a schema');
  return {};
}

// ---------------------------------------------------------------- fields of the models

const PATH = 'additionalModelRequestFields';
const anEffort = oneOf<Effort>('minimal', 'low', 'medium', 'high', 'xhigh', 'max');

/** As Anthropic's models are asked to think, Amazon's, and OpenAI's. */
function readThinking({ faults }: Reading, more: JsonRecord): ThinkingRequest | undefined {
  const { thinking, reasoningConfig, reasoning_effort: own, output_config: output } = more;
  const given = isRecord(output) ? output.effort : isRecord(reasoningConfig) ? reasoningConfig.maxReasoningEffort : own;
  const effort = optional(faults, given, `${PATH}.effort`, anEffort);
  if (isRecord(thinking)) {
    if (thinking.type === 'disabled') return { kind: 'disabled' };
    if (thinking.type === 'adaptive') return { kind: 'adaptive', ...(effort && { effort }) };
    return {
      kind: 'budget',
      tokens: tokens(required(faults, thinking.budget_tokens, `${PATH}.thinking.budget_tokens`, integerFrom(1), 1)),
    };
  }
  if (isRecord(reasoningConfig) && reasoningConfig.type === 'disabled') return { kind: 'disabled' };
  return effort && { kind: 'effort', effort };
}

function readTopK({ faults }: Reading, { top_k: own, inferenceConfig }: JsonRecord): number | undefined {
  const amazons = isRecord(inferenceConfig) ? inferenceConfig.topK : undefined;
  return optional(faults, own ?? amazons, `${PATH}.top_k`, aNumber);
}

/** What the code above gives a neutral meaning to. */
const KNOWN: ReadonlySet<string> = new Set(`messages system toolConfig inferenceConfig outputConfig ${PATH}`.split(' '));
const KNOWN_MORE: ReadonlySet<string> = new Set(
  'thinking reasoningConfig reasoning_effort output_config top_k inferenceConfig'.split(' '),
);

const unknownIn = (body: JsonRecord): JsonRecord =>
  Object.fromEntries(Object.entries(body).filter(([name, value]) => !KNOWN.has(name) && value !== null));

const unknownMore = (more: JsonRecord): JsonRecord =>
  Object.fromEntries(
    Object.entries(more).flatMap(([name, value]) => (KNOWN_MORE.has(name) ? [] : [[`${PATH}.${name}`, value] as const])),
  );
