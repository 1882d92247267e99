// What an upstream can do wrong, byte by byte: each fault answers one request on a bare socket. The wires' own words come from
// wires.ts; statuses, heads, framing and endings are written here.
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { RawAsked } from './raw-upstream.ts';
import type { Wire } from './relays.ts';
import { anthropicReply, anthropicStream, openaiReply, openaiStream, type ScriptedStream, wholeStream } from './wires.ts';

export type Asked = RawAsked & {
  readonly wire: Wire;
  readonly streamed: boolean;
  /** Where a redirect points: an upstream that would answer. */
  readonly elsewhere: string;
};
export type WireFault = (asked: Asked) => void | Promise<void>;

/** What a whole answer says. */
export const FIRST_SAID = 'First of all.';

const streams: Readonly<Record<Wire, ScriptedStream>> = { openai: openaiStream, anthropic: anthropicStream };
const replies = { openai: openaiReply, anthropic: anthropicReply } as const;

// ------------------------------------------------------------ bytes

type Headers = Readonly<Record<string, string>>;

export function head(status: string, headers: Headers): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`;
}

const json: Headers = { 'content-type': 'application/json' };
const html: Headers = { 'content-type': 'text/html' };
const events: Headers = { 'content-type': 'text/event-stream' };
const chunked: Headers = { 'transfer-encoding': 'chunked', connection: 'close' };
const typeOf = ({ streamed }: Asked): Headers => (streamed ? events : json);

/** One chunk of a chunked body. */
export function chunk(data: string | Buffer): Buffer {
  const bytes = Buffer.from(data);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}
export const LAST_CHUNK = '0\r\n\r\n';

const answerOf = ({ wire, streamed }: Asked): string =>
  streamed ? wholeStream(streams[wire], 'First', ' of all.') : JSON.stringify(replies[wire](FIRST_SAID));
/** Of a stream all before the last words, of a whole answer its first half. */
const beginningOf = (asked: Asked): string => {
  const { opening, content } = streams[asked.wire];
  const whole = answerOf(asked);
  return asked.streamed ? opening + content('First') + content(' of') : whole.slice(0, whole.length >> 1);
};
const openingOf = ({ wire }: Asked): string => streams[wire].opening;

/** @param off how much more than there is the head promises */
function whole({ socket }: Asked, status: string, headers: Headers, body: string | Buffer, off = 0): void {
  const length = String(Buffer.byteLength(body) + off);
  socket.write(head(status, { ...headers, 'content-length': length, connection: 'close' }));
  socket.end(body);
}

const write = ({ socket }: Asked, bytes: string | Buffer): Promise<void> =>
  new Promise(resolve => socket.write(bytes, () => resolve()));

/** The head of a good answer and this much of its body, then `after`. */
const begun =
  (beginning: (asked: Asked) => string, after: WireFault): WireFault =>
  async asked => {
    const begins = beginning(asked);
    await write(asked, head('200 OK', { ...typeOf(asked), ...chunked }));
    if (begins !== '') await write(asked, chunk(begins));
    // What was sent is read before the connection ends: a reset may overtake it otherwise.
    await delay(50);
    await after(asked);
  };

const nothing = (): string => '';
const silence = (): void => {};
const fin: WireFault = ({ socket }) => void socket.end();
const reset: WireFault = ({ socket }) => void socket.resetAndDestroy();
const lastly =
  (frames: (asked: Asked) => string | Buffer): WireFault =>
  asked =>
    void asked.socket.end(Buffer.concat([chunk(frames(asked)), Buffer.from(LAST_CHUNK)]));

/** One more piece every few milliseconds, for as long as somebody listens. */
const endlessly =
  (piece: (asked: Asked) => string): WireFault =>
  async asked => {
    for (; !asked.socket.destroyed; await delay(20)) asked.socket.write(chunk(piece(asked)));
  };

// ------------------------------------------------------------ errors

type Words = {
  readonly message: string;
  readonly openai: Readonly<Record<string, unknown>>;
  /** `error.type` of Anthropic's envelope. */
  readonly anthropic: string;
};

const wordsOf = (message: string, type: string, anthropic: string, code: string | null = null): Words => ({
  message,
  openai: { type, code },
  anthropic,
});

/** An error in the envelope of the wire. */
const envelope = (wire: Wire, { message, openai, anthropic }: Words): string =>
  JSON.stringify(
    wire === 'openai'
      ? { error: { message, param: null, ...openai } }
      : { type: 'error', error: { type: anthropic, message }, request_id: 'req_scripted' },
  );

const errorFrame = (wire: Wire): string => `${wire === 'openai' ? '' : 'event: error\n'}data: ${envelope(wire, overload)}\n\n`;

const refusing =
  (status: string, words: Words, headers: Headers = {}): WireFault =>
  asked =>
    whole(asked, status, { ...json, ...headers }, envelope(asked.wire, words));

const pageOfProxy =
  (status: string): WireFault =>
  asked =>
    whole(asked, status, html, '<html><head><title>Bad Gateway</title></head><body><center>nginx</center></body></html>');

const invalid = (message: string, code: string | null = null): Words =>
  wordsOf(message, 'invalid_request_error', 'invalid_request_error', code);
const unavailable = wordsOf('Not now.', 'server_error', 'api_error');
const overload = wordsOf('Overloaded', 'overloaded_error', 'overloaded_error');
const rateLimit = wordsOf('Rate limit reached.', 'requests', 'rate_limit_error', 'rate_limit_exceeded');
const limited = (headers: Headers): WireFault => refusing('429 Too Many Requests', rateLimit, headers);
/** Headers that name a time are made when they are sent. */
const limitedUntil =
  (headers: (at: Date) => Headers): WireFault =>
  asked =>
    limited(headers(new Date(Date.now() + 30_000)))(asked);

const emptyAnswer = ({ wire, streamed }: Asked): string => {
  if (!streamed)
    return JSON.stringify(
      wire === 'openai'
        ? openaiReply('', { usage: { prompt_tokens: 9, completion_tokens: 0, total_tokens: 9 } })
        : anthropicReply('', { content: [], usage: { input_tokens: 9, output_tokens: 0 } }),
    );
  const { opening, ending } = streams[wire];
  return (opening + ending).replaceAll(/"(completion|output)_tokens":\d+/g, '"$1_tokens":0');
};

/** The first byte of a character, and no other. */
const halfOfCharacter = ({ wire }: Asked): Buffer => {
  const frame = Buffer.from(streams[wire].content('é'));
  return frame.subarray(0, frame.indexOf(0xc3) + 1);
};

// ------------------------------------------------------------ the faults

/** Those that are there before a request can be read are the stage's: nothing answers. */
export const wireFaults = {
  'closed before the answer': fin,
  'reset before the answer': reset,
  'reset on a reused connection': asked => {
    if (asked.turn > 1) return reset(asked);
    const length = String(Buffer.byteLength(answerOf(asked)));
    asked.socket.write(head('200 OK', { ...typeOf(asked), 'content-length': length }) + answerOf(asked));
  },
  'no HTTP': ({ socket }) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n'),

  'HTTP 400': refusing('400 Bad Request', invalid('A field is wrong.')),
  'HTTP 401': refusing(
    '401 Unauthorized',
    wordsOf('Wrong key.', 'invalid_request_error', 'authentication_error', 'invalid_api_key'),
  ),
  'HTTP 403': refusing('403 Forbidden', wordsOf('Not allowed.', 'invalid_request_error', 'permission_error')),
  'HTTP 404': refusing('404 Not Found', wordsOf('model: x', 'invalid_request_error', 'not_found_error', 'model_not_found')),
  'HTTP 408': refusing('408 Request Timeout', wordsOf('Timed out.', 'server_error', 'timeout_error')),
  'HTTP 409': refusing('409 Conflict', invalid('Conflict.')),
  'HTTP 413': pageOfProxy('413 Payload Too Large'),
  'HTTP 422': refusing('422 Unprocessable Entity', invalid('No.')),
  'context length': refusing(
    '400 Bad Request',
    invalid('prompt is too long: 210000 tokens > 200000 maximum', 'context_length_exceeded'),
  ),
  'content policy': refusing('400 Bad Request', invalid('Output blocked by content filtering policy', 'content_filter')),
  'no money': refusing(
    '402 Payment Required',
    wordsOf('Pay first.', 'insufficient_quota', 'billing_error', 'insufficient_quota'),
  ),

  'HTTP 429': limited({}),
  'HTTP 429, Retry-After: 1': limited({ 'retry-after': '1' }),
  'HTTP 429, Retry-After: 0': limited({ 'retry-after': '0' }),
  'HTTP 429, Retry-After: 30': limited({ 'retry-after': '30' }),
  'HTTP 429, Retry-After: a date, 30 s away': limitedUntil(at => ({ 'retry-after': at.toUTCString() })),
  'HTTP 429, Retry-After: a date that is past': limited({ 'retry-after': 'Sat, 01 Jan 2022 00:00:00 GMT' }),
  'HTTP 429, retry-after-ms: 300': limited({ 'retry-after-ms': '300', 'retry-after': '1' }),
  'HTTP 429, Retry-After: -1': limited({ 'retry-after': '-1', 'retry-after-ms': '-1', 'x-ratelimit-remaining-requests': '-1' }),
  'HTTP 429, Retry-After: three years': limited({ 'retry-after': '99999999' }),
  'HTTP 429, x-ratelimit-reset': limited({
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': '12ms',
    'x-ratelimit-remaining-tokens': '0',
    'x-ratelimit-reset-tokens': '6m0s',
  }),
  'HTTP 429, anthropic-ratelimit-reset': limitedUntil(at => ({
    'anthropic-ratelimit-requests-remaining': '0',
    'anthropic-ratelimit-requests-reset': at.toISOString(),
  })),

  'HTTP 500': refusing('500 Internal Server Error', wordsOf('It broke.', 'server_error', 'api_error')),
  'HTTP 502': pageOfProxy('502 Bad Gateway'),
  'HTTP 503': refusing('503 Service Unavailable', unavailable),
  'HTTP 503, Retry-After: 30': refusing('503 Service Unavailable', unavailable, { 'retry-after': '30' }),
  'HTTP 504': pageOfProxy('504 Gateway Timeout'),
  'HTTP 400, body cut': ({ socket }) =>
    void socket.end(`${head('400 Bad Request', { ...json, 'content-length': '1000' })}{"error":`),
  'HTTP 500, body without end': ({ socket }) =>
    void socket.write(`${head('500 Internal Server Error', { ...json, 'content-length': '1000' })}{"error":`),
  'HTTP 529': refusing('529 Overloaded', overload, { 'x-should-retry': 'true' }),

  'silence before the head': silence,
  'silence after the head': begun(nothing, silence),
  stall: begun(beginningOf, silence),
  'white space without end': begun(
    nothing,
    endlessly(({ streamed }) => (streamed ? '\n\n' : ' ')),
  ),

  'cut (FIN)': begun(beginningOf, fin),
  'cut (RST)': begun(beginningOf, reset),
  'ends too early': begun(beginningOf, ({ socket }) => void socket.end(LAST_CHUNK)),
  'chunk of a wrong size': begun(beginningOf, ({ socket }) => void socket.end('zz\r\nrubbish\r\n')),
  'error in a 200': asked =>
    whole(asked, '200 OK', typeOf(asked), asked.streamed ? errorFrame(asked.wire) : envelope(asked.wire, overload)),
  'no body': asked => whole(asked, '200 OK', typeOf(asked), ''),
  'answer that says nothing': asked => whole(asked, '200 OK', typeOf(asked), emptyAnswer(asked)),
  'HTML page': pageOfProxy('200 OK'),
  'wrong content type': asked => whole(asked, '200 OK', { 'content-type': 'text/plain' }, answerOf(asked)),
  'stream where none was asked for, and the reverse': asked =>
    whole(asked, '200 OK', asked.streamed ? json : events, answerOf({ ...asked, streamed: !asked.streamed })),
  'content-length too long': asked => whole(asked, '200 OK', typeOf(asked), answerOf(asked), 10),
  'content-length too short': asked => whole(asked, '200 OK', typeOf(asked), answerOf(asked), -10),
  redirect: asked => whole(asked, '307 Temporary Redirect', { location: asked.elsewhere }, ''),
  gzip: asked => whole(asked, '200 OK', { ...typeOf(asked), 'content-encoding': 'gzip' }, gzipSync(answerOf(asked))),
  'gzip, cut': asked => {
    const bytes = gzipSync(answerOf(asked));
    whole(asked, '200 OK', { ...typeOf(asked), 'content-encoding': 'gzip' }, bytes.subarray(0, bytes.length >> 1));
  },
  'gzip, but is not': asked => whole(asked, '200 OK', { ...typeOf(asked), 'content-encoding': 'gzip' }, answerOf(asked)),
  'encoding nobody knows': asked =>
    whole(
      asked,
      '200 OK',
      { ...typeOf(asked), 'content-encoding': 'x-unknown' },
      Buffer.from(answerOf(asked)).map(byte => byte ^ 0x55) as Buffer,
    ),
  '1xx before the answer': async asked => {
    await write(asked, head('103 Early Hints', { link: '</x>; rel=preload' }) + head('102 Processing', {}));
    whole(asked, '200 OK', typeOf(asked), answerOf(asked));
  },
  trailers: asked =>
    void asked.socket.end(
      Buffer.concat([
        Buffer.from(head('200 OK', { ...typeOf(asked), ...chunked, trailer: 'x-checked' })),
        chunk(answerOf(asked)),
        Buffer.from('0\r\nx-checked: yes\r\n\r\n'),
      ]),
    ),
} as const satisfies Readonly<Record<string, WireFault>>;

/** What only a stream can do wrong. */
export const streamFaults = {
  'silence after the first frame': begun(openingOf, silence),
  'comments without end': begun(
    openingOf,
    endlessly(() => ': ping\n\n'),
  ),
  'blank tokens without end': begun(
    beginningOf,
    endlessly(({ wire }) => streams[wire].content(' \n')),
  ),
  'cut before the first token': begun(openingOf, fin),
  'cut inside of a character': begun(beginningOf, lastly(halfOfCharacter)),
  'frame that is no JSON': begun(
    beginningOf,
    lastly(({ wire }) => `data: {"choices":[{"delta":{"conte\n\n${streams[wire].content(' all.')}${streams[wire].ending}`),
  ),
  'error after content': begun(
    beginningOf,
    lastly(({ wire }) => errorFrame(wire)),
  ),
  'no terminator': asked =>
    whole(asked, '200 OK', events, answerOf(asked).replace(/data: \[DONE\]\n\n|event: message_stop\n[^\n]*\n\n/, '')),
} as const satisfies Readonly<Record<string, WireFault>>;

export type WireFaultName = keyof typeof wireFaults | keyof typeof streamFaults;
