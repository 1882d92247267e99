// What the benchmark's upstream says on each wire, and what its clients ask. The first `mock:` in a request carries the
// orders for the upstream, as text of the system prompt: it survives every gateway and every translation. A stream's pieces of
// text carry the microsecond of their writing for the same reason.
import { EventStreamCodec } from '@smithy/core/event-streams';

/** Orders to the upstream. */
export type Orders = {
  /** Size of a reply that is not streamed. */
  readonly bytes: number;
  /** Pieces of text in a stream. */
  readonly chunks: number;
  /** Milliseconds from one piece to the next; 0: one each turn of the event loop. */
  readonly every: number;
};
const defaultOrders: Orders = { bytes: 1024, chunks: 100, every: 0 };

const ORDERS = Buffer.from('"mock:');

const spellOrders = (orders: Partial<Orders>): string =>
  `mock:${Object.entries(orders)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')}`;

export function readOrders(body: Buffer): Orders {
  const at = body.indexOf(ORDERS);
  if (at < 0) return defaultOrders;
  const text = body.toString('latin1', at + ORDERS.length, body.indexOf(0x22, at + ORDERS.length));
  const pairs = text.split(',').map(pair => pair.split('='));
  return { ...defaultOrders, ...Object.fromEntries(pairs.map(([name, value]) => [name!, Number(value)])) };
}

/** Before the 16 digits of a time. */
export const TIME_MARK = Buffer.from(' at-');
export const TIME_DIGITS = 16;
export const nowMicroseconds = (): number => Number(process.hrtime.bigint() / 1000n);
/** A piece of text that says when it was written, in the frame that `frameOf` makes of a text. */
function timed(frameOf: (text: string) => string): () => string {
  const [before, after] = frameOf('HERE').split('HERE');
  return () => `${before}${timeNow()}${after}`;
}
const timeNow = (): string => ` at-${String(nowMicroseconds()).padStart(TIME_DIGITS, '0')}`;

/** One wire of an upstream: each member is JSON or SSE text. */
export type Wire = {
  /** Of a stream; absent: SSE. */
  readonly contentType?: string;
  reply(bytes: number): string;
  readonly streamStart: string;
  streamChunk(): string;
  streamEnd(chunks: number): string;
};

const padded = (make: (text: string) => string, bytes: number): string =>
  make('lorem ipsum '.repeat(bytes / 12 + 1).slice(0, Math.max(1, bytes - make('').length)));
const frame = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (value: { type: string } & Record<string, unknown>): string => `event: ${value.type}\n${frame(value)}`;

const completion = { id: 'chatcmpl-mock0123456789', created: 1750000000, model: 'up-model', system_fingerprint: 'fp_mock' };
const completionChunk = { ...completion, object: 'chat.completion.chunk' };
const openAIDelta = (delta: object, finish_reason: string | null = null): string =>
  frame({ ...completionChunk, choices: [{ index: 0, delta, logprobs: null, finish_reason }] });

