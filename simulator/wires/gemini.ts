// The wire of Google's Gemini API and of Vertex AI: generateContent, streamed and whole, and countTokens. Each stream has a wire of its own, as
// it has a path of its own.

import {
  type Answer,
  type Ask,
  type Attachment,
  askedSearches,
  generatedTokens,
  requestDigest,
  servedLevel,
  type ToolResult,
} from '../answer.ts';
import { citedPage, citedSpan } from '../citing.ts';
import { tokenLogprobs } from '../logprobs.ts';
import { isRecord, type Json } from '../shape.ts';
import { attachmentTokens, countTokens, promptTotal, promptUsage } from '../tokens.ts';
import { geminiError, geminiTrouble, invalid } from './gemini-errors.ts';
import { callText, camelized, geminiInvalid, type Platform, signatureOf, turnsOf, versionOf } from './gemini-validate.ts';
import { bearer, decodedBytes, type Frame, grouped, header, type Read, type Refusal, type Reply, type Wire } from './wire.ts';

const wireOf = (platform: Platform, stream: boolean): Wire => ({
  name: 'gemini',
  credential: headers => (platform === 'vertex' ? bearer(headers) : header(headers, 'x-goog-api-key')),
  needsCredential: true,
  missingCredential:
    platform === 'vertex'
      ? 'Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential.'
      : "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
  answersFiltered: true,
  read: (body, _headers, model = '') => readFor(platform, stream, body, model),
  badJson: () => invalid('Invalid JSON payload received. Unexpected end of string.'),
  trouble: geminiTrouble,
  refuse: (status, message) => geminiError(status, message),
  whole: reply => wholeOf(reply),
  frames: reply => framesOf(reply),
  errorFrame: () => ({
    kind: 'content',
    data: JSON.stringify({
      error: { code: 503, message: 'The model is overloaded. Please try again later.', status: 'UNAVAILABLE' },
    }),
    tokens: 0,
  }),
  ping: ': ping\r\n\r\n',
  bytesOf: frame => `data: ${frame.data}\r\n\r\n`,
  headers: () => ({ 'x-gemini-service-tier': 'standard', vary: 'Origin, X-Origin, Referer' }),
  models: () => ({
    models: ['gemini-3.8-flash', 'gemini-2.5-pro'].map(id => ({
      name: `models/${id}`,
      supportedGenerationMethods: ['generateContent', 'countTokens'],
    })),
  }),
});

export const gemini = { whole: wireOf('gemini', false), stream: wireOf('gemini', true) };
export const vertex = { whole: wireOf('vertex', false), stream: wireOf('vertex', true) };

export function countTokensReply(body: unknown, model: string, platform: Platform): Refusal {
  const given = camelized(body);
  if (!isRecord(given)) return invalid('Invalid JSON payload received.');
  const { generateContentRequest, ...alone } = given as Json;
  const misplaced =
    platform === 'vertex'
      ? generateContentRequest && 'generateContentRequest'
      : Object.keys(alone).find(name => name !== 'contents');
  if (misplaced) return invalid(`Invalid JSON payload received. Unknown name "${misplaced}": Cannot find field.`);
  const { model: named, ...request } = (generateContentRequest ?? alone) as Json;
  if (generateContentRequest && named !== `models/${model}`)
    return invalid(`* CountTokensRequest.generate_content_request.model: unexpected model name format\n`);
  const refusal = geminiInvalid(request, model, platform);
  if (refusal) return refusal;
  return { status: 200, body: { totalTokens: promptTotal(askOf(request, model, false).usage) } };
}

function readFor(platform: Platform, stream: boolean, given: unknown, model: string): Read {
  const body = camelized(given);
  const refusal = geminiInvalid(body, model, platform);
  return refusal ? { ok: false, refusal } : { ok: true, ask: askOf(body as Json, model, stream) };
}

// ---------------------------------------------------------------- answers

function wholeOf(reply: Reply): unknown {
  const { ask, answers } = reply;
  if (answers.every(isBlocked))
    return { ...about(ask), promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata: usageOf(reply) };
  return {
    candidates: answers.map((answer, index) => ({
      ...(partsOf(answer, ask).length > 0 && { content: { parts: partsOf(answer, ask), role: 'model' } }),
      finishReason: finishReasons[answer.refuses ? 'filtered' : answer.finish],
      index,
      ...logprobsOf(ask, answer.text),
      ...groundingOf(
        ask,
        answer,
        partsOf(answer, ask).findIndex(({ thought }) => !thought),
      ),
    })),
    ...(reply.usage !== 'missing' && { usageMetadata: usageOf(reply) }),
    ...about(ask),
  };
}

