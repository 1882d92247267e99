// The Bedrock wires: Converse for every model, and InvokeModel for Anthropic's, each whole and as a binary event stream; and the counting of
// tokens. A request is signed, or bears a key.

import {
  type Answer,
  type Ask,
  type Attachment,
  generatedTokens,
  requestDigest,
  servedLevel,
  type ToolResult,
} from '../answer.ts';
import { type AccessKey, EXAMPLE_KEY, type SignedRequest, signatureDenial } from '../aws-signature.ts';
import { citedPage, type Piece, piecesOf } from '../citing.ts';
import { eventFrame } from '../event-stream.ts';
import { isRecord, type Json } from '../shape.ts';
import { attachmentTokens, countTokens, type PromptPart, promptTotal, promptUsage } from '../tokens.ts';
import { anthropic } from './anthropic.ts';
import { signatureOf } from './anthropic-validate.ts';
import { bedrockError, bedrockTrouble, extraneous, invalid } from './bedrock-errors.ts';
import { conversationInvalid, converseInvalid, familyOf } from './bedrock-validate.ts';
import { bearer, decodedBytes, type Frame, grouped, type Read, type Refusal, type Reply, type Wire } from './wire.ts';

const STREAM_TYPE = 'application/vnd.amazon.eventstream';

/** What all four have in common. */
const wire = (fields: Pick<Wire, 'read' | 'whole' | 'frames'> & Partial<Wire>): Wire => ({
  name: 'bedrock',
  credential: bearer,
  needsCredential: true,
  missingCredential: 'Missing Authentication Token',
  denied,
  answersFiltered: true,
  badJson: () => bedrockError(400, 'SerializationException', 'The request body is not valid JSON.'),
  trouble: bedrockTrouble,
  refuse: (status, message) => bedrockError(status, errorTypes[status] ?? 'InternalServerException', message),
  errorFrame: () => ({ kind: 'content', event: 'throttlingException', data: exceptionBody, tokens: 0 }),
  ping: '',
  streamType: STREAM_TYPE,
  bytesOf: converseBytes,
  headers: digest => ({ 'x-amzn-requestid': digest.slice(0, 36) }),
  models: () => ({}),
  ...fields,
});

const errorTypes: Readonly<Record<number, string>> = {
  400: 'ValidationException',
  401: 'MissingAuthenticationTokenException',
  403: 'AccessDeniedException',
  404: 'UnknownOperationException',
  405: 'UnknownOperationException',
};

const exceptionBody = JSON.stringify({ message: 'Too many tokens, please wait before trying again.' });

// ---------------------------------------------------------------- who asks

/** `id:secret` or `id:secret:session` is a key to sign with; anything else bears itself. */
const accessKeys = (keys: readonly string[] | undefined): readonly AccessKey[] => {
  const own = (keys ?? []).flatMap(key => {
    const [id, secret, session] = key.split(':');
    return id && secret ? [{ id, secret, session }] : [];
  });
  return keys ? own : [EXAMPLE_KEY];
};

function denied(request: SignedRequest, keys: readonly string[] | undefined, now: number): Refusal | undefined {
  const token = bearer(request.headers);
  if (token !== undefined) return keys && !keys.includes(token) ? bedrockTrouble('authentication', '') : undefined;
  const denial = signatureDenial(request, accessKeys(keys), now);
  return denial && bedrockError(403, denial.type, denial.message);
}

// ---------------------------------------------------------------- Converse

const readConverse =
  (stream: boolean): Wire['read'] =>
  (body, _headers, model = '') => {
    const refusal = unknownModel(model) ?? converseInvalid(body, model);
    return refusal ? { ok: false, refusal } : { ok: true, ask: converseAsk(body as Json, model, stream) };
  };

/** A maker, a dot, a name; or an ARN. Names of faults stand for themselves. */
const unknownModel = (model: string): Refusal | undefined =>
  /^arn:aws[a-z-]*:bedrock:|^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[A-Za-z0-9._:!;=-]+$|^fault-/.test(model)
    ? undefined
    : invalid('The provided model identifier is invalid.');

export const converse: Wire = wire({ read: readConverse(false), whole: converseWhole, frames: converseFrames });
export const converseStream: Wire = { ...converse, read: readConverse(true) };

