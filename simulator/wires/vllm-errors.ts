// vLLM's error bodies, from recordings of 0.32.0: `code` is a number, `type` the name of a class or an HTTP phrase.
import type { Problem, Step } from '../shape.ts';
import { gatewayPage, type Refusal, type Trouble } from './wire.ts';

export const vllmError = (status: number, message: string, type = 'BadRequestError', param: string | null = null): Refusal => ({
  status,
  body: { error: { message, type, param, code: status } },
});

export function vllmProblem(problem: Problem, got: unknown): Refusal {
  const path = vllmPath(problem.path);
  if (problem.kind === 'range')
    return vllmError(
      400,
      `${path} must be in the allowed range, got ${pythonNumber(problem.got)}. (parameter=${path}, value=${pythonNumber(problem.got)})`,
      'BadRequestError',
      path,
    );
  const { type, message } = complaint(problem);
  return vllmError(
    400,
    `1 validation error:\n  {'type': '${type}', 'loc': 'body.${path}', 'msg': '${message}', 'input': ${shown(got)}}`,
    'Bad Request',
    `body.${path}`,
  );
}

function complaint(problem: Exclude<Problem, { kind: 'range' }>): { type: string; message: string } {
  switch (problem.kind) {
    case 'missing':
      return { type: 'missing', message: 'Field required' };
    case 'unknown':
      return { type: 'extra_forbidden', message: 'Extra inputs are not permitted' };
    case 'type':
      return types[problem.expected];
    case 'choice':
      return { type: 'literal_error', message: `Input should be ${problem.allowed.join(', ')}` };
    case 'size':
      return {
        type: problem.side === 'min' ? 'too_short' : 'too_long',
        message: `Input should have at ${problem.side === 'min' ? 'least' : 'most'} ${problem.limit} items`,
      };
    case 'pattern':
      return { type: 'string_pattern_mismatch', message: `String should match pattern ${problem.pattern}` };
  }
}

const types = {
  string: { type: 'string_type', message: 'Input should be a valid string' },
  number: { type: 'float_parsing', message: 'Input should be a valid number' },
  integer: { type: 'int_parsing', message: 'Input should be a valid integer' },
  boolean: { type: 'bool_parsing', message: 'Input should be a valid boolean' },
  array: { type: 'list_type', message: 'Input should be a valid list' },
  object: { type: 'dict_type', message: 'Input should be a valid dictionary' },
  'string or array': { type: 'string_type', message: 'Input should be a valid string' },
} as const;

const vllmPath = (path: readonly Step[]): string => path.filter(step => typeof step !== 'object').join('.');

const shown = (value: unknown): string =>
  typeof value === 'string' ? `'${value.slice(0, 100)}'` : String(JSON.stringify(value)).slice(0, 100);

export const pythonNumber = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));

export const vllmTrouble = (trouble: Trouble, model: string): Refusal => table[trouble](model);

const busy = (status: number): Refusal =>
  vllmError(
    status,
    'The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.',
    'Service Unavailable',
  );

const table: Record<Trouble, (model: string) => Refusal> = {
  'bad-request': () => vllmError(400, 'Invalid request.'),
  authentication: () => ({ status: 401, body: { error: 'Unauthorized' } }),
  billing: () => vllmError(402, 'Payment required.', 'Payment Required'),
  permission: () => vllmError(403, 'Forbidden.', 'Forbidden'),
  'not-found': model => vllmError(404, `The model \`${model}\` does not exist. Valid aliases: tiny.`, 'NotFoundError', 'model'),
  timeout: () => vllmError(408, 'Request timed out.', 'Request Timeout'),
  conflict: () => vllmError(409, 'Conflict.', 'Conflict'),
  'too-large': () => vllmError(413, 'Request entity too large.', 'Request Entity Too Large'),
  unprocessable: () => vllmError(422, 'Unprocessable entity.', 'Unprocessable Entity'),
  // vLLM has no rate limit of its own: what is seen comes from a proxy before it.
  'rate-limit': () => vllmError(429, 'Too many requests.', 'Too Many Requests'),
  quota: () => vllmError(429, 'Too many requests.', 'Too Many Requests'),
  'server-error': () =>
    vllmError(500, 'EngineCore encountered an issue. See stack trace (above) for the root cause.', 'InternalServerError'),
  'bad-gateway': () => ({ status: 502, headers: { 'content-type': 'text/html' }, body: gatewayPage('502 Bad Gateway') }),
  unavailable: () => busy(503),
  'gateway-timeout': () => ({ status: 504, headers: { 'content-type': 'text/html' }, body: gatewayPage('504 Gateway Time-out') }),
  overloaded: () => busy(529),
  'context-length': () =>
    vllmError(
      400,
      "This model's maximum context length is 1024 tokens. However, your prompt contains 14417 characters (more than 10240 characters, which is the upper bound for 1024 input tokens). Please reduce the length of the input prompt. (parameter=input_text, value=14417)",
      'BadRequestError',
      'input_text',
    ),
  'content-filter': () => vllmError(400, 'The prompt was refused.'),
};
