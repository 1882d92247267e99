// Finish reasons of OpenAI's wire, in the spellings of those who speak it.
import type { Finish, FinishReason } from '#core/chat/reply.ts';
import type { FailureClass } from '#core/failure.ts';
import type { JsonRecord } from '#core/json/record.ts';

const reasons: ReadonlyMap<string, FinishReason> = new Map([
  ['stop', 'stop'],
  // TGI, at the model's own end.
  ['eos_token', 'stop'],
  ['length', 'length'],
  // Mistral, at the end of the model's context.
  ['model_length', 'context-length'],
  ['tool_calls', 'tool-calls'],
  ['function_call', 'tool-calls'],
  ['content_filter', 'content-filter'],
  // z.ai
  ['sensitive', 'content-filter'],
]);

/** Reasons that say that the answer broke off: OpenRouter, z.ai, SGLang and vLLM, DeepSeek. */
const breaks: ReadonlyMap<string, FailureClass> = new Map([
  ['error', 'upstream_error'],
  ['network_error', 'upstream_error'],
  ['abort', 'upstream_error'],
  ['insufficient_system_resource', 'upstream_overloaded'],
]);

export const breakOf = (reason: string): FailureClass | undefined => breaks.get(reason);

/** A choice's own word for its end; undefined while it has not come. Some send '' in every chunk until then. */
export function finishReasonOf(choice: JsonRecord): string | undefined {
  const reason = choice.finish_reason;
  return typeof reason === 'string' && reason !== '' ? reason : undefined;
}

/** A reason that nobody knows still says that the answer is over. */
export function finishOf(reason: string, choice: JsonRecord, hasCalls: boolean): Finish {
  const known = reasons.get(reason);
  if (known === undefined) return { reason: hasCalls ? 'tool-calls' : 'stop', isAssumed: true };
  if (known !== 'stop') return { reason: known };
  // vLLM answers `stop` to a call that the request forced, and several others to any call.
  if (hasCalls) return { reason: 'tool-calls' };
  // vLLM and SGLang say which stop sequence it was; a number there is a token.
  const stopSequence = choice.stop_reason ?? choice.matched_stop;
  return typeof stopSequence === 'string' ? { reason: 'stop-sequence', stopSequence } : { reason: 'stop' };
}
