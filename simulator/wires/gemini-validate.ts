// What generateContent accepts: the tables are its request types (npm `@google/genai` 3, and the discovery document's names), the rules below
// them are those it states in its error messages and under "Function calling" and "Thought signatures". Everything else is 400.
import { createHmac } from 'node:crypto';
import { anything, flag, integer, isRecord, type Json, list, mapOf, number, object, oneOf, type Shape, text } from '../shape.ts';
import { geminiProblem, invalid } from './gemini-errors.ts';
import type { Refusal } from './wire.ts';

export type Platform = 'gemini' | 'vertex';

/** @param body with JSON names: see `camelized` */
export function geminiInvalid(body: unknown, model: string, platform: Platform): Refusal | undefined {
  const problem = requests[platform](body);
  if (problem) return geminiProblem(problem);
  const checked = body as Json;
  return rules.reduce<Refusal | undefined>((found, rule) => found ?? rule(checked, model, platform), undefined);
}

/** Values that are the client's own data: names in them are left alone. */
const DATA: ReadonlySet<string> = new Set([
  'args',
  'response',
  'parametersJsonSchema',
  'responseJsonSchema',
  'properties',
  'labels',
]);

/** Both spellings of a name are the same field. */
export function camelized(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelized);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
      return [camel, DATA.has(camel) ? inner : camelized(inner)];
    }),
  );
}

const anyObject = mapOf(anything, 10_000);
const mimeType = text({ pattern: /^[a-z]+\/[a-zA-Z0-9.+-]+$/ });
const base64 = text({ pattern: /^[A-Za-z0-9+/_-]*={0,2}$/ });
const blob = object({ mimeType, data: base64 }, { displayName: text() });
const fileData = object({ fileUri: text({ min: 1 }) }, { mimeType, displayName: text() });
const functionName = text({ pattern: /^[a-zA-Z_][a-zA-Z0-9_.:-]*$/, max: 128 });

const part = (platform: Platform): Shape => {
  const id: Record<string, Shape> = platform === 'gemini' ? { id: text() } : {};
  return object(
    {},
    {
      text: text(),
      inlineData: blob,
      fileData,
      functionCall: object({ name: functionName }, { ...id, args: anyObject }),
      functionResponse: object(
        { name: functionName, response: anyObject },
        { ...id, parts: list(object({}, { inlineData: blob, fileData })) },
      ),
      executableCode: anyObject,
      codeExecutionResult: anyObject,
      toolCall: anyObject,
      toolResponse: anyObject,
      thought: flag,
      thoughtSignature: base64,
      videoMetadata: anyObject,
      mediaResolution: anyObject,
    },
  );
};

/** OpenAPI's form, with types in capitals. */
const schema: Shape = value =>
  object(
    {},
    {
      type: text(),
      format: text(),
      title: text(),
      description: text(),
      nullable: flag,
      enum: list(text()),
      items: schema,
      properties: mapOf(schema, 10_000),
      required: list(text()),
      anyOf: list(schema),
      propertyOrdering: list(text()),
      default: anything,
      example: anything,
      minimum: number(),
      maximum: number(),
      pattern: text(),
      ...Object.fromEntries(
        ['minItems', 'maxItems', 'minLength', 'maxLength', 'minProperties', 'maxProperties'].map(name => [name, anything]),
      ),
    },
  )(value);

const declaration = object(
  { name: functionName },
  { description: text(), parameters: schema, parametersJsonSchema: anyObject, response: schema, behavior: text() },
);
const tool = object(
  {},
  {
    functionDeclarations: list(declaration, { max: 512 }),
    googleSearch: anyObject,
    googleSearchRetrieval: anyObject,
    codeExecution: anyObject,
    urlContext: anyObject,
    computerUse: anyObject,
    fileSearch: anyObject,
    googleMaps: anyObject,
  },
);
const toolConfig = object(
  {},
  {
    functionCallingConfig: object({}, { mode: oneOf('AUTO', 'ANY', 'NONE', 'VALIDATED'), allowedFunctionNames: list(text()) }),
    retrievalConfig: anyObject,
    includeServerSideToolInvocations: flag,
  },
);

