// How what is passed on is paid for: what a request can cost at most, and where its reply says what it did use. One entry for each name in
// the table of endpoints.

import { noUsage, type Usage } from '#core/chat/usage.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { tokens } from '#core/units.ts';
import type { Extent } from '../frontends/frontend.ts';
import { continuedIn, referencesIn } from '../frontends/references.ts';
import type { OutputAsked } from '../providers/provider.ts';

/** What is known of a request. */
export type Asked = {
  /** Fields of the body, or of the form: those have texts alone. */
  readonly body: JsonRecord;
  /** Bytes of all that goes up, or the most that may. */
  readonly bytes: number;
  /** Of a form: files in it, as far as they have come. */
  readonly files: number;
};

export type Meter = {
  /** Where it has a price: the model's, one for each request (of the model, or of the service: `service.ts`), or none, as it costs nothing. */
  readonly price: 'model' | 'request' | 'free';
  /** What of a request leaves open how much it asks for: the field, and what has to stand there. */
  unclear?(asked: Asked): { readonly param: string; readonly wanted: string } | undefined;
  /** `bytes`: at most so many tokens go in. */
  bound(asked: Asked): Extent & { readonly output: OutputAsked };
  /** As a reply in JSON says, or an event of a stream; undefined: it does not. */
  usageIn(reply: JsonRecord, asked: Asked): Usage | undefined;
  /** Of a request that says it by itself. */
  unitsOf?(asked: Asked): number;
  /** Where nobody says. */
  estimate(asked: Asked): Usage;
};

const nothing: Pick<Meter, 'bound' | 'usageIn' | 'estimate'> = {
  bound: () => ({ bytes: 0, output: { maxTokens: 0, choices: 1 } }),
  usageIn: () => noUsage,
  estimate: () => noUsage,
};

const count = (value: unknown): number => (typeof value === 'number' && value > 0 ? Math.min(Math.ceil(value), 2 ** 40) : 0);
/** A form may have a field several times, and nobody knows which of them its provider takes: all of them count. */
const textOf = (value: unknown): string => (Array.isArray(value) ? value.map(textOf).join('') : String(value ?? ''));
const detailsOf = (usage: JsonRecord, name: string): JsonRecord => (isRecord(usage[name]) ? usage[name] : {});

// ---------------------------------------------------------------- images

/** The dearest picture of gpt-image-1 has 6,240 tokens (OpenAI's page "Image generation"), and a hundred for each partial one. */
const PICTURE_TOKENS = 10_000;
/** One of 1024 by 1024 in high quality (the same page). */
const USUAL_PICTURE_TOKENS = 4160;
/** With high fidelity (the same page). */
const INPUT_PICTURE_TOKENS = 10_000;
/** No API makes more pictures at once. */
const PICTURES_MAX = 100;
const BYTES_PER_CHARACTER = 4;

/** Of a form as text. undefined: some reader could take it for another number. */
function picturesIn(n: unknown): number | undefined {
  if (typeof n === 'string') return /^[1-9]\d{0,2}$/.test(n) ? picturesIn(Number(n)) : undefined;
  return typeof n === 'number' && Number.isInteger(n) && n >= 1 && n <= PICTURES_MAX ? n : undefined;
}

const picturesAsked = ({ body: { n } }: Asked): number => picturesIn(n ?? 1) ?? PICTURES_MAX;

const inputPictures = ({ files, body: { images } }: Asked): number => files + (Array.isArray(images) ? images.length : 0);