function converseWhole(reply: Reply): unknown {
  const answer = reply.answers[0]!;
  return {
    metrics: { latencyMs: 1 },
    output: {
      message: {
        role: 'assistant',
        content: [
          ...(answer.thinking.length > 0 ? [thinkingBlock(reply, answer)] : []),
          ...piecesOf(answer).map(piece => pieceBlock(reply.ask, piece)),
          ...answer.calls.map(call => ({
            toolUse: { toolUseId: toolUseId(reply, call.id), name: call.name, input: parsedInput(call.arguments.join('')) },
          })),
        ],
      },
    },
    stopReason: stopReasonOf(answer),
    ...(reply.usage !== 'missing' && { usage: usageOf(reply, answer) }),
    ...(reply.ask.level && { serviceTier: { type: reply.ask.level } }),
  };
}

const pieceBlock = (ask: Ask, { tokens, isCited }: Piece): unknown => {
  const text = tokens.join('');
  return isCited ? { citationsContent: { content: [{ text }], citations: [citationOf(ask)] } } : { text };
};

function citationOf(ask: Ask): Record<string, unknown> {
  const { url, title } = citedPage(ask);
  if (!ask.document) return { title, location: { web: { url, domain: 'pages.test' } } };
  const { index: documentIndex, title: named, isPaged } = ask.document;
  return isPaged
    ? { title: named, sourceContent: [{ text: 'A page.' }], location: { documentPage: { documentIndex, start: 1, end: 2 } } }
    : { title: named, sourceContent: [{ text: 'All' }], location: { documentChar: { documentIndex, start: 0, end: 3 } } };
}

const thinkingBlock = ({ ask }: Reply, answer: Answer): unknown => {
  const text = answer.thinking.join('');
  return {
    reasoningContent: { reasoningText: { text, ...(familyOf(ask.model) === 'claude' && { signature: signatureOf(text) }) } },
  };
};

const toolUseId = ({ ask }: Reply, id: string): string =>
  familyOf(ask.model) === 'mistral' ? id.replace(/[^a-z0-9]/gi, '').slice(0, 9) : `tooluse_${id}`;

/** Arguments that maxTokens cut are no JSON; a whole reply then shows what it can. */
function parsedInput(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return {};
  }
}

function stopReasonOf(answer: Answer): string {
  if (answer.stopSequence !== undefined) return 'stop_sequence';
  return { stop: 'end_turn', length: 'max_tokens', calls: 'tool_use', filtered: 'content_filtered' }[answer.finish];
}

function usageOf({ ask, usage }: Reply, answer: Answer): Record<string, unknown> {
  const times = usage === 'doubled' ? 2 : 1;
  const { uncached, cacheRead, cacheWrite5m, cacheWrite1h } = ask.usage;
  const output = Math.max(1, generatedTokens(answer));
  const written = [
    { ttl: '1h', inputTokens: cacheWrite1h * times },
    { ttl: '5m', inputTokens: cacheWrite5m * times },
  ].filter(detail => detail.inputTokens > 0);
  return {
    inputTokens: uncached * times,
    outputTokens: output * times,
    totalTokens: (promptTotal(ask.usage) + output) * times,
    cacheReadInputTokens: cacheRead * times,
    cacheWriteInputTokens: (cacheWrite5m + cacheWrite1h) * times,
    ...(written.length > 0 && { cacheDetails: written }),
    serverToolUsage: {},
  };
}

function* converseFrames(reply: Reply): Iterable<Frame> {
  const answer = reply.answers[0]!;
  yield frame('bare', 'messageStart', { role: 'assistant' });
  let index = 0;
  if (answer.thinking.length > 0) {
    const text = answer.thinking.join('');
    yield* deltas(reply, answer.thinking, index, piece => ({ reasoningContent: { text: piece } }));
    if (familyOf(reply.ask.model) === 'claude')
      yield frame('bare', 'contentBlockDelta', delta(index, { reasoningContent: { signature: signatureOf(text) } }));
    yield frame('bare', 'contentBlockStop', { contentBlockIndex: index++ });
  }
  for (const { tokens, isCited } of piecesOf(answer)) {
    yield* deltas(reply, tokens, index, text => ({ text }));
    if (isCited) yield frame('bare', 'contentBlockDelta', delta(index, { citation: citationOf(reply.ask) }));
    yield frame('bare', 'contentBlockStop', { contentBlockIndex: index++ });
  }
  for (const call of answer.calls) {
    const start = { toolUse: { toolUseId: toolUseId(reply, call.id), name: call.name } };
    yield frame('bare', 'contentBlockStart', { contentBlockIndex: index, start }, countTokens(call.name));
    yield* deltas(reply, call.arguments, index, input => ({ toolUse: { input } }));
    yield frame('bare', 'contentBlockStop', { contentBlockIndex: index++ });
  }
  yield frame('finish', 'messageStop', { stopReason: stopReasonOf(answer) });
  const usage = reply.usage !== 'missing' && { usage: usageOf(reply, answer) };
  yield frame('usage', 'metadata', {
    metrics: { latencyMs: 1 },
    ...usage,
    ...(reply.ask.level && { serviceTier: { type: reply.ask.level } }),
  });
}