const generationConfig = object(
  {},
  {
    temperature: number(0, 2),
    topP: number(0, 1),
    topK: number(1),
    candidateCount: integer(1, 8),
    maxOutputTokens: integer(1),
    stopSequences: list(text({ min: 1 }), { max: 5 }),
    presencePenalty: number(-2, 2),
    frequencyPenalty: number(-2, 2),
    seed: integer(-2_147_483_648, 2_147_483_647),
    responseMimeType: oneOf('text/plain', 'application/json', 'text/x.enum'),
    responseSchema: schema,
    responseJsonSchema: anyObject,
    responseModalities: list(oneOf('TEXT', 'IMAGE', 'AUDIO')),
    responseLogprobs: flag,
    logprobs: integer(0, 20),
    mediaResolution: text(),
    speechConfig: anyObject,
    thinkingConfig: object(
      {},
      {
        includeThoughts: flag,
        thinkingBudget: integer(-1),
        thinkingLevel: oneOf('MINIMAL', 'LOW', 'MEDIUM', 'HIGH', 'minimal', 'low', 'medium', 'high'),
      },
    ),
  },
);

const contentOf = (platform: Platform): Shape =>
  object({ parts: list(part(platform)) }, { role: oneOf('user', 'model', 'function') });

const requestOf = (platform: Platform): Shape =>
  object(
    { contents: list(contentOf(platform), { min: 1 }) },
    {
      systemInstruction: contentOf(platform),
      tools: list(tool),
      toolConfig,
      generationConfig,
      safetySettings: list(object({ category: text(), threshold: text() }, { method: text() })),
      cachedContent: text(),
      serviceTier: text(),
      store: flag,
      ...(platform === 'vertex' && { labels: mapOf(text(), 64), modelArmorConfig: anyObject }),
    },
  );

const requests: Readonly<Record<Platform, Shape>> = { gemini: requestOf('gemini'), vertex: requestOf('vertex') };

// ---------------------------------------------------------------- rules

type Rule = (body: Json, model: string, platform: Platform) => Refusal | undefined;

const rules: readonly Rule[] = [
  body => partsWithoutData(body),
  body => callsOutOfPlace(turnsOf(body)),
  (body, model) => signatureProblem(turnsOf(body), model),
  body => configProblem(body),
  body => referenceProblem(body),
  modelProblem,
];

/** Contents that follow each other in one role are one turn: clients keep each chunk of a stream as a content. */
export function turnsOf(body: Json): { readonly role: string; readonly parts: readonly Json[] }[] {
  const turns: { role: string; parts: Json[] }[] = [];
  for (const { role = 'user', parts } of body.contents as Json[]) {
    const side = role === 'model' ? 'model' : 'user';
    if (turns.at(-1)?.role === side) turns.at(-1)!.parts.push(...parts);
    else turns.push({ role: side, parts: [...parts] });
  }
  return turns;
}

const DATA_FIELDS = [
  'text',
  'inlineData',
  'fileData',
  'functionCall',
  'functionResponse',
  'executableCode',
  'codeExecutionResult',
  'toolCall',
  'toolResponse',
];

function partsWithoutData(body: Json): Refusal | undefined {
  for (const [index, content] of (body.contents as Json[]).entries()) {
    if (content.parts.length === 0)
      return invalid(`* GenerateContentRequest.contents[${index}].parts: contents.parts must not be empty.\n`);
    for (const [at, item] of (content.parts as Json[]).entries()) {
      const given = DATA_FIELDS.filter(name => item[name] !== undefined);
      if (given.length !== 1)
        return invalid(
          `* GenerateContentRequest.contents[${index}].parts[${at}].data: required oneof field 'data' must have one initialized field\n`,
        );
    }
    // Empty texts end streams, and come back in histories: a content may have them, but not them alone.
    if (content.role !== 'model' && (content.parts as Json[]).every(item => item.text === ''))
      return invalid('Unable to submit request because it must have a text parameter. Add a text parameter and try again.');
  }
  return undefined;
}

