// OpenAI's error bodies, as really sent (recordings of other projects, and the API's own answers quoted in its issue trackers).
import type { Problem, Step } from '../shape.ts';
import { gatewayPage, type Refusal, type Trouble } from './wire.ts';

type Details = { readonly type?: string; readonly param?: string | null; readonly code?: string | null };

export const openaiError = (
  status: number,
  message: string,
  { type = 'invalid_request_error', param = null, code = null }: Details = {},
): Refusal => ({
  status,
  body: { error: { message, type, param, code } },
});

export const invalid = (message: string, param: string | null = null, code: string | null = null): Refusal =>
  openaiError(400, message, { param, code });

export function openaiProblem(problem: Problem): Refusal {
  const param = openaiPath(problem.path);
  switch (problem.kind) {
    case 'unknown':
      return problem.path.length === 1
        ? invalid(`Unrecognized request argument supplied: ${param}`)
        : invalid(`Unknown parameter: '${param}'.`, param, 'unknown_parameter');
    case 'missing':
      return invalid(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter');
    case 'type':
      return invalid(
        `Invalid type for '${param}': expected ${article(problem.expected)}, but got ${describe(problem.got)} instead.`,
        param,
        'invalid_type',
      );
    case 'choice':
      return invalid(
        `Invalid value: '${show(problem.got)}'. Supported values are: ${listed(problem.allowed.map(value => `'${value}'`))}.`,
        problem.tag ? `${param}.${problem.tag}` : param,
        'invalid_value',
      );
    case 'range':
      return invalid(
        `Invalid '${param}': ${problem.of === 'integer' ? 'integer' : 'decimal'} ${problem.side === 'min' ? 'below minimum' : 'above maximum'} value. ` +
          `Expected a value ${problem.side === 'min' ? '>=' : '<='} ${problem.limit}, but got ${problem.got} instead.`,
        param,
        `${problem.of === 'integer' ? 'integer' : 'decimal'}_${problem.side === 'min' ? 'below_min' : 'above_max'}_value`,
      );
    case 'size':
      return invalid(sizeMessage(param, problem), param, sizeCode(problem));
    case 'pattern':
      return invalid(
        `Invalid '${param}': string does not match pattern. Expected a string that matches the pattern '${problem.pattern}'.`,
        param,
        'invalid_value',
      );
  }
}

type SizeProblem = Extract<Problem, { kind: 'size' }>;

const sizeMessage = (param: string, { of, side, limit, got }: SizeProblem): string =>
  of === 'string'
    ? `Invalid '${param}': string too ${side === 'min' ? 'short' : 'long'}. Expected a string with ${side}imum length ${limit}, but got a string with length ${got} instead.`
    : `Invalid '${param}': array too ${side === 'min' ? 'short' : 'long'}. Expected an array with ${side}imum length ${limit}, but got an array with length ${got} instead.`;

const sizeCode = ({ of, side }: SizeProblem): string =>
  of === 'array' && side === 'min' ? 'empty_array' : `${of}_${side === 'min' ? 'below_min' : 'above_max'}_length`;

/** `messages[0].content`; the variants of unions are not named. */
export function openaiPath(path: readonly Step[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (typeof step === 'string') text += text === '' ? step : `.${step}`;
  }
  return text;
}

export function openaiTrouble(trouble: Trouble, model: string): Refusal {
  return table[trouble](model);
}

const rateLimited = (model: string): Refusal => ({
  ...openaiError(
    429,
    `Rate limit reached for ${model} in organization org-simulated on tokens per min (TPM): Limit 30000, Used 29000, Requested 5000. Please try again in 2s. Visit https://platform.openai.com/account/rate-limits to learn more.`,
    { type: 'tokens', code: 'rate_limit_exceeded' },
  ),
  headers: {
    'x-ratelimit-limit-requests': '500',
    'x-ratelimit-remaining-requests': '499',
    'x-ratelimit-reset-requests': '120ms',
    'x-ratelimit-limit-tokens': '30000',
    'x-ratelimit-remaining-tokens': '1000',
    'x-ratelimit-reset-tokens': '2s',
  },
});

const serverError = (status: number, message: string): Refusal => openaiError(status, message, { type: 'server_error' });

const table: Record<Trouble, (model: string) => Refusal> = {
  'bad-request': () => invalid("Invalid value for 'messages'.", 'messages', 'invalid_value'),
  authentication: () =>
    openaiError(
      401,
      'Incorrect API key provided: sk-simul****ator. You can find your API key at https://platform.openai.com/account/api-keys.',
      {
        code: 'invalid_api_key',
      },
    ),
  billing: () =>
    openaiError(429, 'Your account is not active, please check your billing details on our website.', {
      type: 'billing_not_active',
      code: 'billing_not_active',
    }),
  permission: () =>
    openaiError(403, 'You do not have access to the organization tied to the API key.', {
      type: 'invalid_request_error',
      code: 'permission_denied',
    }),
  'not-found': model =>
    openaiError(404, `The model \`${model}\` does not exist or you do not have access to it.`, { code: 'model_not_found' }),
  timeout: () => openaiError(408, 'Request timed out.', { type: 'timeout' }),
  conflict: () => openaiError(409, 'The resource was modified by another request. Please try again.', { code: 'conflict' }),
  'too-large': () =>
    openaiError(413, 'Maximum content size limit (26214400) exceeded (26300000 bytes read)', { type: 'server_error' }),
  unprocessable: () =>
    openaiError(422, 'Unable to process the request despite the format being correct.', { code: 'unprocessable_entity' }),
  'rate-limit': rateLimited,
  quota: () =>
    openaiError(
      429,
      'You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.',
      { type: 'insufficient_quota', code: 'insufficient_quota' },
    ),
  'server-error': () =>
    serverError(
      500,
      'The server had an error while processing your request. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if the error persists.',
    ),
  'bad-gateway': () => ({ status: 502, headers: { 'content-type': 'text/html' }, body: gatewayPage('502 Bad Gateway') }),
  unavailable: () =>
    serverError(
      503,
      'The server is currently overloaded with other requests. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if the error persists.',
    ),
  'gateway-timeout': () => ({ status: 504, headers: { 'content-type': 'text/html' }, body: gatewayPage('504 Gateway Time-out') }),
  overloaded: () =>
    openaiError(529, 'The engine is currently overloaded, please try again later', {
      type: 'server_error',
      code: 'engine_overloaded',
    }),
  'context-length': () =>
    invalid(
      "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens. Please reduce the length of the messages.",
      'messages',
      'context_length_exceeded',
    ),
  'content-filter': () =>
    invalid(
      'Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.',
      null,
      'invalid_prompt',
    ),
};

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

const article = (type: string): string =>
  type === 'string or array' ? 'one of a string or array of objects' : `${/^[aio]/.test(type) ? 'an' : 'a'} ${type}`;

const show = (value: unknown): string =>
  typeof value === 'string' ? value.slice(0, 100) : String(JSON.stringify(value)).slice(0, 100);

function listed(names: readonly string[]): string {
  return names.length < 3 ? names.join(' and ') : `${names.slice(0, -1).join(', ')}, and ${names.at(-1)}`;
}
