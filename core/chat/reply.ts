// The neutral answer, whole or as stream events. Provider dialects are decoded to it, frontend dialects are encoded from it.
import type { Failure } from '../failure.ts';
import type { Citation } from './citations/citation.ts';
import type { AssistantPart } from './request.ts';
import type { BilledTool, Usage } from './usage.ts';

export type FinishReason =
  | 'stop'
  /** Hit a stop sequence of the request; `Finish.stopSequence` says which, where the provider does. */
  | 'stop-sequence'
  | 'length'
  /** The context of the model is full (Anthropic's `model_context_window_exceeded`). */
  | 'context-length'
  | 'tool-calls'
  | 'content-filter'
  /** The model declined (Anthropic's `refusal`). */
  | 'refusal'
  /** The provider paused a long turn that the client may continue (Anthropic's `pause_turn`). */
  | 'pause';

export type Finish = {
  readonly reason: FinishReason;
  readonly stopSequence?: string;
  /** The provider gave no reason, or one that nobody knows: how the answer ended is not told. */
  readonly isAssumed?: true;
};

/** OpenAI's logprobs object of one choice: `{content: [...], refusal: [...]}`; opaque to the gateway. */
export type Logprobs = Readonly<Record<string, unknown>>;

export type ChatReply = {
  /** The provider's id of the answer. */
  readonly id: string;
  /** The model as the provider named it. */
  readonly model: string;
  readonly parts: readonly AssistantPart[];
  readonly finish: Finish;
  /** Absent: the provider did not report it. */
  readonly usage?: Usage;
  readonly logprobs?: Logprobs;
};

/**
 * One event of a streamed answer. Parts are strictly sequential: every `*-start` is closed by a `part-end` before the next
 * part begins, and deltas belong to the open part. A decoder that meets interleaved tool calls holds the later one back.
 * Order: `start`, then parts, then `finish`; `usage` may come at any time after `start` and replaces what came before;
 * `end` is the wire's own terminator (OpenAI's `[DONE]`, Anthropic's `message_stop`). `error` ends the stream.
 */
export type ChatEvent =
  | { readonly kind: 'start'; readonly id: string; readonly model: string }
  | { readonly kind: 'text-start' }
  | { readonly kind: 'text-delta'; readonly text: string }
  /** Of the open text; its words may be still to come. */
  | { readonly kind: 'citation'; readonly citation: Citation }
  | { readonly kind: 'thinking-start' }
  | { readonly kind: 'thinking-delta'; readonly text: string }
  | { readonly kind: 'thinking-signature'; readonly signature: string }
  | { readonly kind: 'refusal-start' }
  | { readonly kind: 'refusal-delta'; readonly text: string }
  | { readonly kind: 'tool-call-start'; readonly id: string; readonly name: string }
  /** A piece of the JSON text of the arguments. */
  | { readonly kind: 'tool-call-delta'; readonly json: string }
  | { readonly kind: 'part-end' }
  /** A part that arrives in one piece and has no deltas; it opens and closes itself. */
  | { readonly kind: 'redacted-thinking'; readonly data: string }
  /** The provider runs a tool of its own (a search, code): the model has begun. What it does has no neutral form. `billed`: as one call of this. */
  | { readonly kind: 'server-tool'; readonly billed?: BilledTool }
  | { readonly kind: 'logprobs'; readonly logprobs: Logprobs }
  /** `alone`: the wire event held nothing but the usage (OpenAI's last chunk under `include_usage`). */
  | { readonly kind: 'usage'; readonly usage: Usage; readonly alone: boolean }
  | { readonly kind: 'finish'; readonly finish: Finish }
  | { readonly kind: 'error'; readonly failure: Failure }
  | { readonly kind: 'end' };

/** Whether the event proves that the model has begun to answer: before that, a failure can stay invisible (invariant 6). */
export function isContent(event: ChatEvent): boolean {
  switch (event.kind) {
    case 'text-delta':
    case 'thinking-delta':
    case 'refusal-delta':
      return event.text !== '';
    case 'tool-call-start':
    case 'redacted-thinking':
    case 'server-tool':
      return true;
    default:
      return false;
  }
}