const having = (parts: readonly Json[], name: string): readonly Json[] => parts.filter(item => item[name] !== undefined);

/** Calls are answered in the very next turn, all of them and nothing else that is called so. */
function callsOutOfPlace(turns: ReturnType<typeof turnsOf>): Refusal | undefined {
  for (const [index, { role, parts }] of turns.entries()) {
    const calls = having(parts, 'functionCall');
    const results = having(parts, 'functionResponse');
    if (role === 'user' && calls.length > 0) return invalid('Please use a valid role: function calls are made by the model.');
    const open = index > 0 ? having(turns[index - 1]!.parts, 'functionCall') : [];
    if (results.length > 0 && (role !== 'user' || open.length === 0))
      return invalid('Please ensure that function response turn comes immediately after a function call turn.');
    if (calls.length > 0 && index === 0)
      return invalid(
        'Please ensure that function call turn comes immediately after a user turn or after a function response turn.',
      );
    if (role === 'user' && open.length !== results.length)
      return invalid(
        'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.',
      );
    for (const { functionResponse: result } of results)
      if (
        !open.some(
          ({ functionCall: call }) =>
            call.name === result.name && (result.id === undefined || call.id === undefined || call.id === result.id),
        )
      )
        return invalid(`Function response '${result.name}' matches no function call of the turn before it.`);
  }
  return undefined;
}

/** Gemma is older than all; a name without a version is new. */
export const versionOf = (model: string): number =>
  model.startsWith('gemma') ? 0 : Number(/gemini-(\d+(?:\.\d+)?)/.exec(model)?.[1] ?? 99);

const SIGNED = 'simulated-gemini:';
const standIns = ['skip_thought_signature_validator', 'context_engineering_is_the_way_to_go'];

/** What the simulator signs with; like the real thing's it is opaque, base64, and bound to what it signs. */
export const signatureOf = (signed: string): string =>
  Buffer.from(SIGNED + createHmac('sha256', 'tollgate-simulator').update(signed).digest('hex')).toString('base64');
export const callText = ({ name, args = {} }: Json): string => `${name}\n${JSON.stringify(args)}`;

/** From Gemini 3 on: the first call of each step of the current turn has a signature, and no signature anywhere is another's. */
function signatureProblem(turns: ReturnType<typeof turnsOf>, model: string): Refusal | undefined {
  const demands = versionOf(model) >= 3;
  const current = turns.findLastIndex(turn => turn.role === 'user' && having(turn.parts, 'functionResponse').length === 0);
  for (const [index, { role, parts }] of turns.entries()) {
    const corrupted = parts.some(({ thoughtSignature: signature, functionCall: call }) => {
      if (signature === undefined || standIns.includes(signature)) return false;
      if (!Buffer.from(signature, 'base64').toString().startsWith(SIGNED)) return true;
      return call !== undefined && signature !== signatureOf(callText(call));
    });
    if (corrupted) return invalid('Corrupted thought signature.');
    const first = parts.find(item => item.functionCall !== undefined);
    if (demands && role === 'model' && index > current && first && first.thoughtSignature === undefined)
      return invalid(
        `Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call \`default_api:${first.functionCall.name}\` , position ${index + 1}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.`,
      );
  }
  return undefined;
}