function* deltas(
  { tokensPerFrame }: Reply,
  tokens: readonly string[],
  index: number,
  of: (text: string) => Record<string, unknown>,
): Iterable<Frame> {
  for (const group of grouped(tokens, tokensPerFrame))
    yield frame('content', 'contentBlockDelta', delta(index, of(group.text)), group.tokens);
}

const delta = (contentBlockIndex: number, content: Record<string, unknown>) => ({ contentBlockIndex, delta: content });

/** `p` pads frames so that their sizes tell nothing of their texts. */
const frame = (kind: Frame['kind'], event: string, data: Record<string, unknown>, tokens = 0): Frame => ({
  kind,
  event,
  data: JSON.stringify({ ...data, p: 'abcdefghijklmnopqrstuvwxyz'.slice(0, 3 + (event.length % 20)) }),
  tokens,
});

function converseBytes({ event = '', data }: Frame): Buffer {
  const type = { ':content-type': 'application/json' };
  if (event.endsWith('Exception')) return eventFrame({ ':exception-type': event, ...type, ':message-type': 'exception' }, data);
  return eventFrame({ ':event-type': event, ...type, ':message-type': 'event' }, data);
}

function converseAsk(body: Json, model: string, stream: boolean): Ask {
  const messages = body.messages as Json[];
  const lastUser = messages.findLast(message => message.role === 'user');
  const { toolChoice, tools = [] } = body.toolConfig ?? {};
  const { thinking, reasoningConfig, reasoning_effort: effort } = body.additionalModelRequestFields ?? {};
  const format = body.outputConfig?.textFormat?.structure.jsonSchema.schema;
  const { maxTokens, stopSequences = [] } = body.inferenceConfig ?? {};
  return {
    model,
    stream,
    prompt: lastUser ? textIn(lastUser.content) : '',
    attachments: (lastUser?.content ?? []).flatMap(attachmentOf),
    results: lastUser ? resultsIn(lastUser, messages) : [],
    tools: tools.flatMap((tool: Json) =>
      tool.toolSpec ? [{ name: tool.toolSpec.name, schema: tool.toolSpec.inputSchema.json }] : [],
    ),
    toolChoice: toolChoice?.any ? 'required' : toolChoice?.tool ? { name: toolChoice.tool.name } : 'auto',
    parallel: true,
    format: format ? { schema: JSON.parse(format) } : 'text',
    thinks: ['enabled', 'adaptive'].includes(thinking?.type) || reasoningConfig?.type === 'enabled' || effort !== undefined,
    stop: stopSequences,
    ...servedLevel(lastUser ? textIn(lastUser.content) : '', body.serviceTier?.type),
    ...(maxTokens !== undefined && { maxTokens }),
    choices: 1,
    usage: promptUsage(
      promptParts(body),
      messages.some(message => message.role === 'assistant'),
    ),
    ...documentOf(messages),
    digest: requestDigest(body),
  };
}

function documentOf(messages: readonly Json[]): Pick<Ask, 'document'> {
  const all = messages.flatMap(({ content }) => content as Json[]).flatMap(({ document }) => (document ? [document] : []));
  const index = all.findIndex(({ citations }) => citations?.enabled);
  return index < 0 ? {} : { document: { index, title: all[index]!.name, isPaged: all[index]!.format === 'pdf' } };
}

const textIn = (content: readonly Json[]): string => content.map(block => block.text ?? '').join('');

function attachmentOf({ image, document, audio }: Json): Attachment[] {
  const found = image ?? document ?? audio;
  if (!found) return [];
  const kind = image ? 'image' : document ? 'document' : 'audio';
  const type = document && found.format === 'pdf' ? 'application/pdf' : `${document ? 'text' : kind}/${found.format}`;
  return [{ kind, type, ...(found.source.bytes && { bytes: decodedBytes(found.source.bytes) }) }];
}

function resultsIn(lastUser: Json, messages: readonly Json[]): ToolResult[] {
  const calls = messages.flatMap(message => message.content.flatMap((block: Json) => block.toolUse ?? []));
  return lastUser.content
    .flatMap((block: Json) => block.toolResult ?? [])
    .map((result: Json) => ({
      tool: calls.find(call => call.toolUseId === result.toolUseId)?.name ?? 'unknown',
      text: textIn(result.content),
    }));
}