const about = ({ model, digest }: Ask) => ({ modelVersion: model, responseId: digest.slice(0, 23) });

/** The prompt itself was not let through. */
const isBlocked = ({ finish, text, calls, thinking }: Answer): boolean =>
  finish === 'filtered' && text.length + calls.length + thinking.length === 0;

const finishReasons: Record<Answer['finish'], string> = {
  stop: 'STOP',
  length: 'MAX_TOKENS',
  calls: 'STOP',
  filtered: 'SAFETY',
};

function partsOf(answer: Answer, ask: Ask): Json[] {
  const text = answer.text.join('');
  const signs = versionOf(ask.model) >= 3;
  return [
    ...(answer.thinking.length > 0 ? [{ text: answer.thinking.join(''), thought: true }] : []),
    ...(text === '' ? [] : [{ text, ...(signs && { thoughtSignature: signatureOf(text) }) }]),
    ...answer.calls.map((call, at) => callPart(call, at, ask)),
  ];
}

/** Ids came with Gemini 3, and only at Google's own API; of calls made at once the first is signed. */
function callPart(call: Answer['calls'][number], at: number, { model }: Ask): Json {
  const functionCall = { name: call.name, args: parsedArgs(call.arguments.join('')) };
  const isNew = versionOf(model) >= 3;
  return {
    functionCall: { ...(isNew && { id: call.id.slice(0, 8) }), ...functionCall },
    ...(isNew && at === 0 && { thoughtSignature: signatureOf(callText(functionCall)) }),
  };
}

/** Places count bytes, from the beginning of a part. */
function groundingOf(ask: Ask, answer: Answer, partIndex = 0): Json {
  const span = citedSpan(answer, Buffer.byteLength);
  const { searches = [] } = ask;
  if (!span && searches.length === 0) return {};
  const { url: uri, title } = citedPage(ask);
  const segment = span && { ...(partIndex > 0 && { partIndex }), startIndex: span.start, endIndex: span.end, text: span.text };
  return {
    groundingMetadata: {
      webSearchQueries: searches,
      groundingChunks: [{ web: { uri, title } }],
      ...(segment && { groundingSupports: [{ segment, groundingChunkIndices: [0] }] }),
    },
  };
}

function logprobsOf(ask: Ask, tokens: readonly string[]): Json {
  const top = (ask as GeminiAsk).logprobs;
  if (top === undefined) return {};
  const candidateOf = ({ token, logprob }: { token: string; logprob: number }) => ({ token, logProbability: logprob });
  const list = tokenLogprobs(tokens, top);
  const topCandidates = list.map(({ top_logprobs }) => ({ candidates: top_logprobs.map(candidateOf) }));
  return { logprobsResult: { chosenCandidates: list.map(candidateOf), topCandidates } };
}

/** Arguments that the limit cut are no JSON. */
function parsedArgs(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function usageOf({ ask, answers, usage }: Reply): Json {
  const times = usage === 'doubled' ? 2 : 1;
  const prompt = promptTotal(ask.usage);
  const thoughts = answers.reduce((sum, answer) => sum + answer.thinking.length, 0);
  const said = answers.reduce((sum, answer) => sum + generatedTokens(answer), 0) - thoughts;
  return {
    promptTokenCount: prompt * times,
    ...(said > 0 && { candidatesTokenCount: said * times }),
    totalTokenCount: (prompt + said + thoughts) * times,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: prompt * times }],
    ...(thoughts > 0 && { thoughtsTokenCount: thoughts * times }),
    ...(ask.level && { serviceTier: ask.level }),
  };
}

function* framesOf(reply: Reply): Iterable<Frame> {
  const { ask, answers, tokensPerFrame } = reply;
  const answer = answers[0]!;
  const usage = reply.usage !== 'missing' && { usageMetadata: usageOf(reply) };
  if (isBlocked(answer))
    return yield frame('finish', { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, ...usage, ...about(ask) });
  const chunk = (parts: readonly Json[], rest: Json = {}) => ({
    candidates: [{ content: { parts, role: 'model' }, index: 0, ...rest }],
    ...usage,
    ...about(ask),
  });
  for (const group of grouped(answer.thinking, tokensPerFrame))
    yield frame('content', chunk([{ text: group.text, thought: true }]), group.tokens);
  for (const { text, from, tokens } of grouped(answer.text, tokensPerFrame))
    yield frame('content', chunk([{ text }], logprobsOf(ask, answer.text.slice(from, from + tokens))), tokens);
  for (const [at, call] of answer.calls.entries())
    yield frame('content', chunk([callPart(call, at, ask)]), call.arguments.length + countTokens(call.name));
  const signature = answer.text.length > 0 &&
    versionOf(ask.model) >= 3 && { thoughtSignature: signatureOf(answer.text.join('')) };
  const finishReason = finishReasons[answer.refuses ? 'filtered' : answer.finish];
  yield frame('finish', chunk([{ text: '', ...signature }], { finishReason, ...groundingOf(ask, answer) }));
}