const openAI: Wire = {
  reply: bytes =>
    padded(
      content =>
        JSON.stringify({
          ...completion,
          object: 'chat.completion',
          choices: [{ index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' }],
          usage: { prompt_tokens: 200, completion_tokens: 150, total_tokens: 350, prompt_tokens_details: { cached_tokens: 0 } },
        }),
      bytes,
    ),
  streamStart: openAIDelta({ role: 'assistant', content: '' }),
  streamChunk: timed(content => openAIDelta({ content })),
  streamEnd: chunks =>
    openAIDelta({}, 'stop') +
    frame({
      ...completionChunk,
      choices: [],
      usage: { prompt_tokens: 200, completion_tokens: chunks, total_tokens: 200 + chunks },
    }) +
    'data: [DONE]\n\n',
};

const message = { id: 'msg_mock0123456789', type: 'message', role: 'assistant', model: 'up-model', stop_sequence: null };

const anthropic: Wire = {
  reply: bytes =>
    padded(
      text =>
        JSON.stringify({
          ...message,
          content: [{ type: 'text', text }],
          stop_reason: 'end_turn',
          usage: { input_tokens: 200, output_tokens: 150, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 },
        }),
      bytes,
    ),
  streamStart:
    named({
      type: 'message_start',
      message: { ...message, content: [], stop_reason: null, usage: { input_tokens: 200, output_tokens: 1 } },
    }) + named({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
  streamChunk: timed(text => named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
  streamEnd: chunks =>
    named({ type: 'content_block_stop', index: 0 }) +
    named({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: chunks } }) +
    named({ type: 'message_stop' }),
};

const response = (output: readonly object[], tokens?: number): object => ({
  id: 'resp_mock0123456789',
  object: 'response',
  created_at: 1750000000,
  model: 'up-model',
  status: tokens === undefined ? 'in_progress' : 'completed',
  output,
  usage: tokens === undefined ? null : { input_tokens: 200, output_tokens: tokens, total_tokens: 200 + tokens },
});
const said = (text: string): object => ({ type: 'output_text', text, annotations: [], logprobs: [] });
const item = (content: readonly object[]): object => ({ id: 'msg_mock', type: 'message', role: 'assistant', content });
const place = { item_id: 'msg_mock', output_index: 0, content_index: 0 };

const responses: Wire = {
  reply: bytes => padded(text => JSON.stringify(response([item([said(text)])], 150)), bytes),
  streamStart:
    named({ type: 'response.created', response: response([]) }) +
    named({ type: 'response.output_item.added', output_index: 0, item: item([]) }) +
    named({ type: 'response.content_part.added', ...place, part: said('') }),
  streamChunk: timed(delta => named({ type: 'response.output_text.delta', ...place, delta, logprobs: [] })),
  streamEnd: chunks =>
    named({ type: 'response.output_item.done', output_index: 0, item: item([said('')]) }) +
    named({ type: 'response.completed', response: response([item([said('')])], chunks) }),
};

const candidates = (text: string, tokens: number, rest: object = {}): object => ({
  candidates: [{ content: { parts: [{ text }], role: 'model' }, index: 0, ...rest }],
  usageMetadata: { promptTokenCount: 200, candidatesTokenCount: tokens, totalTokenCount: 200 + tokens },
  modelVersion: 'up-model',
  responseId: 'mock0123456789',
});

const gemini: Wire = {
  reply: bytes => padded(text => JSON.stringify(candidates(text, 150, { finishReason: 'STOP' })), bytes),
  streamStart: '',
  streamChunk: timed(text => frame(candidates(text, 1))),
  streamEnd: chunks => frame(candidates('', chunks, { finishReason: 'STOP' })),
};

const codec = new EventStreamCodec(
  bytes => Buffer.from(bytes).toString(),
  text => Buffer.from(text),
);
/** AWS's frame, a byte a character: it ends in a checksum. */
function binary(type: string, event: object): string {
  const header = (value: string) => ({ type: 'string' as const, value });
  const headers = { ':event-type': header(type), ':content-type': header('application/json'), ':message-type': header('event') };
  return Buffer.from(codec.encode({ headers, body: Buffer.from(JSON.stringify(event)) })).toString('latin1');
}
const converseUsage = (tokens: number) => ({ inputTokens: 200, outputTokens: tokens, totalTokens: 200 + tokens });

const bedrock: Wire = {
  contentType: 'application/vnd.amazon.eventstream',
  reply: bytes =>
    padded(
      text =>
        JSON.stringify({
          output: { message: { role: 'assistant', content: [{ text }] } },
          stopReason: 'end_turn',
          usage: converseUsage(150),
          metrics: { latencyMs: 1 },
        }),
      bytes,
    ),
  streamStart: binary('messageStart', { role: 'assistant' }),
  streamChunk: () => binary('contentBlockDelta', { contentBlockIndex: 0, delta: { text: timeNow() } }),
  streamEnd: chunks =>
    binary('contentBlockStop', { contentBlockIndex: 0 }) +
    binary('messageStop', { stopReason: 'end_turn' }) +
    binary('metadata', { usage: converseUsage(chunks), metrics: { latencyMs: 1 } }),
};

export function wireOf(path: string): Wire {
  if (path.includes('/messages')) return anthropic;
  if (path.includes('/responses')) return responses;
  if (path.includes(':generateContent') || path.includes(':streamGenerateContent')) return gemini;
  return path.includes('/converse') ? bedrock : openAI;
}

/** Google and AWS have it in the path. */
export const isStreamed = (path: string, body: Buffer): boolean => /stream/i.test(path) || body.includes('"stream":true');

/** A chat request of about `bytes` bytes; from a megabyte on, most of it is a picture. */
export function requestBody(ask: { model: string; bytes: number; stream: boolean; orders: Partial<Orders> }): string {
  const picture = ask.bytes >= 1_000_000;
  const text = 'The quick brown fox jumps over "the" lazy dog.\n'
    .repeat(picture ? 1 : ask.bytes / 49 + 1)
    .slice(0, ask.bytes * 0.93);
  const url = `data:image/png;base64,${'QUJD'.repeat(ask.bytes / 4)}`;
  const parts = [
    { type: 'text', text },
    { type: 'image_url', image_url: { url } },
  ];
  return JSON.stringify({
    model: ask.model,
    temperature: 0.7,
    max_tokens: 256,
    ...(ask.stream && { stream: true, stream_options: { include_usage: true } }),
    messages: [
      { role: 'system', content: spellOrders(ask.orders) },
      { role: 'user', content: picture ? parts : text },
    ],
  });
}
