// Failures as AWS words them: `__type` is the exception that its SDKs throw. The class of the failure is in `error_code`.
import { type Failure, statusOf } from '#core/failure.ts';

/** Exceptions of Bedrock's API reference, by HTTP status. */
const exceptions: Readonly<Record<number, string>> = {
  401: 'AccessDeniedException',
  402: 'ServiceQuotaExceededException',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  408: 'ModelTimeoutException',
  409: 'ConflictException',
  429: 'ThrottlingException',
  503: 'ServiceUnavailableException',
  504: 'ModelTimeoutException',
};

const exceptionOf = (status: number): string =>
  exceptions[status] ?? (status < 500 ? 'ValidationException' : 'InternalServerException');

export function encodeError(failure: Failure, requestId: string): string {
  const { class: error_code, message, param } = failure;
  return JSON.stringify({
    __type: exceptionOf(statusOf(failure)),
    message,
    error_code,
    ...(param !== undefined && { param }),
    request_id: requestId,
  });
}

/** A stream knows fewer of them. */
const inStream: ReadonlySet<string> = new Set(['ThrottlingException', 'ValidationException', 'ServiceUnavailableException']);

/** The SDKs throw at an exception; neither `messageStop` nor `metadata` follows it. */
export function encodeStreamError(failure: Failure, requestId: string): string {
  const wanted = exceptionOf(statusOf(failure));
  const name = inStream.has(wanted) ? wanted : 'InternalServerException';
  return `event: ${name.charAt(0).toLowerCase()}${name.slice(1)}\ndata: ${encodeError(failure, requestId)}\n\n`;
}
