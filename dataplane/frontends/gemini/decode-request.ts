// A generateContent body as the neutral request. Field names and shapes as in the types of @google/genai 3.1, in both spellings.
import type { ChatRequest, Effort, OutputFormat, ThinkingRequest, Tool, ToolChoice } from '#core/chat/request.ts';
import { ok, type Parsed } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
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
  oneOf,
  optional,
  present,
  required,
} from '../reading.ts';
import { noteOthers, type Reading, readContents, readSystem } from './decode-contents.ts';
import type { Asked } from './inspect.ts';
import { jsonSchema } from './schema.ts';
import { camelFields } from './spelling.ts';

export const decodeRequest = (view: JsonView, asked: Asked): Parsed<ChatRequest> => decodeBody(camelFields(view.whole()), asked);

/** For `:countTokens`: the request stands in a field of its own, or its parts stand alone. */
export function decodeCount(view: JsonView, asked: Asked): Parsed<ChatRequest> {
  const { generateContentRequest: request, ...body } = camelFields(view.whole());
  return decodeBody(isRecord(request) ? camelFields(request) : body, asked);
}

function decodeBody(whole: JsonRecord, { model, stream }: Asked): Parsed<ChatRequest> {
  const body = bodyForUpstream(whole);
  const reading: Reading = { faults: {}, extra: {}, open: [] };
  const { faults } = reading;
  const config = camelFields(optional(faults, body.generationConfig, 'generationConfig', anObject) ?? {});
  const { list, choice } = readTools(reading, body);
  const maxTokens = optional(faults, config.maxOutputTokens, 'generationConfig.maxOutputTokens', integerFrom(1));
  const request = present({
    dialect: 'gemini' as const,
    model,
    messages: [...readSystem(reading, body.systemInstruction), ...readContents(reading, body.contents)],
    tools: list,
    toolChoice: choice,
    output: readOutput(reading, config),
    thinking: readThinking(reading, config.thinkingConfig),
    sampling: readSampling(reading, config),
    maxOutputTokens: maxTokens === undefined ? undefined : tokens(maxTokens),
    stop: readStop(reading, config.stopSequences),
    logprobs: readLogprobs(reading, config),
    choices: optional(faults, config.candidateCount, 'generationConfig.candidateCount', integerFrom(1, 128)),
    stream,
    extra: { ...extraOf(body, config), ...reading.extra },
    body,
  });
  return faults.first ? { ok: false, failure: faults.first } : ok(request);
}

/** Without our request controls, of which `user` and `metadata` are two in this dialect. */
function bodyForUpstream(whole: JsonRecord): JsonRecord {
  return Object.fromEntries(
    Object.entries(whole).filter(([name]) => !isOurControl(name) && name !== 'user' && name !== 'metadata' && name !== 'model'),
  );
}

function readSampling({ faults }: Reading, config: JsonRecord): ChatRequest['sampling'] {
  const number = (name: string) => optional(faults, config[name], `generationConfig.${name}`, aNumber);
  return present({
    temperature: number('temperature'),
    topP: number('topP'),
    topK: number('topK'),
    frequencyPenalty: number('frequencyPenalty'),
    presencePenalty: number('presencePenalty'),
    seed: optional(faults, config.seed, 'generationConfig.seed', integerFrom(Number.MIN_SAFE_INTEGER)),
  });
}

function readStop({ faults }: Reading, value: unknown): readonly string[] {
  const list = optional(faults, value, 'generationConfig.stopSequences', aList) ?? [];
  return list.map((text, i) => required(faults, text, `generationConfig.stopSequences[${i}]`, aString, ''));
}

function readLogprobs({ faults }: Reading, { responseLogprobs, logprobs }: JsonRecord): ChatRequest['logprobs'] {
  const wanted = optional(faults, responseLogprobs, 'generationConfig.responseLogprobs', aBoolean);
  const top = optional(faults, logprobs, 'generationConfig.logprobs', integerFrom(0, 20));
  return wanted ? { top: top ?? 0 } : undefined;
}

/** Other dialects want a name. */
const FORMAT_NAME = 'response';

function readOutput({ faults, extra }: Reading, config: JsonRecord): OutputFormat | undefined {
  const type = optional(faults, config.responseMimeType, 'generationConfig.responseMimeType', aString);
  if (type === undefined || type === 'text/plain') return undefined;
  if (type !== 'application/json') {
    extra['generationConfig.responseMimeType'] = type;
    return undefined;
  }
  const own = optional(faults, config.responseSchema, 'generationConfig.responseSchema', anObject);
  const schema =
    optional(faults, config.responseJsonSchema, 'generationConfig.responseJsonSchema', anObject) ?? (own && jsonSchema(own));
  return schema ? { kind: 'json-schema', name: FORMAT_NAME, schema } : { kind: 'json-object' };
}

const aLevel = oneOf<Effort>('minimal', 'low', 'medium', 'high', 'xhigh');

const UNSPECIFIED = 'thinking_level_unspecified';