const images: Meter = {
  price: 'model',
  unclear: ({ body: { n } }) =>
    picturesIn(n ?? 1) === undefined ? { param: 'n', wanted: `an integer of 1 to ${PICTURES_MAX}, given once` } : undefined,
  bound: asked => ({
    bytes: textOf(asked.body.prompt).length * BYTES_PER_CHARACTER + inputPictures(asked) * INPUT_PICTURE_TOKENS,
    units: picturesAsked(asked),
    output: { maxTokens: PICTURE_TOKENS, choices: picturesAsked(asked) },
  }),
  usageIn(reply, asked) {
    if (isRecord(reply.usage)) return pictureUsage(reply.usage);
    // Events of a stream tell their usage with the last of them.
    return Array.isArray(reply.data) ? { ...noUsage, units: reply.data.length || picturesAsked(asked) } : undefined;
  },
  estimate: asked => ({ ...noUsage, units: picturesAsked(asked), ...drawnTokens(picturesAsked(asked) * USUAL_PICTURE_TOKENS) }),
};

const drawnTokens = (drawn: number) => ({ output: tokens(drawn), audioOutput: tokens(drawn) });

/** What is drawn has a price of its own. All of it is pictures, where nothing else is said. */
function pictureUsage(usage: JsonRecord): Usage {
  const told = tokenUsage(usage);
  const { image_tokens: drawn } = detailsOf(usage, 'output_tokens_details');
  return { ...told, audioOutput: drawn === undefined ? told.output : tokens(Math.min(count(drawn), told.output)) };
}

/** `input_tokens` and what of them was cached, or heard; `output_tokens`. */
export function tokenUsage(usage: JsonRecord): Usage {
  const details = { ...detailsOf(usage, 'input_tokens_details'), ...detailsOf(usage, 'input_token_details') };
  const outputs = { ...detailsOf(usage, 'output_tokens_details'), ...detailsOf(usage, 'output_token_details') };
  const [input, output] = [count(usage.input_tokens), count(usage.output_tokens)];
  const cacheRead = Math.min(count(details.cached_tokens), input);
  return {
    ...noUsage,
    inputUncached: tokens(input - cacheRead),
    cacheRead: tokens(cacheRead),
    audioInput: tokens(Math.min(uncachedAudio(details), input - cacheRead)),
    output: tokens(output),
    audioOutput: tokens(Math.min(count(outputs.audio_tokens), output)),
    reasoning: tokens(Math.min(count(outputs.reasoning_tokens), output)),
  };
}

/** Of audio that was heard before, the cached part is paid as that. */
function uncachedAudio(details: JsonRecord): number {
  const cached = detailsOf(details, 'cached_tokens_details');
  return Math.max(0, count(details.audio_tokens) - count(cached.audio_tokens));
}

// ---------------------------------------------------------------- audio

const charactersOf = ({ body: { input } }: Asked): number => [...textOf(input)].length;

/** Audio has 20 tokens a second (OpenAI's page "Realtime, costs"); a second has about 15 characters of speech. */
const SPOKEN_TOKENS_PER_CHARACTER = 20 / 15;
/** At a quarter of the speed, and as slowly as anyone speaks. */
const SPOKEN_TOKENS_PER_CHARACTER_MAX = 16;

const speech: Meter = {
  price: 'model',
  bound: asked => ({
    bytes: asked.bytes,
    units: charactersOf(asked),
    output: { maxTokens: Math.ceil(charactersOf(asked) * SPOKEN_TOKENS_PER_CHARACTER_MAX) + 200, choices: 1 },
  }),
  usageIn: ({ usage }) => (isRecord(usage) ? tokenUsage(usage) : undefined),
  unitsOf: charactersOf,
  estimate(asked) {
    const output = tokens(Math.ceil(charactersOf(asked) * SPOKEN_TOKENS_PER_CHARACTER));
    const input = tokens(Math.ceil(charactersOf(asked) / 4));
    return { ...noUsage, units: charactersOf(asked), inputUncached: input, output, audioOutput: output };
  },
};

/** Eight kilobits a second: speech that is packed more tightly is hardly understood. */
const AUDIO_BYTES_PER_SECOND_MIN = 1000;
/** As most files have it: 64 kilobits. */
const AUDIO_BYTES_PER_SECOND = 8000;
/** Ten tokens a second of audio that goes in (OpenAI's page "Realtime, costs"), and fewer of text that comes out. */
const HEARD_TOKENS_PER_SECOND = 10;

