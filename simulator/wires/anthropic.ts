// The Anthropic wire: messages, streamed and whole, and the counting of tokens, in both API versions.

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
import { citedPage, piecesOf, proofOf } from '../citing.ts';
import type { Json } from '../shape.ts';
import { attachmentTokens, countTokens, type PromptPart, promptTotal, promptUsage } from '../tokens.ts';
import { anthropicError, anthropicTrouble, invalid, requestId } from './anthropic-errors.ts';
import { anthropicInvalid, blocks, type Endpoint, signatureOf, type Version, versions } from './anthropic-validate.ts';
import {
  bearer,
  decodedBytes,
  type Frame,
  grouped,
  type Headers,
  header,
  type Read,
  type Refusal,
  type Reply,
  type Wire,
} from './wire.ts';

export const anthropic: Wire = {
  name: 'anthropic',
  // With both headers present the key wins over the bearer token.
  credential: headers => header(headers, 'x-api-key') ?? bearer(headers),
  needsCredential: true,
  missingCredential: 'x-api-key header is required',
  answersFiltered: true,
  read: (body, headers) => readFor('messages', body, headers),
  badJson: () => invalid('The request body is not valid JSON: unexpected end of data'),
  trouble: anthropicTrouble,
  refuse: (status, message) => anthropicError(status, errorTypes[status] ?? 'api_error', message),
  whole: anthropicWhole,
  frames: anthropicFrames,
  errorFrame: () => ({
    kind: 'content',
    event: 'error',
    data: JSON.stringify({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' }, request_id: requestId }),
    tokens: 0,
  }),
  ping: 'event: ping\ndata: {"type": "ping"}\n\n',
  headers: digest => ({
    'request-id': `req_${digest.slice(0, 24)}`,
    'anthropic-organization-id': '00000000-0000-4000-8000-000000000000',
  }),
  models: () => ({
    data: ['claude-opus-5', 'claude-sonnet-4-5'].map(id => ({
      type: 'model',
      id,
      display_name: id,
      created_at: '2026-01-01T00:00:00Z',
    })),
    has_more: false,
    first_id: 'claude-opus-5',
    last_id: 'claude-sonnet-4-5',
  }),
};

const errorTypes: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  405: 'invalid_request_error',
  413: 'request_too_large',
};

/** `{input_tokens}` of a request that is not generated. */
export function countTokensReply(body: unknown, headers: Headers): Refusal {
  const read = readFor('count_tokens', body, headers);
  return read.ok ? { status: 200, body: { input_tokens: promptTotal(read.ask.usage) } } : read.refusal;
}

function readFor(endpoint: Endpoint, body: unknown, headers: Headers): Read {
  const version = header(headers, 'anthropic-version');
  if (!version) return { ok: false, refusal: invalid('anthropic-version: header is required') };
  if (!versions.includes(version as Version))
    return {
      ok: false,
      refusal: invalid(`anthropic-version: "${version}" is not a valid version. Must be one of: ${versions.join(', ')}`),
    };
  const refusal = anthropicInvalid(body, version as Version, endpoint);
  return refusal ? { ok: false, refusal } : { ok: true, ask: anthropicAsk(body as Json) };
}

function anthropicWhole(reply: Reply): unknown {
  const answer = reply.answers[0]!;
  return {
    ...envelope(reply),
    content: [
      ...searchBlocks(reply),
      ...(answer.thinking.length > 0 ? [thinkingBlock(answer)] : []),
      ...piecesOf(answer).map(({ tokens, isCited }) => ({
        type: 'text',
        text: tokens.join(''),
        ...(isCited && { citations: [citationOf(reply.ask)] }),
      })),
      ...answer.calls.map(call => ({
        type: 'tool_use',
        id: `toolu_${call.id}`,
        name: call.name,
        input: parsedInput(call.arguments.join('')),
      })),
    ],
    ...ending(answer),
    ...(reply.usage !== 'missing' && { usage: usageOf(reply, outputTokens(answer)) }),
  };
}

/** A search and what it found, one after the other. */
const searchBlocks = ({ ask }: Reply): Record<string, unknown>[] =>
  (ask.searches ?? []).flatMap((query, n) => {
    const id = `srvtoolu_${ask.digest.slice(0, 20)}${n}`;
    const found = {
      type: 'web_search_result',
      title: 'Tolls',
      url: 'https://example.com/tolls',
      encrypted_content: 'c2Vl',
      page_age: null,
    };
    return [
      { type: 'server_tool_use', id, name: 'web_search', input: { query } },
      { type: 'web_search_tool_result', tool_use_id: id, content: [found] },
    ];
  });

function citationOf(ask: Ask): Json {
  const { document } = ask;
  if (!document)
    return {
      type: 'web_search_result_location',
      ...citedPage(ask),
      encrypted_index: proofOf(ask),
      cited_text: 'Tolls are paid.',
    };
  const about = { document_index: document.index, document_title: document.title ?? null, file_id: null };
  return document.isPaged
    ? { type: 'page_location', ...about, start_page_number: 1, end_page_number: 2, cited_text: 'A page.' }
    : { type: 'char_location', ...about, start_char_index: 0, end_char_index: 3, cited_text: 'All' };
}

const envelope = (reply: Reply): Record<string, unknown> => ({
  id: `msg_${reply.ask.digest.slice(0, 24)}`,
  type: 'message',
  role: 'assistant',
  model: reply.ask.model,
});

const thinkingBlock = (answer: Answer): unknown => {
  const thinking = answer.thinking.join('');
  return { type: 'thinking', thinking, signature: signatureOf(thinking) };
};

/** Arguments that max_tokens cut are no JSON; a whole reply then shows what it can. */
function parsedInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function ending(answer: Answer): Record<string, unknown> {
  if (answer.stopSequence !== undefined) return { stop_reason: 'stop_sequence', stop_sequence: answer.stopSequence };
  const reason = answer.refuses ? 'refusal' : stopReasons[answer.finish];
  return { stop_reason: reason, stop_sequence: null, ...(reason === 'refusal' && { stop_details: refusalDetails }) };
}

const stopReasons: Record<Answer['finish'], string> = {
  stop: 'end_turn',
  length: 'max_tokens',
  calls: 'tool_use',
  filtered: 'refusal',
};

const refusalDetails = {
  type: 'refusal',
  category: 'cyber',
  explanation: "This request triggered restrictions on violative cyber content and was blocked under Anthropic's Usage Policy.",
  recommended_model: 'claude-opus-5',
};

/** The real wire never says zero. */
const outputTokens = (answer: Answer): number => Math.max(1, generatedTokens(answer));

function usageOf(reply: Reply, output: number): Record<string, unknown> {
  const times = reply.usage === 'doubled' ? 2 : 1;
  const { uncached, cacheRead, cacheWrite5m, cacheWrite1h } = reply.ask.usage;
  const thinking = reply.answers[0]!.thinking.length;
  return {
    input_tokens: uncached * times,
    cache_creation_input_tokens: (cacheWrite5m + cacheWrite1h) * times,
    cache_read_input_tokens: cacheRead * times,
    cache_creation: { ephemeral_5m_input_tokens: cacheWrite5m * times, ephemeral_1h_input_tokens: cacheWrite1h * times },
    output_tokens: output * times,
    ...(thinking > 0 && { output_tokens_details: { thinking_tokens: Math.min(thinking, output) * times } }),
    ...(reply.ask.searches?.length && {
      server_tool_use: { web_search_requests: reply.ask.searches.length, web_fetch_requests: 0 },
    }),
    service_tier: 'standard',
    inference_geo: reply.ask.level === 'us' ? 'us' : 'not_available',
    ...(reply.ask.level === 'fast' && { speed: 'fast' }),
  };
}

function* anthropicFrames(reply: Reply): Iterable<Frame> {
  const answer = reply.answers[0]!;
  const hasUsage = reply.usage !== 'missing';
  yield frame('bare', {
    type: 'message_start',
    message: {
      ...envelope(reply),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      // What will be looked for is not known yet.
      ...(hasUsage && { usage: usageOf({ ...reply, ask: { ...reply.ask, searches: [] } }, 1) }),
    },
  });
  let index = 0;
  for (const block of searchBlocks(reply)) {
    const isCall = block.type === 'server_tool_use';
    const opening = isCall ? { ...block, input: {} } : block;
    yield frame('bare', { type: 'content_block_start', index, content_block: opening });
    const input = { type: 'input_json_delta', partial_json: JSON.stringify(block.input) };
    if (isCall) yield frame('bare', { type: 'content_block_delta', index, delta: input });
    yield frame('bare', { type: 'content_block_stop', index });
    index += 1;
  }
  for (const block of streamedBlocks(reply.ask, answer)) {
    yield frame('bare', { type: 'content_block_start', index, content_block: block.opening }, block.openingTokens);
    if (index === 0) yield frame('bare', { type: 'ping' });
    if (block.citation)
      yield frame('bare', { type: 'content_block_delta', index, delta: { type: 'citations_delta', citation: block.citation } });
    for (const group of grouped(block.tokens, reply.tokensPerFrame))
      yield frame('content', { type: 'content_block_delta', index, delta: block.delta(group.text) }, group.tokens);
    if (block.closing) yield frame('bare', { type: 'content_block_delta', index, delta: block.closing });
    yield frame('bare', { type: 'content_block_stop', index });
    index += 1;
  }
  const usage = hasUsage && { usage: usageOf(reply, outputTokens(answer)) };
  yield frame('finish', { type: 'message_delta', delta: ending(answer), ...usage });
  yield frame('end', { type: 'message_stop' });
}

const frame = (kind: Frame['kind'], data: { type: string } & Record<string, unknown>, tokens = 0): Frame => ({
  kind,
  event: data.type,
  data: JSON.stringify(data),
  tokens,
});

type StreamedBlock = {
  readonly opening: Record<string, unknown>;
  readonly openingTokens: number;
  readonly tokens: readonly string[];
  readonly delta: (text: string) => Record<string, unknown>;
  readonly closing?: Record<string, unknown>;
  /** Told before the words that rest on it. */
  readonly citation?: Json;
};

function streamedBlocks(ask: Ask, answer: Answer): StreamedBlock[] {
  const thinking: StreamedBlock = {
    opening: { type: 'thinking', thinking: '', signature: '' },
    openingTokens: 0,
    tokens: answer.thinking,
    delta: text => ({ type: 'thinking_delta', thinking: text }),
    closing: { type: 'signature_delta', signature: signatureOf(answer.thinking.join('')) },
  };
  const spoken = piecesOf(answer).map(
    ({ tokens, isCited }): StreamedBlock => ({
      opening: { type: 'text', text: '', ...(isCited && { citations: [] }) },
      openingTokens: 0,
      tokens,
      delta: text => ({ type: 'text_delta', text }),
      ...(isCited && { citation: citationOf(ask) }),
    }),
  );
  const calls = answer.calls.map(
    (call): StreamedBlock => ({
      opening: { type: 'tool_use', id: `toolu_${call.id}`, name: call.name, input: {} },
      openingTokens: countTokens(call.name),
      tokens: call.arguments,
      delta: text => ({ type: 'input_json_delta', partial_json: text }),
    }),
  );
  return [...(answer.thinking.length > 0 ? [thinking] : []), ...spoken, ...calls];
}

function searchesIn({ tools = [] }: Json, prompt: string): readonly string[] {
  const search = (tools as Json[]).find(({ type }) => String(type).startsWith('web_search_'));
  return askedSearches(prompt, search !== undefined, search?.max_uses ?? undefined);
}

function anthropicAsk(body: Json): Ask {
  const messages = body.messages as Json[];
  const lastUser = messages.findLast(message => message.role === 'user');
  const choice = body.tool_choice;
  const format = body.output_config?.format;
  return {
    model: body.model,
    stream: body.stream === true,
    prompt: lastUser ? textIn(lastUser.content) : '',
    attachments: lastUser ? blocks(lastUser).flatMap(attachmentOf) : [],
    results: lastUser ? resultsIn(lastUser, messages) : [],
    tools: (body.tools ?? [])
      .filter((tool: Json) => tool.input_schema)
      .map((tool: Json) => ({ name: tool.name, schema: tool.input_schema })),
    toolChoice: choice ? toolChoices[choice.type]!(choice.name) : 'auto',
    parallel: choice?.disable_parallel_tool_use !== true,
    format: format ? { schema: format.schema } : 'text',
    thinks: ['enabled', 'adaptive'].includes(body.thinking?.type),
    stop: body.stop_sequences ?? [],
    ...(body.max_tokens !== undefined && { maxTokens: body.max_tokens }),
    choices: 1,
    ...servedLevel(lastUser ? textIn(lastUser.content) : '', body.speed ?? body.inference_geo ?? undefined),
    searches: searchesIn(body, lastUser ? textIn(lastUser.content) : ''),
    usage: promptUsage(
      promptParts(body),
      messages.some(message => message.role === 'assistant'),
    ),
    ...documentOf(messages),
    digest: requestDigest(body),
  };
}

function documentOf(messages: readonly Json[]): Pick<Ask, 'document'> {
  const all = messages.flatMap(blocks).filter(({ type }) => type === 'document');
  const index = all.findIndex(({ citations }) => citations?.enabled);
  if (index < 0) return {};
  const { title, source } = all[index]!;
  return { document: { index, title: title ?? undefined, isPaged: source.type !== 'text' } };
}

const toolChoices: Record<string, (name: string) => Ask['toolChoice']> = {
  auto: () => 'auto',
  any: () => 'required',
  none: () => 'none',
  tool: (name: string) => ({ name }),
};

function textIn(content: unknown): string {
  if (typeof content === 'string') return content;
  return Array.isArray(content) ? content.map(block => (block.type === 'text' ? block.text : '')).join('') : '';
}

function attachmentOf(block: Json): Attachment[] {
  if (block.type !== 'image' && block.type !== 'document') return [];
  const { type, media_type, data } = block.source;
  if (type === 'base64') return [{ kind: block.type, type: media_type, bytes: decodedBytes(data) }];
  return [type === 'text' ? { kind: block.type, type: media_type, bytes: Buffer.byteLength(data) } : { kind: block.type, type }];
}

function resultsIn(lastUser: Json, messages: readonly Json[]): ToolResult[] {
  const calls = messages.flatMap(blocks).filter(block => block.type === 'tool_use');
  return blocks(lastUser)
    .filter(block => block.type === 'tool_result')
    .map(block => ({ tool: calls.find(call => call.id === block.tool_use_id)?.name ?? 'unknown', text: textIn(block.content) }));
}

/** Tools, system, then messages: the order in which the real cache sees them. */
function promptParts(body: Json): PromptPart[] {
  const system = typeof body.system === 'string' ? [{ text: body.system }] : (body.system ?? []);
  const messages = (body.messages as Json[]).flatMap(message =>
    typeof message.content === 'string' ? [{ tokens: 4 + countTokens(message.content) }] : blocks(message).map(marked),
  );
  const all = [...(body.tools ?? []).map(marked), ...system.map(marked), ...messages] as PromptPart[];
  return body.cache_control ? [...all.slice(0, -1), { ...all.at(-1)!, mark: body.cache_control.ttl ?? '5m' }] : all;
}

const marked = (block: Json): PromptPart => ({
  tokens: blockTokens(block),
  ...(block.cache_control && { mark: block.cache_control.ttl ?? '5m' }),
});

function blockTokens(block: Json): number {
  if (block.type === 'image' || (block.type === 'document' && block.source.type !== 'text')) return attachmentTokens;
  if (block.type === 'document') return countTokens(block.source.data);
  return typeof block.text === 'string' ? countTokens(block.text) : countTokens(JSON.stringify(block));
}
