// Failures for clients of a rerank: Cohere's read `message`, Jina's and vLLM's the envelope of OpenAI. Both stand in one.
import { type Failure, policyOf } from '#core/failure.ts';

export function encodeError(failure: Failure, requestId: string): string {
  const { class: code, message, param = null } = failure;
  return JSON.stringify({ message, error: { message, type: policyOf(failure).openAI, param, code }, request_id: requestId });
}

export const encodeStreamError = (failure: Failure, requestId: string): string => `data: ${encodeError(failure, requestId)}\n\n`;