const secondsAtMost = ({ bytes }: Asked): number => Math.ceil(bytes / AUDIO_BYTES_PER_SECOND_MIN);

const transcription: Meter = {
  price: 'model',
  bound(asked) {
    const seconds = secondsAtMost(asked);
    const heard = seconds * HEARD_TOKENS_PER_SECOND;
    return {
      bytes: heard + textOf(asked.body.prompt).length * BYTES_PER_CHARACTER,
      units: seconds,
      output: { maxTokens: heard, choices: 1 },
    };
  },
  usageIn({ usage, duration }) {
    if (isRecord(usage)) return usage.type === 'duration' ? { ...noUsage, units: count(usage.seconds) } : tokenUsage(usage);
    // whisper's long form, before there was a usage in it.
    return count(duration) > 0 ? { ...noUsage, units: count(duration) } : undefined;
  },
  estimate({ bytes }) {
    const seconds = Math.ceil(bytes / AUDIO_BYTES_PER_SECOND);
    const heard = tokens(seconds * HEARD_TOKENS_PER_SECOND);
    return { ...noUsage, units: seconds, inputUncached: heard, audioInput: heard, output: tokens(seconds * 4) };
  },
};

// ---------------------------------------------------------------- what is done with a conversation

/** What is read of what is stored, where nobody says how much that is: the largest window that is sold to everyone. */
const WINDOW_TOKENS = 1_050_000;
/** The most that one costs anywhere (see `inputBound`). */
const PROMPT_PICTURE_TOKENS = 50_000;

function conversationTokens({ body, bytes }: Asked): number {
  const isMore = continuedIn(body).length > 0 || referencesIn(body).length > 0;
  const pictures = JSON.stringify(body.input ?? '').match(/"type":"input_image"/g)?.length ?? 0;
  return bytes + pictures * PROMPT_PICTURE_TOKENS + (isMore ? WINDOW_TOKENS : 0);
}

/** All that was said, made shorter by its model (`openai` 7.57, resources/responses). */
const compaction: Meter = {
  price: 'model',
  bound: asked => ({ bytes: conversationTokens(asked), output: { choices: 1 } }),
  usageIn: ({ usage }) => (isRecord(usage) ? tokenUsage(usage) : undefined),
  estimate: asked => ({
    ...noUsage,
    inputUncached: tokens(Math.ceil(asked.bytes / 4)),
    output: tokens(Math.ceil(asked.bytes / 40)),
  }),
};

/** To count the tokens of an input is free: no model answers. */
const counted: Meter = {
  price: 'model',
  bound: () => ({ bytes: 0, requests: 0, output: { maxTokens: 0, choices: 1 } }),
  usageIn: () => ({ ...noUsage, requests: 0 }),
  estimate: () => ({ ...noUsage, requests: 0 }),
};

// ---------------------------------------------------------------- realtime

/** Of a response: what goes in is known while the session goes on (`dataplane/realtime`). */
const realtime: Meter = {
  price: 'model',
  bound: () => ({ bytes: 0, output: { choices: 1 } }),
  usageIn: ({ usage }) => (isRecord(usage) ? tokenUsage(usage) : undefined),
  estimate: () => noUsage,
};

// ---------------------------------------------------------------- the table

export const meters = {
  free: { price: 'free', ...nothing },
  request: { price: 'request', ...nothing },
  /** To make one is free: what it costs is a row of its own (`dataplane/batches.ts`). */
  batch: { price: 'free', ...nothing },
  images,
  speech,
  transcription,
  compaction,
  count: counted,
  realtime,
} as const satisfies Record<string, Meter>;

export type MeterName = keyof typeof meters;

export const meterOf = (name: MeterName): Meter => meters[name];
