// The faults that can be asked for, by name: `docs/simulator.md` describes how, this table says what each does. A fault answers
// something else (`refuse`), changes the answer (`answer`, `reply`), rewrites the steps of its delivery (`steps`) or their bytes (`manner`).
import type { Answer, Ask } from './answer.ts';
import type { Manner } from './delivery.ts';
import { bytesOf, type Step, write } from './steps.ts';
import { tokensOf } from './tokens.ts';
import type { Refusal, Reply, Trouble, Wire } from './wires/wire.ts';

export type FaultOptions = Readonly<Record<string, string>>;
export type FaultCall = { readonly name: string; readonly options: FaultOptions };
export type FaultContext = { readonly wire: Wire; readonly model: string; readonly options: FaultOptions };

export type Fault = {
  readonly about: string;
  readonly refuse?: (context: FaultContext) => Refusal;
  readonly answer?: (answer: Answer, ask: Ask) => Answer;
  readonly reply?: Partial<Pick<Reply, 'usage' | 'oldReasoningField'>>;
  readonly steps?: (steps: Iterable<Step>, context: FaultContext) => Iterable<Step>;
  readonly contentType?: string;
  readonly manner?: Manner;
};

/** `cut;chunks=3`: a name and its options. */
export function parseFault(text: string): FaultCall {
  const [name = '', ...pairs] = text.trim().split(';');
  return {
    name: name.trim(),
    options: Object.fromEntries(pairs.map(pair => pair.trim().split('=', 2)).map(([key, value]) => [key, value ?? ''])),
  };
}

/** `gpt-4o!cut` answers as gpt-4o with the fault; of `fault-cut` the whole is the model's name. */
export function faultInModel(model: string): { readonly model: string; readonly fault?: FaultCall } {
  const at = model.lastIndexOf('!');
  if (at > 0) return { model: model.slice(0, at), fault: parseFault(model.slice(at + 1)) };
  return model.startsWith('fault-') ? { model, fault: parseFault(model.slice('fault-'.length)) } : { model };
}

export const faultNamed = (name: string): Fault | undefined => (Object.hasOwn(faults, name) ? faults[name] : undefined);

/** A Retry-After may be asked for with any status (`after`). */
const trouble = (name: Trouble, about: string): Fault =>
  withHeaders(name, about, ({ after }) => (after === undefined ? {} : { 'retry-after': after }));

const rateLimit = (about: string, headers: HeadersOf): Fault => withHeaders('rate-limit', about, headers);

type HeadersOf = (options: FaultOptions) => Readonly<Record<string, string>>;

const withHeaders = (name: Trouble, about: string, headers: HeadersOf): Fault => ({
  about,
  refuse: ({ wire, model, options }) => {
    const more = headers(options);
    const refusal = wire.trouble(name, model, more['retry-after']);
    return { ...refusal, headers: { ...refusal.headers, ...more } };
  },
});

const chunksIn = (options: FaultOptions, otherwise: number): number =>
  Math.max(0, Math.trunc(Number(options.chunks ?? otherwise)) || 0);

/** The steps up to and with the k-th content frame, then `after`; of a body that is not streamed, its first half. */
function* cutAfter(steps: Iterable<Step>, chunks: number, after: readonly Step[]): Iterable<Step> {
  let seen = 0;
  for (const step of steps) {
    if (step.do !== 'write') {
      yield step;
      continue;
    }
    if (step.kind === 'body' && chunks > 0) yield halved(step);
    if (step.kind === 'body' || step.kind === 'finish' || step.kind === 'end' || (step.kind === 'content' && seen >= chunks))
      break;
    yield step;
    if (step.kind === 'content') seen += 1;
    if (seen >= chunks && chunks > 0) break;
  }
  yield { do: 'head' };
  yield* after;
}

const cutting = (about: string, otherwise: number, after: readonly Step[]): Fault => ({
  about,
  steps: (steps, { options }) => cutAfter(steps, chunksIn(options, otherwise), after),
});

const errorEvent = (about: string, otherwise: number): Fault => ({
  about,
  steps: (steps, { wire, model, options }) =>
    streamed(
      steps,
      stream =>
        cutAfter(stream, chunksIn(options, otherwise), [write('noise', bytesOf(wire.errorFrame(model), wire)), { do: 'end' }]),
      () => [write('body', JSON.stringify(JSON.parse(wire.errorFrame(model).data)))],
    ),
});

/** Streams and whole bodies are told apart by their first step that writes. */
function* streamed(
  steps: Iterable<Step>,
  stream: (steps: Iterable<Step>) => Iterable<Step>,
  whole: (body: string | Buffer) => Iterable<Step>,
): Iterable<Step> {
  const all = [...steps];
  const body = all.find(step => step.do === 'write' && step.kind === 'body');
  if (body?.do === 'write') yield* whole(body.text);
  else yield* stream(all);
}

