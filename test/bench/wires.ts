// What the benchmark's upstream says, and what its clients ask, on both wires. The first `mock:` in a request carries the
// orders for the upstream, as text of the system prompt: it survives every gateway and every translation. A stream's pieces of
// text carry the microsecond of their writing for the same reason.

/** Orders to the upstream. */
export type Orders = {
  /** Size of a reply that is not streamed. */
  readonly bytes: number;
  /** Pieces of text in a stream. */
  readonly chunks: number;
  /** Milliseconds from one piece to the next; 0: one each turn of the event loop. */
  readonly every: number;
};
export const defaultOrders: Orders = { bytes: 1024, chunks: 100, every: 0 };

const ORDERS = Buffer.from('"mock:');

export const spellOrders = (orders: Partial<Orders>): string =>
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
  return () => `${before} at-${String(nowMicroseconds()).padStart(TIME_DIGITS, '0')}${after}`;
}

/** One wire of an upstream: each member is JSON or SSE text. */
export type Wire = {
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

export const wireOf = (path: string): Wire => (path.includes('/messages') ? anthropic : openAI);

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
