// What a client dialect has to provide. One folder per dialect; `index.ts` is the table of all.
import type { Dialect, Operation, PassedDialect, PassedOperation, UnaryDialect, UnaryOperation } from '#core/chat/dialect.ts';
import type { ChatEvent, ChatReply } from '#core/chat/reply.ts';
import type { ChatRequest } from '#core/chat/request.ts';
import type { Failure, Parsed } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import type { Translated, UnaryReply, UnaryRequest } from '#core/unary/unary.ts';
import type { Millis, Tokens } from '#core/units.ts';
import type { BodyFields } from './body-fields.ts';

/** What the loop needs to know of a request before, and often instead of, decoding it whole. */
export type Envelope = {
  readonly model: string;
  readonly stream: boolean;
  /** The client wants the usage chunk of a stream (OpenAI's `stream_options.include_usage`). Always true in dialects that always send it. */
  readonly includeUsage: boolean;
  readonly controls: Controls;
  /** Edits of the body that take our request controls out before it goes to an upstream of the same dialect: a JSON text, or null to remove the field. */
  readonly edits: ReadonlyMap<string, string | null>;
  /** What it goes on with. Absent: it brings all it needs. */
  readonly names?: readonly StateName[];
  /** A provider of its dialect keeps the answer, or something of it, for later requests to name. */
  readonly keeps?: boolean;
  /** The model reads more than the body and what it names: what tools of the provider's own find, a prompt that is stored there. */
  readonly readsMore?: true;
  /** The answer comes later than the reply: it is asked for by its id. */
  readonly inBackground?: true;
};

/** Something that a provider keeps, as a request names it: only where that is can the request go. */
export type StateName = {
  /** `item`: one of what a response, or a conversation, is made of. */
  readonly kind:
    | 'response'
    | 'conversation'
    | 'item'
    | 'file'
    | 'upload'
    | 'upload_part'
    | 'batch'
    | 'fine_tuning_job'
    | 'vector_store'
    | 'container'
    | 'audio'
    | 'cached_content';
  readonly id: string;
  /** Where it stands in the body. */
  readonly param: string;
};

/** Request controls of the body (docs/configuration.md, "Request controls"), the same in all dialects. */
export type Controls = {
  /** `metadata`, string values only. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly user?: string;
  readonly numRetries?: number;
  readonly timeout?: Millis;
  /** Models to try after the one that was asked for. */
  readonly fallbacks?: readonly string[];
  readonly disableFallbacks: boolean;
  readonly cache?: CacheControls;
  /** Fail the first backend on purpose, as this class: LiteLLM's `mock_testing_*`. */
  readonly mock?: 'upstream_error' | 'content_filtered' | 'context_length_exceeded';
};

/** What a request asks of the cache of answers. It may leave it, or be stricter than its route: never the reverse. */
export type CacheControls = {
  /** Give no kept answer. */
  readonly noCache?: boolean;
  /** Keep no answer. */
  readonly noStore?: boolean;
  /** Keep the answer no longer than this. */
  readonly ttl?: Millis;
  /** Give no answer that is older than this. */
  readonly maxAge?: Millis;
  /** Shares nothing with other namespaces. */
  readonly namespace?: string;
  /** 0..1: similarity from which another question counts as the same. */
  readonly similarity?: number;
};

/** The wire shape of an answer to the client. */
export type EncodedReply = { readonly body: string };

export type ReplyContext = {
  /** Our request id, a UUIDv7: used where the upstream gave no id. */
  readonly requestId: string;
  /** Seconds since the epoch, for dialects that carry a creation time. */
  readonly createdSeconds: number;
  readonly includeUsage: boolean;
  /** What the client asked for, of which some dialects tell again. */
  readonly body?: JsonView;
};

/** Turns neutral events into the dialect's SSE text. Holds the state of one stream; never throws. */
export type StreamEncoder = {
  /** SSE text (whole frames, possibly empty) for one event. `error` events become the dialect's typed error; nothing may follow one. */
  push(event: ChatEvent): string;
};

/** How a stream reaches a client that did not ask for SSE. Holds the state of one stream. */
export type StreamFraming = {
  readonly contentType: string;
  /** A sign of life between frames, which says nothing. */
  readonly heartbeat: string;
  /** What stands for whole SSE frames. */
  frames(sse: Buffer | string): Buffer | string;
  /** What ends a good stream. */
  readonly end: () => string;
};

export type Frontend = {
  readonly dialect: Dialect;
  readonly operation: Operation;
  readonly fields: BodyFields;
  /** The cheap look at the body. Refuses what would be wrong in any case: a missing model, a wrong type of what it reads. */
  inspect(body: JsonView): Parsed<Envelope>;
  /** The whole body, for a provider of another dialect. */
  decode(body: JsonView): Parsed<ChatRequest>;
  encodeReply(reply: ChatReply, context: ReplyContext): EncodedReply;
  streamEncoder(context: ReplyContext): StreamEncoder;
  /** The frame that ends a good stream, as SSE text. */
  readonly terminator: string;
  /** JSON text of the error envelope, `request_id` included. */
  encodeError(failure: Failure, requestId: string): string;
  /** SSE text of an error inside a stream that has begun; the connection is closed after it, without the terminator of a good stream. */
  encodeStreamError(failure: Failure, requestId: string): string;
};

/** What a unary request can be at most, whatever tokens its provider makes of it. */
export type Extent = {
  /** No token has less than a byte. */
  readonly bytes: number;
  /** See Usage. */
  readonly requests?: number;
  readonly units?: number;
};

/** Of a request that is passed on: nothing of it is understood but who may send it, where it goes, and what it costs. */
export type PassedFrontend = Pick<Frontend, 'fields' | 'inspect' | 'encodeError' | 'encodeStreamError'> & {
  readonly dialect: PassedDialect;
  readonly operation: PassedOperation;
  extent(body: JsonView): Extent;
};

/** A client dialect of an operation that is no conversation: one request, one reply. */
export type UnaryFrontend<O extends UnaryOperation = UnaryOperation> = Pick<
  Frontend,
  'fields' | 'inspect' | 'encodeError' | 'encodeStreamError'
> & {
  readonly dialect: UnaryDialect;
  readonly operation: O;
  extent(body: JsonView): Extent;
  /** Tokens of the input by our own estimate, and of how many texts. */
  count(
    body: JsonView,
    estimate: (text: string) => Promise<number>,
  ): Promise<{ readonly tokens: Tokens; readonly texts: number }>;
  /** For a provider that does not speak this dialect. Absent: all that have the operation do. */
  readonly translation?: {
    decode(body: JsonView): Parsed<UnaryRequest<Extract<O, Translated>>>;
    encodeReply(
      reply: UnaryReply<Extract<O, Translated>>,
      request: UnaryRequest<Extract<O, Translated>>,
      context: ReplyContext,
    ): EncodedReply;
  };
};
