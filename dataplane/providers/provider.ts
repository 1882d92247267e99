// What a provider has to bring. One folder per provider type; `index.ts` is the table of all, keyed by the type's enum.
// A provider imports only core/chat, core/failure, core/units, core/snapshot's types and this file: what a stranger's could import.
import type { Dialect, UnaryDialect, UnaryOperation } from '#core/chat/dialect.ts';
import type { ChatEvent, ChatReply } from '#core/chat/reply.ts';
import type { ChatRequest } from '#core/chat/request.ts';
import type { ServiceAsked } from '#core/chat/service.ts';
import type { ToolsAsked } from '#core/chat/tools-asked.ts';
import type { Usage } from '#core/chat/usage.ts';
import type { Failure, Parsed } from '#core/failure.ts';
import type { Connection, ModelEntry, ProviderEntry } from '#core/snapshot/snapshot.ts';
import type { ReplyTold, Translated, UnaryReply, UnaryRequest } from '#core/unary/unary.ts';
import type { EpochMillis } from '#core/units.ts';

/** One model at one endpoint of one provider: where an attempt goes. */
export type Target<C extends Connection = Connection> = {
  readonly provider: ProviderEntry & { readonly connection: C };
  readonly model: ModelEntry;
  /** One of `connection.endpoints` for VLLM; unused elsewhere. */
  readonly endpoint?: string | undefined;
  /** The secret for the auth header; absent where the provider needs none. */
  readonly credential?: string | undefined;
};

/** Headers of the client that may matter upstream on the same-dialect path; lower-case names. */
export type ClientHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Where a request goes and with which headers: an object of its own, as the sender adds content-type and the like to it. */
export type Address = { readonly origin: string; readonly path: string; readonly headers: Record<string, string> };

/** A base URL, valid and without a trailing slash since compile, in two: `http://host:1` and `/v1` (or ''). Cheaper than `new URL`, at each request. */
export function splitBase(base: string): Split {
  const known = splits.get(base);
  if (known) return known;
  const slash = base.indexOf('/', base.indexOf('//') + 2);
  // Copied: V8 keeps a slice as a part of the longer string, and JSON.stringify is slower for those; each row has them.
  const split =
    slash < 0 ? { origin: base, prefix: '' } : { origin: copyOf(base.slice(0, slash)), prefix: copyOf(base.slice(slash)) };
  if (splits.size >= MAX_SPLITS) splits.clear();
  splits.set(base, split);
  return split;
}

type Split = { readonly origin: string; readonly prefix: string };

/** Bases come from the configuration, and every request asks for one of them. */
const splits = new Map<string, Split>();
const MAX_SPLITS = 4096;

const copyOf = (text: string): string => Buffer.from(text).toString();

/** A request that is complete, before it is signed. */
export type Unsigned = Address & { readonly method: string; readonly body: Buffer | string | null };

export type AddressOptions = {
  readonly stream: boolean;
  readonly action: 'generate' | 'count-tokens';
  /** Present on the same-dialect path only: allow-listed headers are passed on (`anthropic-version`, `anthropic-beta`). */
  readonly client?: ClientHeaders;
  /** Present on the translated path only. */
  readonly request?: ChatRequest;
};

export type EncodedRequest = {
  /** The upstream body as an object, model name included. */
  readonly body: Record<string, unknown>;
  /** Names of the fields that the target cannot take and that were left out. */
  readonly dropped: readonly string[];
};

/** A parsed answer of an upstream whose status was not 2xx, or an error object inside a 200. */
export type UpstreamError = {
  readonly status: number;
  readonly headers: ClientHeaders;
  /** The body as text, at most 64 KiB of it. */
  readonly body: string;
  readonly now: EpochMillis;
};

/** One dispatched SSE message. `event` is '' where the wire names none. */
export type SseMessage = { readonly event: string; readonly data: string };

/** `tokens`: how many it adds to what a model reads that is given it; absent: not told yet. */
export type KeptKey = {
  readonly kind: 'response' | 'item' | 'container' | 'file' | 'audio';
  readonly id: string;
  readonly tokens?: number;
};

/** What answers tell of what their provider keeps, for later requests to name. */
export type Telling = {
  /** Tested against raw frames, several at a time: those of a stream that tell of something that is kept. */
  readonly mark: RegExp;
  /** What a whole reply, or an event of a stream, says that is kept, by what it is and its id. */
  keysIn(reply: unknown): readonly KeptKey[];
};

/** How a provider keeps what it answered. */
export type Keeps<C extends Connection = Connection> = {
  /** Of a kept response, or below it (`/cancel`). */
  address(target: Target<C>, id: string, below: string): Address;
  /** How a kept response stands. */
  stateOf(reply: unknown): { readonly isOver: boolean; readonly usage?: Usage };
};

/** Turns the upstream's SSE messages into neutral events. Holds the state of one stream; never throws. */
export type StreamDecoder = {
  push(message: SseMessage): readonly ChatEvent[];
  /** The upstream closed the stream. Yields an `error` of class upstream_stream_truncated unless the answer was complete. */
  close(): readonly ChatEvent[];
  /** The stream had parts that have no neutral event. */
  leftOut?(): boolean;
};

