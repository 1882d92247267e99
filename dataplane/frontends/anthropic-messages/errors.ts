// Failures in Anthropic's error envelope. The class of the failure stands in `details.error_code`, which the SDK shows as
// `errorCode` (1.12, core/error), and in `code`, as in the other dialects.
import { type Failure, policyOf } from '#core/failure.ts';

export function encodeError(failure: Failure, requestId: string): string {
  const { class: code, message, param } = failure;
  const error = { type: policyOf(failure).anthropic, message, code, ...(param !== undefined && { param }) };
  return JSON.stringify({ type: 'error', error: { ...error, details: { error_code: code } }, request_id: requestId });
}

/** The SDKs throw at this event; no `message_stop` follows it. */
export const encodeStreamError = (failure: Failure, requestId: string): string =>
  `event: error\ndata: ${encodeError(failure, requestId)}\n\n`;
