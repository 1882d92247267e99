// The neutral chat request: what every frontend dialect decodes to and every provider dialect is encoded from.
// It is used only where client and provider speak different dialects; else bytes pass through (ARCHITECTURE.md, invariant 5).
import type { Tokens } from '../units.ts';
import type { Citation } from './citations/citation.ts';
import type { Dialect } from './dialect.ts';

export type ChatRequest = {
  /** What the client speaks: `extra` is in its words. */
  readonly dialect: Dialect;
  /** The model as the client named it. */
  readonly model: string;
  /** In order. System messages may stand anywhere; encoders hoist or keep them as their dialect wants. */
  readonly messages: readonly Message[];
  readonly tools: readonly Tool[];
  readonly toolChoice?: ToolChoice;
  /** false: at most one tool call in the answer. */
  readonly parallelToolCalls?: boolean;
  readonly output?: OutputFormat;
  readonly thinking?: ThinkingRequest;
  readonly sampling: Sampling;
  readonly maxOutputTokens?: Tokens;
  readonly stop: readonly string[];
  /** Log probabilities of the answer's tokens; `top` alternatives for each position. */
  readonly logprobs?: { readonly top: number };
  /** How many answers (`n`); absent: 1. */
  readonly choices?: number;
  readonly stream: boolean;
  /** The client's own name for its end user: OpenAI's `user`, Anthropic's `metadata.user_id`. */
  readonly user?: string;
  /** Fields of the client's dialect that have no neutral meaning, by their wire name: a target of another dialect cannot take them. */
  readonly extra: Readonly<Record<string, unknown>>;
  /**
   * The client's body, without our request controls. A target of the same dialect may clean this of what it would refuse (a
   * history that another provider made) instead of building a body anew, so that nothing it knows and we do not is lost.
   */
  readonly body?: Readonly<Record<string, unknown>>;
};

export type Message =
  | { readonly role: 'system'; readonly content: readonly TextPart[] }
  | { readonly role: 'user'; readonly content: readonly UserPart[]; readonly name?: string }
  | { readonly role: 'assistant'; readonly content: readonly AssistantPart[]; readonly name?: string }
  /** One tool result. Dialects that carry results inside user messages (Anthropic) yield one of these per result. */
  | {
      readonly role: 'tool';
      readonly callId: string;
      readonly content: readonly UserPart[];
      readonly isError?: boolean;
      readonly cache?: CacheMark;
    };

/** A mark after which the provider may cache the prompt (Anthropic's `cache_control`). */
export type CacheMark = { readonly ttl?: '5m' | '1h' };

/** Citations are of answers: one that comes back with the history is kept for a target that takes it, and left out without a word for others. */
export type TextPart = {
  readonly kind: 'text';
  readonly text: string;
  readonly citations?: readonly Citation[];
  readonly cache?: CacheMark;
};
export type ImagePart = { readonly kind: 'image'; readonly source: Source; readonly detail?: string; readonly cache?: CacheMark };
export type DocumentPart = {
  readonly kind: 'document';
  readonly source: Source;
  readonly title?: string;
  readonly context?: string;
  /** The answer is to say what it takes from it. */
  readonly citations?: boolean;
  readonly cache?: CacheMark;
};
/** `format` as OpenAI names it: `wav`, `mp3`. `data` is base64. */
export type AudioPart = { readonly kind: 'audio'; readonly format: string; readonly data: string };
export type UserPart = TextPart | ImagePart | DocumentPart | AudioPart;

export type Source =
  | { readonly kind: 'base64'; readonly mediaType: string; readonly data: string }
  /** Never fetched by the gateway: passed on for the provider to fetch, or refused where the provider cannot. */
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'text'; readonly text: string }
  /** A file stored at a provider, by its id there. */
  | { readonly kind: 'file'; readonly id: string };

export type AssistantPart =
  | TextPart
  | ThinkingPart
  | { readonly kind: 'redacted-thinking'; readonly data: string }
  | { readonly kind: 'refusal'; readonly text: string }
  | ToolCallPart;

/**
 * `signature` proves to the provider that made it that it is unchanged; worthless, and an error, anywhere else (`signatureOf` of
 * foreign.ts). Where the reasoning itself is sealed it is the signature, and the text a summary, or empty.
 */
export type ThinkingPart = { readonly kind: 'thinking'; readonly text: string; readonly signature?: string };

/** `arguments` is the JSON text as the model wrote it; it is not parsed and printed again on the way. Empty means `{}`. */
export type ToolCallPart = {
  readonly kind: 'tool-call';
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  readonly cache?: CacheMark;
};

export type Tool = {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of the arguments. Absent: no arguments. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly strict?: boolean;
  readonly cache?: CacheMark;
};

export type ToolChoice = { readonly kind: 'auto' | 'none' | 'required' } | { readonly kind: 'tool'; readonly name: string };

export type OutputFormat =
  | { readonly kind: 'json-object' }
  | {
      readonly kind: 'json-schema';
      readonly name: string;
      readonly description?: string;
      readonly schema: Readonly<Record<string, unknown>>;
      readonly strict?: boolean;
    };

export type Effort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';
export type ThinkingRequest =
  | { readonly kind: 'disabled' }
  | { readonly kind: 'budget'; readonly tokens: Tokens }
  | { readonly kind: 'effort'; readonly effort: Effort }
  /** The model decides how much to think; `effort` narrows it. */
  | { readonly kind: 'adaptive'; readonly effort?: Effort };

export type Sampling = {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly seed?: number;
};