/** What the same-dialect path needs to know of a whole reply. */
export type ReplyFacts = {
  readonly usage?: Usage;
  /** The reply says nothing at all: no text, no call, no refusal, and no tokens that would explain it. */
  readonly empty: boolean;
  readonly model?: string;
  readonly id?: string;
  /** The answer was withheld by a content filter. */
  readonly filtered: boolean;
};

/** Top-level fields of a request body in the provider's own dialect. */
export type RequestFields = {
  has(name: string): boolean;
  get(name: string): unknown;
  /** The JSON of a field that is there, as it stands in the body, read as latin1. Absent where the body was not scanned as bytes. */
  json?(name: string): string;
  /** Whether this text stands anywhere in the client's body. Absent where the body was not scanned as bytes. */
  mentions?(text: string): boolean;
};

/** How much an answer may have at most: tokens of one choice (absent: as much as the model gives), and how many choices. */
export type OutputAsked = { readonly maxTokens?: number; readonly choices: number };

/** How sure a model is of an answer. */
export type Confidence = {
  /** Edits of a body in the provider's dialect by which it tells that; none where the body asks for it already; undefined: this model cannot. */
  asking(body: RequestFields, model: ModelEntry): ReadonlyMap<string, string> | undefined;
  /** An answer in JSON, whole or one event of a stream, as it would be to who did not ask. */
  untold(json: string): string;
};

/**
 * Makes the bytes of an upstream's stream into SSE text, where its wire frames them otherwise (Bedrock's event stream). Holds the state of
 * one stream; never throws. What is no frame becomes an `event: error` that the wire's decoder makes a failure of.
 */
export type Reframer = {
  /** Whole SSE frames, as far as the bytes go. */
  push(chunk: Buffer): Buffer;
};

/** Who this process is to a cloud, from the surroundings it runs in (a pod's own identity). Kept until shortly before it ends. */
export type CloudIdentities = {
  /** Keys to sign with. Rejects where there are none. */
  aws(): Promise<AwsKeys>;
  /** An OAuth access token for Google's APIs. Rejects where there is none. */
  google(): Promise<string>;
};
export type AwsKeys = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };

/** What the loop needs of whatever is spoken with a provider. */
export type Wire<C extends Connection = Connection> = {
  /** Whether its models use the vocabulary that our own counts are made with. */
  readonly tokenizer: 'own' | 'other';
  /** Present: a fixed header does not do. Adds headers, a signature or a token, to a request that is complete; rejects where nobody can say who we are. */
  authorize?(request: Unsigned, target: Target<C>, identities: CloudIdentities): Promise<void>;
  classify(error: UpstreamError): Failure;
};

/**
 * How a provider is asked for what is no conversation: one request, one reply. In files of their own beside the chat wire (`embed.ts`,
 * `rerank.ts`); `Wires.unary` has them.
 */
export type UnaryWire<O extends UnaryOperation = UnaryOperation, C extends Connection = Connection> = Wire<C> & {
  address(target: Target<C>): Address;
  /** Absent: no client speaks this wire. */
  readonly native?: Native;
  /** Absent: it takes bodies of its own dialect alone. */
  readonly translation?: Translation<Extract<O, Translated>, C>;
};

/** A wire that clients speak: their bodies pass through as they are, with the model's name. */
export type Native = {
  readonly dialect: UnaryDialect;
  /** A body that it would refuse, or answer otherwise than the client expects: such a body is translated. */
  isForeign?(body: RequestFields): boolean;
  /** What can be told of a reply without building it. Refuses what is no such reply, an error object in a 200 included. */
  inspectReply(reply: RequestFields): Parsed<ReplyTold>;
};

export type Translation<O extends Translated, C extends Connection = Connection> = {
  /** Texts of one request, where a model takes no more than a few. */
  readonly maxTexts?: number;
  /** Refuses with unsupported_parameter, naming field and target, what it cannot carry, unless `dropUnsupported` lets it leave that out. */
  encode(request: UnaryRequest<O>, target: Target<C>): Parsed<EncodedRequest>;
  /** @param headers of the reply: some tell usage there */
  decodeReply(body: unknown, request: UnaryRequest<O>, headers: ClientHeaders): Parsed<UnaryReply<O>>;
};

/** By operation, what a target is asked with; undefined: this model has none. */
export type UnaryWires<C extends Connection = Connection> = {
  Embeddings?(target: Pick<Target<C>, 'provider' | 'model'>): UnaryWire<'Embeddings', C> | undefined;
  Rerank?(target: Pick<Target<C>, 'provider' | 'model'>): UnaryWire<'Rerank', C> | undefined;
  Moderations?(target: Pick<Target<C>, 'provider' | 'model'>): UnaryWire<'Moderations', C> | undefined;
};

/** How a provider is asked for what is passed on as it is: the rest of OpenAI's API. */
export type PassedWire<C extends Connection = Connection> = Wire<C> & {
  /** @param path below `/v1`, with a slash before it */
  address(target: Target<C>, path: string): Address;
  /** It has files, batches and the like, of an account, besides what its models do. */
  readonly keepsThings: boolean;
};

