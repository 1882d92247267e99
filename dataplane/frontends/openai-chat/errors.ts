// Failures in OpenAI's error envelope. `request_id` stands beside `error`; the SDKs read it from the header and ignore it here.
import { type Failure, policyOf } from '#core/failure.ts';

export function encodeError(failure: Failure, requestId: string): string {
  const { class: code, message, param = null } = failure;
  return JSON.stringify({ error: { message, type: policyOf(failure).openAI, param, code }, request_id: requestId });
}

/** One frame and no `[DONE]`: the SDKs throw an APIError at a chunk that has an `error`. */
export const encodeStreamError = (failure: Failure, requestId: string): string => `data: ${encodeError(failure, requestId)}\n\n`;
