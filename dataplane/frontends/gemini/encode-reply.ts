// A neutral reply as a `GenerateContentResponse`.
import { type Citation, spanIn } from '#core/chat/citations/citation.ts';
import { groundingOf, type Supported } from '#core/chat/citations/google.ts';
import { Measure } from '#core/chat/citations/measure.ts';
import { signatureOf } from '#core/chat/foreign.ts';
import type { ChatReply, Finish, FinishReason, Logprobs } from '#core/chat/reply.ts';
import type { AssistantPart, ThinkingPart, ToolCallPart } from '#core/chat/request.ts';
import { promptTokens, type Usage } from '#core/chat/usage.ts';
import { isRecord } from '#core/json/record.ts';
import type { EncodedReply, ReplyContext } from '../frontend.ts';
import { toolInput } from '../tool-input.ts';
import { STAND_IN, wrapped, wrappedRedacted } from './signatures.ts';

type Json = Readonly<Record<string, unknown>>;

export function encodeReply(reply: ChatReply, { requestId }: ReplyContext): EncodedReply {
  const writer = new PartWriter();
  const parts: Json[] = [];
  const cited: Supported[] = [];
  for (const part of reply.parts) {
    if (part.kind === 'text' && part.citations)
      for (const citation of supported(part.text, part.citations, parts.length)) cited.push(citation);
    parts.push(...writer.partsOf(part));
  }
  parts.push(...writer.rest());
  const groundingMetadata = groundingOf(cited);
  const candidate = {
    content: { parts, role: 'model' },
    finishReason: finishReasonOf(reply.finish),
    index: 0,
    ...(groundingMetadata && { groundingMetadata }),
    ...(reply.logprobs && { logprobsResult: logprobsResult(reply.logprobs) }),
  };
  const body = {
    candidates: [candidate],
    ...(reply.usage && { usageMetadata: usageOf(reply.usage) }),
    modelVersion: reply.model,
    responseId: reply.id || requestId,
  };
  return { body: JSON.stringify(body) };
}

function supported(text: string, citations: readonly Citation[], partIndex: number): readonly Supported[] {
  const measure = new Measure('bytes');
  measure.add(text);
  return citations.map(citation => ({
    ...citation,
    segment: { ...(partIndex > 0 && { partIndex }), ...segmentOf(citation, text, measure) },
  }));
}

/** The words of a text that a citation is of. Zero is not told, as Google does not tell it. */
export function segmentOf(citation: Citation, text: string, measure: Measure, textStart = 0): Json {
  const span = spanIn(citation, text.length);
  const startIndex = measure.before(textStart + span.start) ?? 0;
  return {
    ...(startIndex > 0 && { startIndex }),
    endIndex: measure.before(textStart + span.end) ?? 0,
    text: text.slice(span.start, span.end),
  };
}

/**
 * Writes parts one after the other. A signature of Google's goes on what follows the thinking, as Google has it; that of another provider stays
 * with its thoughts, wrapped.
 */
export class PartWriter {
  #signature: string | undefined;
  #hasCalls = false;

  partsOf(part: AssistantPart): readonly Json[] {
    switch (part.kind) {
      case 'text':
      case 'refusal':
        return part.text === '' ? [] : [this.text(part.text)];
      case 'thinking':
        return this.thinking(part);
      case 'redacted-thinking':
        return [{ text: '', thought: true, thoughtSignature: wrappedRedacted(part.data) }];
      case 'tool-call':
        return [this.call(part)];
    }
  }

  text(text: string): Json {
    return this.#signed({ text });
  }

  thinking({ text, signature }: Pick<ThinkingPart, 'text' | 'signature'>): readonly Json[] {
    const own = signatureOf('google', signature);
    this.#signature = own ?? this.#signature;
    const foreign = own === undefined && signature !== undefined ? { thoughtSignature: wrapped(signature) } : {};
    return text === '' && !('thoughtSignature' in foreign) ? [] : [{ text, thought: true, ...foreign }];
  }

  /** The first of the calls that are made at once has the signature; where none was made, what stands for one. */
  call({ id, name, arguments: json }: Pick<ToolCallPart, 'id' | 'name' | 'arguments'>): Json {
    if (!this.#hasCalls) this.#signature ??= STAND_IN;
    this.#hasCalls = true;
    return this.#signed({ functionCall: { id, name, args: toolInput(json) } });
  }

  /** What was signed and nothing has followed. */
  rest(): readonly Json[] {
    return this.#signature === undefined ? [] : [this.#signed({ text: '' })];
  }

  #signed(part: Json): Json {
    const signature = this.#signature;
    this.#signature = undefined;
    return signature === undefined ? part : { ...part, thoughtSignature: signature };
  }
}

/** Google has no reason of its own for calls, stop sequences and turns that go on. */
const finishReasons = {
  stop: 'STOP',
  'stop-sequence': 'STOP',
  length: 'MAX_TOKENS',
  'context-length': 'MAX_TOKENS',
  'tool-calls': 'STOP',
  'content-filter': 'SAFETY',
  refusal: 'SAFETY',
  pause: 'STOP',
} as const satisfies Record<FinishReason, string>;

export const finishReasonOf = ({ reason }: Finish): string => finishReasons[reason];

/** What was written to a cache is no class of its own here: it is input. */
export function usageOf(usage: Usage): Json {
  const prompt = promptTokens(usage);
  const { output, reasoning, cacheRead, audioInput, audioOutput } = usage;
  return {
    promptTokenCount: prompt,
    candidatesTokenCount: output - reasoning,
    totalTokenCount: prompt + output,
    ...(cacheRead > 0 && { cachedContentTokenCount: cacheRead }),
    ...(reasoning > 0 && { thoughtsTokenCount: reasoning }),
    promptTokensDetails: detailsOf(prompt, audioInput),
    candidatesTokensDetails: detailsOf(output - reasoning, audioOutput),
  };
}

const detailsOf = (count: number, audio: number): readonly Json[] => [
  { modality: 'TEXT', tokenCount: Math.max(0, count - audio) },
  ...(audio > 0 ? [{ modality: 'AUDIO', tokenCount: audio }] : []),
];

/** From the neutral form, OpenAI's: `{content: [{token, logprob, top_logprobs}]}`. */
export function logprobsResult({ content }: Logprobs): Json {
  const list = Array.isArray(content) ? content.filter(isRecord) : [];
  return {
    chosenCandidates: list.map(candidateOf),
    topCandidates: list.map(({ top_logprobs: top }) => ({
      candidates: Array.isArray(top) ? top.filter(isRecord).map(candidateOf) : [],
    })),
  };
}

const candidateOf = ({ token, logprob }: Json): Json => ({ token, logProbability: logprob });