function readThinking(reading: Reading, value: unknown): ThinkingRequest | undefined {
  const { faults } = reading;
  const asked = optional(faults, value, 'generationConfig.thinkingConfig', anObject);
  if (!asked) return undefined;
  const { thinkingBudget, thinkingLevel, includeThoughts, ...others } = camelFields(asked);
  noteOthers(reading, 'generationConfig.thinkingConfig', others);
  const level = typeof thinkingLevel === 'string' ? thinkingLevel.toLowerCase() : thinkingLevel;
  const effort = optional(
    faults,
    level === UNSPECIFIED ? undefined : level,
    'generationConfig.thinkingConfig.thinkingLevel',
    aLevel,
  );
  if (effort) return { kind: 'effort', effort };
  const budget = optional(faults, thinkingBudget, 'generationConfig.thinkingConfig.thinkingBudget', integerFrom(-1));
  if (budget === 0) return { kind: 'disabled' };
  if (budget !== undefined && budget > 0) return { kind: 'budget', tokens: tokens(budget) };
  return budget === -1 || includeThoughts === true ? { kind: 'adaptive' } : undefined;
}

// ---------------------------------------------------------------- tools

type ToolsRead = { readonly list: readonly Tool[]; readonly choice?: ToolChoice | undefined };

function readTools(reading: Reading, { tools, toolConfig }: JsonRecord): ToolsRead {
  const groups = optional(reading.faults, tools, 'tools', aList) ?? [];
  const all = groups.flatMap((group, i) => readGroup(reading, group, `tools[${i}]`));
  const config = camelFields(optional(reading.faults, toolConfig, 'toolConfig', anObject) ?? {});
  for (const [name, value] of Object.entries(config))
    if (name !== 'functionCallingConfig') reading.extra[`toolConfig.${name}`] = value;
  return chosen(reading, all, config.functionCallingConfig);
}

/** A tool of another kind is one that Google runs: no other provider has it. */
function readGroup(reading: Reading, value: unknown, path: string): readonly Tool[] {
  const { functionDeclarations, ...others } = camelFields(required(reading.faults, value, path, anObject, {}));
  for (const [name, settings] of Object.entries(others)) reading.extra[`${path}.${name}`] = settings;
  const list = optional(reading.faults, functionDeclarations, `${path}.functionDeclarations`, aList) ?? [];
  return list.map((declaration, i) => readDeclaration(reading, declaration, `${path}.functionDeclarations[${i}]`));
}

function readDeclaration(reading: Reading, value: unknown, path: string): Tool {
  const { faults } = reading;
  const given = camelFields(required(faults, value, path, anObject, {}));
  const { name, description, parameters, parametersJsonSchema, ...others } = given;
  // What it answers with, and whether that is waited for.
  noteOthers(reading, path, others);
  const own = optional(faults, parameters, `${path}.parameters`, anObject);
  return present({
    name: required(faults, name, `${path}.name`, aName, ''),
    description: optional(faults, description, `${path}.description`, aString),
    parameters: optional(faults, parametersJsonSchema, `${path}.parametersJsonSchema`, anObject) ?? (own && jsonSchema(own)),
  });
}

const aMode = oneOf('MODE_UNSPECIFIED', 'AUTO', 'ANY', 'NONE', 'VALIDATED');
const choices = { AUTO: 'auto', ANY: 'required', NONE: 'none', VALIDATED: 'auto' } as const;

/** Names that are allowed mean: as if only these had been sent. */
function chosen(reading: Reading, all: readonly Tool[], value: unknown): ToolsRead {
  const { faults } = reading;
  const path = 'toolConfig.functionCallingConfig';
  const config = optional(faults, value, path, anObject);
  if (!config) return { list: all };
  const { mode: given, allowedFunctionNames, ...others } = camelFields(config);
  noteOthers(reading, path, others);
  const mode = optional(faults, typeof given === 'string' ? given.toUpperCase() : given, `${path}.mode`, aMode) ?? 'AUTO';
  const names = optional(faults, allowedFunctionNames, `${path}.allowedFunctionNames`, aList) ?? [];
  const list = names.length > 0 ? all.filter(({ name }) => names.includes(name)) : all;
  if (mode === 'MODE_UNSPECIFIED' || list.length === 0) return { list };
  const [only, ...more] = list;
  const isOne = mode === 'ANY' && names.length > 0 && only !== undefined && more.length === 0;
  return { list, choice: isOne ? { kind: 'tool', name: only.name } : { kind: choices[mode as keyof typeof choices] } };
}

// ---------------------------------------------------------------- the rest

/** What the code above gives a neutral meaning to. */
const KNOWN: ReadonlySet<string> = new Set('contents systemInstruction tools toolConfig generationConfig'.split(' '));
const KNOWN_SETTINGS: ReadonlySet<string> = new Set(
  `maxOutputTokens temperature topP topK frequencyPenalty presencePenalty seed stopSequences responseLogprobs logprobs candidateCount
   responseMimeType responseSchema responseJsonSchema thinkingConfig`.split(/\s+/),
);

function extraOf(body: JsonRecord, config: JsonRecord): Record<string, unknown> {
  const top = Object.entries(body).filter(([name, value]) => !KNOWN.has(name) && value !== null);
  const settings = Object.entries(config)
    .filter(([name, value]) => !KNOWN_SETTINGS.has(name) && value !== null && !isTextOnly(name, value))
    .map(([name, value]) => [`generationConfig.${name}`, value] as const);
  return Object.fromEntries([...top, ...settings]);
}

/** What every answer is, unless another form was asked for. */
const isTextOnly = (name: string, value: unknown): boolean =>
  name === 'responseModalities' && Array.isArray(value) && value.every(modality => modality === 'TEXT');
