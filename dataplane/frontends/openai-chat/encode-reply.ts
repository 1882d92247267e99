// A neutral reply as a `chat.completion`. Nothing that OpenAI itself would not send: what the client gets comes back to us in the
// next turn, and strict upstreams refuse fields they do not know. So thinking is not shown in this
// dialect; it counts in the usage.

import { type Citation, spanIn } from '#core/chat/citations/citation.ts';
import { Measure } from '#core/chat/citations/measure.ts';
import { chatAnnotation } from '#core/chat/citations/openai.ts';
import type { ChatReply, Finish, FinishReason } from '#core/chat/reply.ts';
import type { AssistantPart, ToolCallPart } from '#core/chat/request.ts';
import { promptTokens, type Usage } from '#core/chat/usage.ts';
import type { EncodedReply, ReplyContext } from '../frontend.ts';

export function encodeReply(reply: ChatReply, context: ReplyContext): EncodedReply {
  const body = {
    id: reply.id || `chatcmpl-${context.requestId}`,
    object: 'chat.completion',
    created: context.createdSeconds,
    model: reply.model,
    choices: [
      {
        index: 0,
        message: messageOf(reply.parts),
        logprobs: reply.logprobs ?? null,
        finish_reason: finishReasonOf(reply.finish, new Set(reply.parts.map(part => part.kind))),
      },
    ],
    ...(reply.usage && { usage: usageOf(reply.usage) }),
  };
  return { body: JSON.stringify(body) };
}

const isCall = (part: AssistantPart): part is ToolCallPart => part.kind === 'tool-call';

function messageOf(parts: readonly AssistantPart[]): Record<string, unknown> {
  const calls = parts.filter(isCall).map(callOf);
  const content = textOf(parts, 'text');
  const refusal = textOf(parts, 'refusal');
  const annotations = annotationsOf(parts);
  const isSilent = calls.length > 0 || refusal !== null;
  return {
    role: 'assistant',
    content: content ?? (isSilent ? null : ''),
    refusal,
    ...(annotations.length > 0 && { annotations }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

/** The text of all parts of one kind; null where there is no such part. */
function textOf(parts: readonly AssistantPart[], kind: 'text' | 'refusal'): string | null {
  const texts = parts.flatMap(part => (part.kind === kind ? [part.text] : []));
  return texts.length > 0 ? texts.join('') : null;
}

function annotationsOf(parts: readonly AssistantPart[]): readonly unknown[] {
  const content = new Annotated();
  for (const part of parts) {
    if (part.kind !== 'text') continue;
    content.begin();
    content.add(part.text);
    for (const citation of part.citations ?? []) content.cite(citation);
    content.end();
  }
  return content.annotations;
}

/** The content of a message in the making, with what its annotations say of it: their places count through all of its texts. */
export class Annotated {
  readonly annotations: unknown[] = [];
  readonly #measure = new Measure('code-points');
  #start = 0;
  #cited: Citation[] = [];

  begin(): void {
    this.#start = this.#measure.length;
  }

  add(text: string): void {
    this.#measure.add(text);
  }

  cite(citation: Citation): void {
    this.#cited.push(citation);
  }

  /** Of a text: what is cited of all of it has its places now. */
  end(): void {
    const length = this.#measure.length - this.#start;
    for (const citation of this.#cited.splice(0)) {
      const span = spanIn(citation, length);
      const points = (place: number) => this.#measure.before(this.#start + place) ?? 0;
      const annotation = chatAnnotation(citation, { start: points(span.start), end: points(span.end) });
      if (annotation) this.annotations.push(annotation);
    }
  }
}

/** OpenAI writes `{}` for a call without arguments, and clients parse what they get. */
export const NO_ARGUMENTS = '{}';

const callOf = ({ id, name, arguments: json }: ToolCallPart) => ({
  id,
  type: 'function',
  function: { name, arguments: json || NO_ARGUMENTS },
});

/**
 * `refusal` is Anthropic's stop reason. OpenAI's own refusals finish with `stop` and have `message.refusal`: where the reply has
 * such a part, this is how it ends. A model that declined without a word leaves the client nothing but the reason to see it by:
 * `content_filter`.
 */
const finishReasons = {
  stop: 'stop',
  'stop-sequence': 'stop',
  length: 'length',
  'context-length': 'length',
  'tool-calls': 'tool_calls',
  'content-filter': 'content_filter',
  refusal: 'content_filter',
  // The turn is not over, but nothing in this dialect can say so, and its text so far is good.
  pause: 'stop',
} as const satisfies Record<FinishReason, string>;

/** Clients run tools only at `tool_calls`, and some providers end a turn with calls as `stop`. */
export function finishReasonOf({ reason }: Finish, kinds: ReadonlySet<AssistantPart['kind']>): string {
  if (reason === 'stop' && kinds.has('tool-call')) return 'tool_calls';
  if (reason === 'refusal' && kinds.has('refusal')) return 'stop';
  return finishReasons[reason];
}

export function usageOf(usage: Usage): Record<string, unknown> {
  const prompt = promptTokens(usage);
  return {
    prompt_tokens: prompt,
    completion_tokens: usage.output,
    total_tokens: prompt + usage.output,
    prompt_tokens_details: {
      cached_tokens: usage.cacheRead,
      cache_write_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
      audio_tokens: usage.audioInput,
    },
    completion_tokens_details: { reasoning_tokens: usage.reasoning, audio_tokens: usage.audioOutput },
  };
}
