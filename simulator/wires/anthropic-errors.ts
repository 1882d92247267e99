// Anthropic's error bodies: the envelope of its API reference, messages as its API words them (pydantic's, mostly).
import type { Problem, Step } from '../shape.ts';
import { gatewayPage, type Refusal, type Trouble } from './wire.ts';

export const requestId = 'req_011SimulatedRequest00000';

export const anthropicError = (status: number, type: string, message: string): Refusal => ({
  status,
  body: { type: 'error', error: { type, message }, request_id: requestId },
});

export const invalid = (message: string): Refusal => anthropicError(400, 'invalid_request_error', message);

export function anthropicProblem(problem: Problem): Refusal {
  return invalid(`${anthropicPath(problem.path)}: ${complaint(problem)}`);
}

function complaint(problem: Problem): string {
  switch (problem.kind) {
    case 'unknown':
      return 'Extra inputs are not permitted';
    case 'missing':
      return 'Field required';
    case 'type':
      return typeComplaints[problem.expected];
    case 'choice':
      return problem.tag
        ? `Input tag '${String(problem.got)}' found using '${problem.tag}' does not match any of the expected tags: ${quoted(problem.allowed, ', ')}`
        : `Input should be ${quoted(problem.allowed, ' or ')}`;
    case 'range':
      return `Input should be ${problem.side === 'min' ? 'greater' : 'less'} than or equal to ${problem.limit}`;
    case 'size':
      return problem.of === 'string'
        ? `String should have at ${problem.side === 'min' ? 'least' : 'most'} ${problem.limit} character${problem.limit === 1 ? '' : 's'}`
        : `List should have at ${problem.side === 'min' ? 'least' : 'most'} ${problem.limit} item${problem.limit === 1 ? '' : 's'} after validation, not ${problem.got}`;
    case 'pattern':
      return `String should match pattern '${problem.pattern}'`;
  }
}

const typeComplaints = {
  string: 'Input should be a valid string',
  number: 'Input should be a valid number',
  integer: 'Input should be a valid integer',
  boolean: 'Input should be a valid boolean',
  array: 'Input should be a valid array',
  object: 'Input should be an object',
  'string or array': 'Input should be a valid string or array',
} as const;

const quoted = (names: readonly string[], separator: string): string => names.map(name => `'${name}'`).join(separator);

/** `messages.0.content.1.text.foo`: variants of unions are steps too. */
const anthropicPath = (path: readonly Step[]): string =>
  path.map(step => (typeof step === 'object' ? step.variant : step)).join('.');

export const anthropicTrouble = (trouble: Trouble, model: string): Refusal => table[trouble](model);

const rateLimitHeaders = {
  'anthropic-ratelimit-requests-limit': '50',
  'anthropic-ratelimit-requests-remaining': '0',
  'anthropic-ratelimit-requests-reset': '2026-11-21T10:00:30Z',
  'anthropic-ratelimit-input-tokens-limit': '30000',
  'anthropic-ratelimit-input-tokens-remaining': '0',
  'anthropic-ratelimit-input-tokens-reset': '2026-11-21T10:00:30Z',
  'anthropic-ratelimit-output-tokens-limit': '8000',
  'anthropic-ratelimit-output-tokens-remaining': '8000',
  'anthropic-ratelimit-output-tokens-reset': '2026-11-21T10:00:00Z',
};

const table: Record<Trouble, (model: string) => Refusal> = {
  'bad-request': () => invalid('messages: Input should be a valid list'),
  authentication: () => anthropicError(401, 'authentication_error', 'invalid x-api-key'),
  billing: () =>
    invalid(
      'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
    ),
  permission: () =>
    anthropicError(403, 'permission_error', 'Your API key does not have permission to use the specified resource'),
  'not-found': model => anthropicError(404, 'not_found_error', `model: ${model}`),
  timeout: () => anthropicError(408, 'timeout_error', 'Request timed out'),
  conflict: () => anthropicError(409, 'conflict_error', 'The resource was modified by another request'),
  'too-large': () => anthropicError(413, 'request_too_large', 'Request exceeds the maximum size'),
  unprocessable: () => anthropicError(422, 'invalid_request_error', 'Unprocessable entity'),
  'rate-limit': () => ({
    ...anthropicError(
      429,
      'rate_limit_error',
      'This request would exceed the rate limit for your organization of 30,000 input tokens per minute. For details, refer to: https://docs.anthropic.com/en/api/rate-limits.',
    ),
    headers: rateLimitHeaders,
  }),
  quota: () => anthropicError(402, 'billing_error', 'Your organization has reached its spend limit for this month.'),
  'server-error': () => anthropicError(500, 'api_error', 'Internal server error'),
  'bad-gateway': () => ({ status: 502, headers: { 'content-type': 'text/html' }, body: gatewayPage('502 Bad Gateway') }),
  unavailable: () => anthropicError(503, 'api_error', 'Service unavailable'),
  'gateway-timeout': () => anthropicError(504, 'timeout_error', 'Request timed out'),
  // Seen with x-should-retry and without retry-after (anthropic-sdk-typescript#616).
  overloaded: () => ({ ...anthropicError(529, 'overloaded_error', 'Overloaded'), headers: { 'x-should-retry': 'true' } }),
  'context-length': () => invalid('prompt is too long: 210000 tokens > 200000 maximum'),
  // Not how a filter answers (that is a 200, `refusal`), but how a policy block of the whole output is worded.
  'content-filter': () => invalid('Output blocked by content filtering policy'),
};
