// Failures in the envelope of Google's APIs (google.rpc.Status). The class of the failure is the `reason` of an ErrorInfo, where Google's own
// clients look for it.
import { type Failure, statusOf } from '#core/failure.ts';

/** google.rpc.Code by HTTP status. */
const statuses: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  402: 'RESOURCE_EXHAUSTED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  408: 'DEADLINE_EXCEEDED',
  409: 'ABORTED',
  413: 'INVALID_ARGUMENT',
  415: 'INVALID_ARGUMENT',
  422: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  501: 'UNIMPLEMENTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
  529: 'UNAVAILABLE',
};

const TYPE = 'type.googleapis.com/google.rpc';

export function encodeError(failure: Failure, requestId: string): string {
  const { class: reason, message, param, retryAfter } = failure;
  const code = statusOf(failure);
  const metadata = { request_id: requestId, ...(param !== undefined && { param }) };
  const details = [
    { '@type': `${TYPE}.ErrorInfo`, reason, domain: 'tollgate', metadata },
    ...(retryAfter === undefined ? [] : [{ '@type': `${TYPE}.RetryInfo`, retryDelay: `${Math.ceil(retryAfter / 1000)}s` }]),
  ];
  return JSON.stringify({ error: { code, message, status: statuses[code] ?? 'INTERNAL', details }, request_id: requestId });
}

/** The SDKs throw at a chunk that is an error. */
export const encodeStreamError = (failure: Failure, requestId: string): string =>
  `data: ${encodeError(failure, requestId)}\r\n\r\n`;
