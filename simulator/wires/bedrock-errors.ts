// Bedrock's errors: a name in a header, a message in the body.
import type { Problem } from '../shape.ts';
import { gatewayPage, type Refusal, type Trouble } from './wire.ts';

export const bedrockError = (status: number, type: string, message: string): Refusal => ({
  status,
  headers: { 'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/` },
  body: { message },
});

export const invalid = (message: string): Refusal => bedrockError(400, 'ValidationException', message);

/** A field of a model's own that it does not know is worded by the model's adapter; what is wrong with Bedrock's own by its front. */
export function bedrockProblem(problem: Problem): Refusal {
  const path = problem.path.map(step => (typeof step === 'object' ? step.variant : step)).join('.');
  if (problem.kind === 'unknown') return extraneous(path);
  const complaint =
    problem.kind === 'missing' ? 'Member must not be null' : `Member must satisfy constraint: ${JSON.stringify(problem)}`;
  return invalid(`1 validation error detected: Value at '${path}' failed to satisfy constraint: ${complaint}`);
}

export const extraneous = (key: string): Refusal =>
  invalid(`Malformed input request: extraneous key [${key}] is not permitted, please reformat your input and try again.`);

export const bedrockTrouble = (trouble: Trouble, model: string): Refusal => table[trouble](model);

const table: Record<Trouble, (model: string) => Refusal> = {
  'bad-request': () => invalid('Malformed input request, please reformat your input and try again.'),
  authentication: () =>
    bedrockError(403, 'UnrecognizedClientException', 'The security token included in the request is invalid.'),
  billing: () => bedrockError(403, 'AccessDeniedException', 'Your account is not authorized to invoke this API operation.'),
  permission: model =>
    bedrockError(
      403,
      'AccessDeniedException',
      `User: arn:aws:sts::111122223333:assumed-role/gateway/session is not authorized to perform: bedrock:InvokeModel on resource: ${model} because no identity-based policy allows the bedrock:InvokeModel action`,
    ),
  'not-found': () => invalid('The provided model identifier is invalid.'),
  timeout: () =>
    bedrockError(408, 'ModelTimeoutException', 'Model has timed out in processing the request. Try your request again.'),
  conflict: () => bedrockError(400, 'ConflictException', 'The request conflicts with another one.'),
  'too-large': () => bedrockError(413, 'RequestEntityTooLargeException', 'Request size exceeds limit.'),
  unprocessable: () => invalid('The model returned the following errors: Unprocessable entity'),
  'rate-limit': () => bedrockError(429, 'ThrottlingException', 'Too many tokens, please wait before trying again.'),
  quota: () => bedrockError(429, 'ThrottlingException', 'Too many tokens per day, please wait before trying again.'),
  'server-error': () =>
    bedrockError(
      500,
      'InternalServerException',
      'The system encountered an unexpected error during processing. Try your request again.',
    ),
  'bad-gateway': () => ({ status: 502, headers: { 'content-type': 'text/html' }, body: gatewayPage('502 Bad Gateway') }),
  unavailable: () => bedrockError(503, 'ServiceUnavailableException', 'Bedrock is unable to process your request.'),
  'gateway-timeout': () => bedrockError(504, 'ModelTimeoutException', 'Model has timed out in processing the request.'),
  overloaded: () =>
    bedrockError(429, 'ModelNotReadyException', 'Model is not ready for inference. Wait and try your request again.'),
  'context-length': () => invalid('Input is too long for requested model.'),
  'content-filter': () => invalid('The model returned the following errors: Output blocked by content filtering policy'),
};