function* edited(steps: Iterable<Step>, edit: (step: Extract<Step, { do: 'write' }>) => Iterable<Step>): Iterable<Step> {
  for (const step of steps)
    if (step.do === 'write') yield* edit(step);
    else yield step;
}

const halved = <S extends Extract<Step, { do: 'write' }>>(step: S): S => ({
  ...step,
  text: step.text.slice(0, step.text.length >> 1),
});

/** What becomes of the first binary frame behind so many of content; undefined: the body ends there. */
function* afterContent(
  steps: Iterable<Step>,
  chunks: number,
  became: (frame: Buffer) => readonly (Buffer | undefined)[],
): Iterable<Step> {
  let seen = 0;
  for (const step of steps) {
    if (step.do === 'write' && seen === chunks && typeof step.text !== 'string') {
      seen = Number.POSITIVE_INFINITY;
      for (const text of became(step.text)) {
        if (!text) return yield { do: 'end' };
        yield { ...step, text };
      }
    } else yield step;
    if (step.do === 'write' && step.kind === 'content') seen += 1;
  }
}

function flipped(frame: Buffer): Buffer {
  const bytes = Buffer.from(frame);
  bytes[bytes.length >> 1]! ^= 1;
  return bytes;
}

const maxWhitespace = 100_000;

const htmlPage = '<!doctype html><html><head><title>Sign in</title></head><body><h1>Sign in to continue</h1></body></html>';