function configProblem({ generationConfig: config = {}, tools = [], toolConfig = {} }: Json): Refusal | undefined {
  const calling = toolConfig.functionCallingConfig ?? {};
  const declared = (tools as Json[]).flatMap(item => (item.functionDeclarations ?? []) as Json[]);
  const names = declared.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) return invalid(`Duplicate function declaration found: ${twice}`);
  if (declared.some(item => item.parameters && item.parametersJsonSchema))
    return invalid('parameters and parameters_json_schema are mutually exclusive.');
  if (calling.allowedFunctionNames && !['ANY', 'VALIDATED'].includes(calling.mode))
    return invalid('Function calling config: allowed_function_names should only be set when mode is ANY.');
  const unknown = (calling.allowedFunctionNames ?? []).find((name: string) => !names.includes(name));
  if (unknown !== undefined) return invalid(`Function calling config is set with unknown function name: ${unknown}`);
  if ((config.responseSchema ?? config.responseJsonSchema) && config.responseMimeType !== 'application/json')
    return invalid('response_schema is only supported with response_mime_type: application/json.');
  if (config.responseSchema && config.responseJsonSchema)
    return invalid('response_schema and response_json_schema are mutually exclusive.');
  if (config.logprobs !== undefined && !config.responseLogprobs)
    return invalid('logprobs can only be set if response_logprobs is true.');
  if (config.thinkingConfig?.thinkingLevel && config.thinkingConfig.thinkingBudget !== undefined)
    return invalid('You can only set one of thinking budget and thinking level.');
  return undefined;
}

/** A schema that refers to another one says little else. */
function referenceProblem({ tools = [], generationConfig = {} }: Json): Refusal | undefined {
  const declared = (tools as Json[]).flatMap(item => (item.functionDeclarations ?? []) as Json[]);
  const schemas = [generationConfig.responseJsonSchema, ...declared.map(item => item.parametersJsonSchema)];
  const name = schemas.map(crowdedReference).find(found => found !== undefined);
  return name === undefined
    ? undefined
    : invalid(
        `Reference to schema \`${name}\` was set alongside unsupported fields. If a schema node has Ref set, then only description and default can be set alongside it; they take precedence over the description and default found in the referenced schema definition.`,
      );
}

function crowdedReference(node: unknown): string | undefined {
  if (Array.isArray(node)) return node.map(crowdedReference).find(found => found !== undefined);
  if (!isRecord(node)) return undefined;
  const { $ref, properties, $defs, enum: _enum, default: _default, examples: _examples, ...rest } = node as Json;
  const isCrowded = Object.keys(node).some(name => !/^(?:\$.*|description|default)$/.test(name));
  if (typeof $ref === 'string' && isCrowded) return $ref;
  return crowdedReference([...Object.values(rest), ...Object.values(properties ?? {}), ...Object.values($defs ?? {})]);
}

function modelProblem(
  { generationConfig: config = {}, tools = [], systemInstruction }: Json,
  model: string,
  platform: Platform,
): Refusal | undefined {
  const version = versionOf(model);
  const thinking = config.thinkingConfig;
  const hasFunctions = (tools as Json[]).some(item => item.functionDeclarations?.length > 0);
  if (config.responseMimeType === 'application/json' && hasFunctions && version < 3)
    return invalid("Function calling with a response mime type: 'application/json' is unsupported");
  if (thinking && version < 2.5) return invalid('Thinking is not enabled for this model');
  if (thinking?.thinkingLevel && version < 3) return invalid('Thinking level is not supported for this model.');
  if (thinking?.thinkingBudget === 0 && (version >= 3 || model.includes('2.5-pro')))
    return invalid('Budget 0 is invalid. This model only works in thinking mode.');
  if (thinking?.thinkingLevel?.toUpperCase() === 'MINIMAL' && /-pro|gemini-4/.test(model))
    return invalid('Thinking level MINIMAL is not supported for this model. Please retry with other thinking level.');
  if (config.responseLogprobs && platform === 'vertex' && version >= 3)
    return invalid('Unable to submit request because Logprobs is not supported for this model.');
  if ((config.presencePenalty || config.frequencyPenalty) && version === 2.5 && platform === 'gemini')
    return invalid('Penalty is not enabled for this model');
  return model.startsWith('gemma') && systemInstruction
    ? invalid('Developer instruction is not enabled for this model')
    : undefined;
}