/** Tools, system, then messages; a point keeps what is before it. */
function promptParts(body: Json): PromptPart[] {
  const parts: PromptPart[] = [];
  const all = [
    ...(body.toolConfig?.tools ?? []),
    ...(body.system ?? []),
    ...body.messages.flatMap((m: Json) => m.content),
  ] as Json[];
  for (const block of all) {
    const last = parts.at(-1);
    if (block.cachePoint && last) parts[parts.length - 1] = { ...last, mark: block.cachePoint.ttl ?? '5m' };
    else parts.push({ tokens: blockTokens(block) });
  }
  return parts;
}

function blockTokens(block: Json): number {
  if (block.image || block.document || block.audio) return attachmentTokens;
  return countTokens(typeof block.text === 'string' ? block.text : JSON.stringify(block));
}

// ---------------------------------------------------------------- InvokeModel, for Anthropic's models

const betas = new Set([
  'compact-2026-01-12',
  'computer-use-2025-01-24',
  'computer-use-2025-11-24',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'dev-full-thinking-2025-05-14',
  'interleaved-thinking-2025-05-14',
  'output-128k-2025-02-19',
  'token-efficient-tools-2025-02-19',
  'tool-examples-2025-10-29',
  'tool-search-tool-2025-10-19',
]);

/** The body is Anthropic's, but for what stands in the path and what stands in its headers elsewhere. */
const readInvoke =
  (stream: boolean): Wire['read'] =>
  (body, _headers, model = '') => {
    if (!isRecord(body)) return refused(invalid('Malformed input request, please reformat your input and try again.'));
    const unknown = unknownModel(model) ?? invokeInvalid(body, model);
    if (unknown) return refused(unknown);
    const { anthropic_version: _version, anthropic_beta: _betas, ...rest } = body;
    const read = anthropic.read({ ...rest, model, stream }, { 'anthropic-version': '2023-06-01' });
    if (read.ok) return read;
    const { error } = read.refusal.body as { error: { message: string } };
    return refused(invalid(error.message));
  };

const refused = (refusal: Refusal): Read => ({ ok: false, refusal });

function invokeInvalid(body: Json, model: string): Refusal | undefined {
  const extra = ['model', 'stream'].find(name => name in body);
  if (extra) return extraneous(extra);
  if (body.anthropic_version !== 'bedrock-2023-05-31') return invalid('anthropic_version: Field required');
  if ((body.anthropic_beta ?? []).some((beta: string) => !betas.has(beta))) return invalid('invalid beta flag');
  const blocks = (body.messages ?? []).flatMap((message: Json) =>
    Array.isArray(message.content) ? message.content : [],
  ) as Json[];
  const sources = blocks
    .flatMap(block => [block, ...(Array.isArray(block.content) ? block.content : [])])
    .map(block => block?.source?.type);
  if (sources.some(type => type === 'url' || type === 'file'))
    return invalid('messages: URL and file sources are not supported.');
  const strict = (body.tools ?? []).some((tool: Json) => tool.strict) || body.output_config?.format;
  return strict && !/claude-(?:opus|sonnet|haiku)-4-[1-6](?!\d)/.test(model)
    ? invalid('output_config.format: Extra inputs are not permitted')
    : undefined;
}

export const invoke: Wire = wire({
  read: readInvoke(false),
  whole: reply => ({ ...(anthropic.whole(reply) as object), model: reply.ask.model.replace(/^(?:[a-z]+\.)*/, '') }),
  frames: anthropic.frames,
  bytesOf: invokeBytes,
});
export const invokeStream: Wire = { ...invoke, read: readInvoke(true) };

function invokeBytes(frame: Frame): Buffer {
  if (frame.event?.endsWith('Exception')) return converseBytes(frame);
  const payload = JSON.stringify({ bytes: Buffer.from(frame.data).toString('base64'), p: 'abcdefgh' });
  return eventFrame({ ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' }, payload);
}

// ---------------------------------------------------------------- counting

/** For models themselves: an inference profile counts nothing. */
export function countReply(model: string, body: unknown): Refusal {
  const input = (isRecord(body) && isRecord(body.input) ? body.input : {}) as Json;
  if (!/^anthropic\.claude/.test(model)) return invalid("The provided model doesn't support counting tokens.");
  if (isRecord(input.converse)) {
    const refusal = conversationInvalid(input.converse, model);
    return refusal ?? counted(converseAsk(input.converse as Json, model, false));
  }
  const inner = parsedInput(Buffer.from(String(input.invokeModel?.body ?? ''), 'base64').toString());
  const read = readInvoke(false)(inner, {}, model);
  return read.ok ? counted(read.ask) : read.refusal;
}

const counted = ({ usage }: Ask): Refusal => ({ status: 200, body: { inputTokens: promptTotal(usage) } });