export const faults: Readonly<Record<string, Fault>> = {
  '400': trouble('bad-request', 'the provider’s 400'),
  '401': trouble('authentication', 'the provider’s 401'),
  billing: trouble(
    'billing',
    'an account without money: OpenAI 429 billing_not_active, Anthropic 400 “credit balance is too low”',
  ),
  '403': trouble('permission', 'the provider’s 403'),
  '404': trouble('not-found', 'the model does not exist'),
  '408': trouble('timeout', 'the provider’s 408'),
  '409': trouble('conflict', 'the provider’s 409'),
  '413': trouble('too-large', 'the body is too large'),
  '422': trouble('unprocessable', 'the provider’s 422'),
  '429': rateLimit('a rate limit with Retry-After in seconds (`after`, 2)', options => ({ 'retry-after': options.after ?? '2' })),
  '429-ms': rateLimit('a rate limit with retry-after-ms (`after`, 250) and a Retry-After that is rounded up', options => ({
    'retry-after-ms': options.after ?? '250',
    'retry-after': String(Math.ceil(Number(options.after ?? 250) / 1000)),
  })),
  '429-date': rateLimit('a rate limit with Retry-After as an HTTP date, `after` (2) seconds from now', options => ({
    'retry-after': new Date(Date.now() + Number(options.after ?? 2) * 1000).toUTCString(),
  })),
  '429-none': rateLimit('a rate limit without Retry-After', () => ({})),
  '429-negative': rateLimit('Retry-After: -1, as Azure has sent it', () => ({ 'retry-after': '-1', 'retry-after-ms': '-1' })),
  '429-absurd': rateLimit('Retry-After of three years', () => ({ 'retry-after': '99999999' })),
  quota: trouble('quota', 'the quota is used up: never worth a retry'),
  '500': trouble('server-error', 'the provider’s 500'),
  '502': trouble('bad-gateway', 'a proxy’s 502, HTML'),
  '503': trouble('unavailable', 'the provider’s 503'),
  '504': trouble('gateway-timeout', 'the provider’s 504'),
  '529': trouble('overloaded', 'the provider is overloaded'),
  'context-length': trouble('context-length', 'the prompt is too long, in the provider’s words'),
  'content-filter': {
    about: 'the prompt is refused: 400 from the OpenAI family, a 200 with stop_reason `refusal` from Anthropic',
    answer: answer => ({ ...answer, thinking: [], text: [], calls: [], finish: 'filtered' }),
    refuse: context => context.wire.trouble('content-filter', context.model),
  },
  'content-filter-output': {
    about: 'the answer is withheld after its first words',
    answer: answer => ({ ...answer, text: answer.text.slice(0, 6), calls: [], finish: 'filtered' }),
  },
  refusal: {
    about: 'the model declines: `message.refusal` on the OpenAI wires, stop_reason `refusal` on Anthropic’s',
    answer: answer => ({
      thinking: answer.thinking,
      text: tokensOf("I'm sorry, but I can't help with that."),
      calls: [],
      finish: 'stop',
      refuses: true,
    }),
  },
  cut: cutting('after `chunks` (2) frames of content the connection is closed in the middle of the body', 2, [{ do: 'cut' }]),
  'cut-clean': cutting('after `chunks` (2) frames the body ends properly, without finish and terminator', 2, [{ do: 'end' }]),
  'cut-reset': cutting('after `chunks` (2) frames RST', 2, [{ do: 'wait', ms: 20 }, { do: 'reset' }]),
  stall: cutting('after `chunks` (2) frames nothing more comes', 2, [{ do: 'stall' }]),
  'role-then-silence': cutting('the first frame without content, then nothing', 0, [{ do: 'stall' }]),
  silence: { about: 'no answer at all, not even headers', steps: () => [{ do: 'stall' }] },
  'headers-then-silence': { about: 'status and headers, then nothing', steps: () => [{ do: 'head' }, { do: 'stall' }] },
  'cut-upload': {
    about: 'RST after `bytes` (1000) of the body of the request, where it is a form or a file',
    steps: () => [{ do: 'reset' }],
  },
  reset: { about: 'RST after the request was read', steps: () => [{ do: 'reset' }] },
  'reset-before': {
    about: 'RST when the connection opens (by the control endpoint; by model or header the same as `reset`)',
    steps: () => [{ do: 'reset' }],
  },
  'slow-first-token': {
    about: 'the first token takes `ms` (1000)',
    steps: function* (steps, { options }) {
      let waited = false;
      for (const step of steps) {
        if (!waited && step.do === 'write' && step.kind !== 'bare') {
          waited = true;
          yield { do: 'head' };
          yield { do: 'wait', ms: Number(options.ms ?? 1000) || 0 };
        }
        yield step;
      }
    },
  },
  slow: {
    about: 'tokens come at `tps` (20) a second',
    steps: (steps, { options }) =>
      edited(steps, step => [{ do: 'wait', ms: (step.tokens * 1000) / (Number(options.tps) || 20) }, step]),
  },
  'bad-chunk': {
    about: 'after `chunks` (2) frames one that is no JSON, then the rest as usual; half a body when not streamed',
    steps: (steps, { options }) => {
      let left = chunksIn(options, 2);
      return edited(steps, function* (step) {
        if (step.kind === 'body') return yield halved(step);
        yield step;
        if (step.kind === 'content' && --left === 0)
          yield write('noise', 'data: {"id":"chatcmpl-broken","choices":[{"delta":{"conte\n\n');
      });
    },
  },
  'bad-crc': {
    about: 'one bit of the frame after `chunks` (2) frames of content is wrong (binary streams)',
    steps: (steps, { options }) => afterContent(steps, chunksIn(options, 2), frame => [flipped(frame)]),
  },
  'cut-frame': {
    about: 'the body ends properly in the middle of the frame after `chunks` (2) frames of content (binary streams)',
    steps: (steps, { options }) =>
      afterContent(steps, chunksIn(options, 2), frame => [frame.subarray(0, frame.length >> 1), undefined]),
  },
  'error-first': errorEvent('200, then an error before any content', 0),
  'error-event': errorEvent('200, `chunks` (2) frames of content, then an error in the stream', 2),
  empty: {
    about: 'a well-formed answer that says nothing',
    answer: answer => ({ ...answer, thinking: [], text: [], calls: [], finish: 'stop' }),
  },
  'empty-body': { about: '200 without a body', steps: () => [] },
  whitespace: {
    about: 'white space up to max_tokens (100,000 at most), as a constrained model that lost its way',
    answer: (answer, ask) => ({
      ...answer,
      text: Array(Math.min(ask.maxTokens ?? maxWhitespace, maxWhitespace)).fill('  \n '),
      calls: [],
      finish: 'length',
    }),
  },
  html: {
    about: '200 with an HTML page',
    refuse: () => ({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: htmlPage }),
  },
  'content-type': { about: 'the right answer declared as text/html', contentType: 'text/html' },
  'length-long': { about: 'content-length says ten bytes more than there are', manner: { lengthOff: 10 } },
  'length-short': { about: 'content-length says ten bytes fewer than there are', manner: { lengthOff: -10 } },
  redirect: {
    about: '302 to another host',
    refuse: () => ({ status: 302, headers: { location: 'https://elsewhere.example.com/v1/chat/completions' }, body: '' }),
  },
  gzip: { about: 'the body is gzip, asked for or not', manner: { gzip: true } },
  'byte-by-byte': { about: 'each byte is a write of its own', manner: { split: true } },
  crlf: {
    about: 'the stream’s lines end in CRLF',
    steps: steps =>
      edited(steps, step => [
        typeof step.text !== 'string' || step.kind === 'body' ? step : { ...step, text: step.text.replaceAll('\n', '\r\n') },
      ]),
  },
  comments: {
    about: 'comments or pings between all frames',
    steps: (steps, { wire }) =>
      edited(steps, step => (step.kind === 'body' || wire.ping === '' ? [step] : [write('noise', wire.ping), step])),
  },
  'no-done': {
    about: 'the answer is complete but the terminator ([DONE], message_stop) is missing',
    steps: steps => edited(steps, step => (step.kind === 'end' ? [] : [step])),
  },
  'usage-missing': { about: 'no usage anywhere', reply: { usage: 'missing' } },
  usage2x: { about: 'usage claims twice the tokens', reply: { usage: 'doubled' } },
  'reasoning-content': {
    about: 'vLLM shows its thinking as `reasoning_content`, as before 0.12',
    reply: { oldReasoningField: true },
  },
};