/** How one wire of a provider is spoken; a provider has one, or several (`Wires`). */
export type Provider<C extends Connection = Connection> = Wire<C> & {
  /** The dialect it speaks natively: a client of the same dialect is passed through byte by byte. */
  readonly dialect: Dialect;
  address(target: Target<C>, options: AddressOptions): Address;
  /** Refuses with unsupported_parameter, naming field and target, what it cannot carry, unless `dropUnsupported` lets it leave that out. */
  encode(request: ChatRequest, target: Target<C>): Parsed<EncodedRequest>;
  /** Edits of a same-dialect body besides the model's name: `stream_options.include_usage`, for one. JSON text, or null to remove. */
  passthroughEdits(body: RequestFields, stream: boolean, client?: ClientHeaders): ReadonlyMap<string, string | null>;
  /** As the body says that is sent upstream. What is no sane number counts as absent: the provider refuses it, or goes by its own limit. */
  outputAsked(body: RequestFields): OutputAsked;
  /** The field that limits the answer in a same-dialect body for this model: `max_tokens`, or `inferenceConfig.maxTokens` inside of another. */
  outputLimitField(body: RequestFields, model: ModelEntry): string;
  /** The path of a body that this provider would refuse although the dialect is its own (a history that another provider made). Such a body takes the translated path. */
  isForeign(body: Buffer): boolean;
  /** @param model for a wire whose answers do not name it */
  decodeReply(body: unknown, model?: ModelEntry): Parsed<ChatReply>;
  /** A whole reply has parts that have no place in decodeReply's. */
  leavesOut(body: unknown): boolean;
  /** The same reading as decodeReply's, without building the reply. Refuses an error object in a 200. */
  inspectReply(body: unknown): Parsed<ReplyFacts>;
  /** What a body asks to be run by itself of what it bills by the call. Absent, or undefined: nothing. */
  toolsAsked?(body: RequestFields, model: ModelEntry): ToolsAsked | undefined;
  /** Where a body asks to be served otherwise than by the standard. Absent, or undefined: it does not. */
  serviceAsked?(body: RequestFields): ServiceAsked | undefined;
  /** Edits by which such tools are called no more often than this, where the body sets no bound. Absent, or none: the wire has none. */
  toolLimit?(body: RequestFields, most: number): ReadonlyMap<string, string>;
  /**
   * @param request the body that is answered, where it passed through as it was
   * @param model for a wire whose answers do not name it
   */
  streamDecoder(request?: RequestFields, model?: ModelEntry): StreamDecoder;
  /**
   * Tested against raw frames, several at a time. Frames that match nothing of this hold content only: the same-dialect path need
   * not parse them once content has begun. A match inside an answer's text costs a needless look, no more. Linear on any input.
   */
  readonly notable: RegExp;
  /**
   * Edits of a body in the provider's dialect by which the model goes on with the last message, the assistant's, in place of answering
   * it; undefined: this model, or this body, cannot. Absent: none can.
   */
  continuation?(body: RequestFields, target: Target<C>): ReadonlyMap<string, string | null> | undefined;
  /** Absent: its models do not tell how sure they are of an answer. */
  readonly confidence?: Confidence;
  /**
   * Edits by which a body in this dialect is cached that has no mark of it (`mark`) yet. Absent: there is no place for it but inside of
   * messages, and these pass as they are.
   */
  readonly automaticCaching?: { readonly mark: string; readonly edits: ReadonlyMap<string, string> };
  /** The model is in the path: a body in this dialect has no field for it. */
  readonly modelInPath?: true;
  /** Absent: its streams are SSE. `contentType` is how the answer to a streamed request begins. */
  readonly framing?: { readonly contentType: string; reframer(): Reframer };
  /** How a prompt's tokens are counted. Absent: the body is that of the request, and the answer that of its dialect. undefined: this model cannot. */
  tokenCount?(model: ModelEntry): TokenCount | undefined;
  /** Absent: its answers tell of nothing that is kept. */
  readonly telling?: Telling;
  /** Where its answers are kept themselves. Absent: they are not. */
  readonly keeps?: Keeps<C>;
  /** Absent: all of its models do. One that does not answers as it does. */
  takesTemperature?(model: ModelEntry): boolean;
};

export type TokenCount = {
  /** @param request the body in the wire's dialect */
  body(request: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /** The count as a client of the wire's dialect reads it; undefined: there is none in it. */
  reply(body: unknown): Readonly<Record<string, unknown>> | undefined;
};

/**
 * A provider's wires for one model, its own first: a client of another dialect is translated to that one. A client whose dialect is that of any
 * of them is passed through.
 */
export type Wires<C extends Connection = Connection> = {
  of(target: Pick<Target<C>, 'provider' | 'model'>): readonly [Provider<C>, ...Provider<C>[]];
  /** What it is asked for besides conversations. */
  readonly unary?: UnaryWires<C>;
  /** Absent: nothing is passed on to it. */
  passed?(target: Pick<Target<C>, 'provider' | 'model'>): PassedWire<C>;
};
