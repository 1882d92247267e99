// The neutral request as the body of generateContent.
import type { ChatRequest, OutputFormat, Tool, ToolChoice } from '#core/chat/request.ts';
import { ok, type Parsed } from '#core/failure.ts';
import { LeavingOut } from '../leaving-out.ts';
import type { EncodedRequest } from '../provider.ts';
import { cleanHistory } from './clean-history.ts';
import { encodeContents, type Setting } from './encode-contents.ts';
import { abilitiesOf, type ModelAbilities } from './models.ts';
import { googleSchema, takesNothing } from './schema.ts';
import type { GeminiTarget } from './target.ts';
import { planThinking } from './thinking.ts';

type Json = Readonly<Record<string, unknown>>;

export function encode(request: ChatRequest, target: GeminiTarget): Parsed<EncodedRequest> {
  const { upstreamName } = target.model;
  const abilities = abilitiesOf(upstreamName);
  if (request.dialect === 'gemini' && request.body) return ok({ body: cleanHistory(request.body, abilities), dropped: [] });
  const onVertex = target.provider.connection.vertex !== undefined;
  const limits = new LeavingOut('Gemini', target.provider.parameters.dropUnsupported);
  const setting: Setting = { abilities, takesIds: !onVertex, limits, names: new Map(), wrong: undefined };
  const { system, contents } = encodeContents(request, setting);
  const generationConfig = withoutAbsent({
    ...sampling(request, abilities, onVertex, limits),
    ...output(request, abilities, limits),
    thinkingConfig: thinking(request, upstreamName, limits),
    maxOutputTokens: request.maxOutputTokens,
  });
  for (const name of unknown(request)) limits.leaveOut(name);
  const body = withoutAbsent({
    contents,
    systemInstruction: system.length > 0 ? { parts: system } : undefined,
    ...tools(request, limits),
    generationConfig: Object.keys(generationConfig).length > 0 ? generationConfig : undefined,
  });
  const wrong = setting.wrong ?? limits.refusal;
  return wrong ? { ok: false, failure: wrong } : ok({ body, dropped: limits.dropped });
}

const withoutAbsent = (fields: Json): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** Google's limit (ai.google.dev, GenerationConfig). */
const STOP_MAX = 5;

function sampling(
  request: ChatRequest,
  { penalties, logprobs: tells }: ModelAbilities,
  onVertex: boolean,
  limits: LeavingOut,
): Json {
  const { temperature, topP, topK, frequencyPenalty, presencePenalty, seed } = request.sampling;
  const taken = <T>(value: T | undefined, name: string, can: boolean): T | undefined =>
    value === undefined || can ? value : limits.leaveOut(name);
  const takesPenalties = penalties || onVertex;
  const stop = taken(request.stop.length > 0 ? request.stop : undefined, 'stop', request.stop.length <= STOP_MAX);
  const logprobs = taken(request.logprobs, 'logprobs', onVertex && tells);
  return {
    temperature,
    topP,
    topK,
    frequencyPenalty: taken(frequencyPenalty, 'frequency_penalty', takesPenalties || frequencyPenalty === 0),
    presencePenalty: taken(presencePenalty, 'presence_penalty', takesPenalties || presencePenalty === 0),
    // 32 bits, signed.
    seed: taken(seed, 'seed', seed === undefined || (seed | 0) === seed),
    stopSequences: stop,
    ...(logprobs && { responseLogprobs: true, ...(logprobs.top > 0 && { logprobs: logprobs.top }) }),
  };
}

/** Up to Gemini 2.5 functions and a format exclude each other. A format has a schema and nothing else: its name is a label. */
function output({ output: asked, tools: list }: ChatRequest, { mixed }: ModelAbilities, limits: LeavingOut): Json {
  if (!asked) return {};
  if (list.length > 0 && !mixed) {
    limits.leaveOut('response_format');
    return {};
  }
  return { responseMimeType: 'application/json', ...schemaOf(asked, limits) };
}

function schemaOf(asked: OutputFormat, limits: LeavingOut): Json {
  if (asked.kind === 'json-object') return {};
  if (asked.description !== undefined) limits.leaveOut('response_format.json_schema.description');
  return { responseJsonSchema: googleSchema(asked.schema) };
}

function thinking(request: ChatRequest, upstreamName: string, limits: LeavingOut): Json | undefined {
  const { config, lost } = planThinking(request, upstreamName);
  if (lost) limits.leaveOut('thinking');
  return config;
}

function tools({ tools: list, toolChoice, parallelToolCalls }: ChatRequest, limits: LeavingOut): Json {
  if (list.length === 0) return {};
  if (parallelToolCalls === false) limits.leaveOut('parallel_tool_calls');
  const functionCallingConfig = callingOf(toolChoice, list);
  return {
    tools: [{ functionDeclarations: list.map(declarationOf) }],
    ...(functionCallingConfig && { toolConfig: { functionCallingConfig } }),
  };
}

/** An object without properties is what a function without arguments is said by leaving out. */
function declarationOf({ name, description, parameters }: Tool): Json {
  const parametersJsonSchema = parameters && !takesNothing(parameters) ? googleSchema(parameters) : undefined;
  return withoutAbsent({ name, description: description ?? '', parametersJsonSchema });
}

/** VALIDATED keeps to the schemas without forcing a call: what strict tools promise. */
function callingOf(choice: ToolChoice | undefined, list: readonly Tool[]): Json | undefined {
  const free = list.some(({ strict }) => strict) ? { mode: 'VALIDATED' } : undefined;
  switch (choice?.kind) {
    case undefined:
      return free;
    case 'auto':
      return free ?? { mode: 'AUTO' };
    case 'none':
      return { mode: 'NONE' };
    case 'required':
      return { mode: 'ANY' };
    case 'tool':
      return { mode: 'ANY', allowedFunctionNames: [choice.name] };
  }
}

/** Fields that are given and have no place: a second answer has none in the neutral reply. */
function unknown({ user, choices, extra }: ChatRequest): readonly string[] {
  const fields = { user, n: choices === 1 ? undefined : choices, ...extra };
  return Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}