const frame = (kind: Frame['kind'], data: Json, tokens = 0): Frame => ({ kind, data: JSON.stringify(data), tokens });

// ---------------------------------------------------------------- requests

/** What only this wire's encoders ask for. */
type GeminiAsk = Ask & { readonly logprobs: number | undefined };

function askOf(body: Json, model: string, stream: boolean): GeminiAsk {
  const turns = turnsOf(body);
  const lastUser = turns.findLast(turn => turn.role === 'user');
  const config = body.generationConfig ?? {};
  const calling = body.toolConfig?.functionCallingConfig ?? {};
  const schema = config.responseJsonSchema ?? config.responseSchema;
  return {
    model,
    stream,
    prompt: (lastUser?.parts ?? []).map(part => part.text ?? '').join(''),
    attachments: (lastUser?.parts ?? []).flatMap(attachmentOf),
    results: (lastUser?.parts ?? []).flatMap(resultOf),
    tools: toolsOf(body, calling.allowedFunctionNames),
    toolChoice: calling.mode === 'NONE' ? 'none' : calling.mode === 'ANY' ? 'required' : 'auto',
    parallel: true,
    format: config.responseMimeType !== 'application/json' ? 'text' : schema ? { schema: lowered(schema) } : 'json',
    thinks: config.thinkingConfig?.includeThoughts === true,
    stop: config.stopSequences ?? [],
    ...(config.maxOutputTokens !== undefined && { maxTokens: config.maxOutputTokens }),
    choices: stream ? 1 : (config.candidateCount ?? 1),
    ...servedLevel((lastUser?.parts ?? []).map(part => part.text ?? '').join(''), body.serviceTier?.toLowerCase()),
    searches: askedSearches(
      (lastUser?.parts ?? []).map(part => part.text ?? '').join(''),
      ((body.tools ?? []) as Json[]).some(tool => tool.googleSearch !== undefined),
    ),
    usage: promptUsage([{ tokens: promptTokens(body) }], false),
    digest: requestDigest({ ...body, model }),
    logprobs: config.responseLogprobs ? (config.logprobs ?? 0) : undefined,
  };
}

const toolsOf = (body: Json, allowed?: readonly string[]): Ask['tools'] =>
  ((body.tools ?? []) as Json[])
    .flatMap(tool => (tool.functionDeclarations ?? []) as Json[])
    .filter(({ name }) => !allowed || allowed.includes(name))
    .map(({ name, parametersJsonSchema, parameters }) => ({
      name,
      schema: lowered(parametersJsonSchema ?? parameters ?? { type: 'object', properties: {} }),
    }));

/** Types in capitals are Google's way to write them. */
function lowered(schema: unknown): Json {
  if (Array.isArray(schema)) return schema.map(lowered) as unknown as Json;
  if (!isRecord(schema)) return schema as Json;
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === 'type' && typeof value === 'string' ? value.toLowerCase() : lowered(value),
    ]),
  );
}

function attachmentOf(part: Json): Attachment[] {
  const type: string | undefined = part.inlineData?.mimeType ?? part.fileData?.mimeType;
  if (type === undefined) return [];
  const kind = type.startsWith('image/') ? 'image' : type.startsWith('audio/') ? 'audio' : 'document';
  return [{ kind, type, ...(part.inlineData && { bytes: decodedBytes(part.inlineData.data) }) }];
}

const resultOf = ({ functionResponse }: Json): ToolResult[] =>
  functionResponse
    ? [{ tool: functionResponse.name, text: functionResponse.response.output ?? JSON.stringify(functionResponse.response) }]
    : [];

function promptTokens(body: Json): number {
  const system = (body.systemInstruction?.parts ?? []) as Json[];
  const parts = [...system, ...(body.contents as Json[]).flatMap(content => content.parts as Json[])];
  const tools = (body.tools ?? []) as Json[];
  return (
    parts.reduce((sum, part) => sum + partTokens(part), 0) +
    tools.reduce((sum, tool) => sum + countTokens(JSON.stringify(tool)), 0)
  );
}

function partTokens(part: Json): number {
  if (part.inlineData || part.fileData) return attachmentTokens;
  return typeof part.text === 'string'
    ? countTokens(part.text)
    : countTokens(JSON.stringify(part.functionCall ?? part.functionResponse ?? {}));
}
