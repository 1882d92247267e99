// What each form of error answer means: one row per form, those that must not match included.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FailureClass } from '#core/failure.ts';
import { epochMillis } from '#core/units.ts';
import { classify, inBandFailure } from './errors.ts';

type Row = readonly [form: string, status: number, body: unknown, expected: FailureClass];
const error = (message: string, fields: Record<string, unknown> = {}) => ({
  error: { message, type: 'invalid_request_error', param: null, code: null, ...fields },
});
const raw = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
const classOf = (status: number, body: unknown): FailureClass =>
  classify({ status, headers: {}, body: raw(body), now: epochMillis(0) }).class;

const limits: readonly Row[] = [
  [
    'OpenAI, tokens per minute',
    429,
    error(
      'Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 5000. Please try again in 2s.',
      { type: 'tokens', code: 'rate_limit_exceeded' },
    ),
    'upstream_rate_limited',
  ],
  [
    'OpenAI, no quota',
    429,
    error('You exceeded your current quota, please check your plan and billing details.', {
      type: 'insufficient_quota',
      code: 'insufficient_quota',
    }),
    'upstream_quota_exhausted',
  ],
  [
    'OpenAI, hard limit',
    400,
    error('Billing hard limit has been reached', { code: 'billing_hard_limit_reached' }),
    'upstream_quota_exhausted',
  ],
  [
    'Azure',
    429,
    {
      error: {
        code: '429',
        message:
          'Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current pricing tier. Please retry after 26 seconds.',
      },
    },
    'upstream_rate_limited',
  ],
  [
    'Groq, tokens per minute as 413',
    413,
    error(
      'Request too large for model `llama` in organization `org_01` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.',
      { type: 'tokens', code: 'rate_limit_exceeded' },
    ),
    'upstream_rate_limited',
  ],
  ['Groq, flex capacity', 498, error('Over capacity'), 'upstream_overloaded'],
  [
    'OpenRouter',
    429,
    {
      error: {
        code: 429,
        message: 'Provider returned error',
        metadata: { provider_name: 'Google', raw: 'google/gemini is temporarily rate-limited upstream. Please retry shortly.' },
      },
      user_id: 'user_1',
    },
    'upstream_rate_limited',
  ],
  [
    'OpenRouter, no credits',
    402,
    { error: { code: 402, message: 'Insufficient credits. Add more.' } },
    'upstream_quota_exhausted',
  ],
  ['DeepSeek, no balance', 402, error('Insufficient Balance', { type: 'unknown_error' }), 'upstream_quota_exhausted'],
  [
    'Moonshot, no balance',
    429,
    error('Your account is suspended, please check your plan and billing details', { type: 'exceeded_current_quota_error' }),
    'upstream_quota_exhausted',
  ],
  [
    'Moonshot, busy engine',
    429,
    error('The engine is currently overloaded, please try again later', { type: 'engine_overloaded_error' }),
    'upstream_overloaded',
  ],
  ['TGI, busy', 429, { error: 'Model is overloaded', error_type: 'overloaded' }, 'upstream_overloaded'],
  [
    'Google, by its OpenAI-compatible endpoint: in a list',
    429,
    [
      {
        error: {
          code: 429,
          message: 'You exceeded your current rate of requests. Please retry in 34.4s.',
          status: 'RESOURCE_EXHAUSTED',
          details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.4s' }],
        },
      },
    ],
    'upstream_rate_limited',
  ],
  [
    'Bedrock, behind a gateway: too many tokens a minute is no long prompt',
    429,
    { message: 'Too many tokens, please wait before trying again.' },
    'upstream_rate_limited',
  ],
  ['a 429 without a body', 429, '', 'upstream_rate_limited'],
  [
    'a 429 whose text speaks of the context',
    429,
    error("This model's maximum context length is 8192 tokens."),
    'upstream_rate_limited',
  ],
  [
    'vLLM, full queue',
    503,
    {
      error: {
        message:
          'The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.',
        type: 'Service Unavailable',
        param: null,
        code: 503,
      },
    },
    'upstream_saturated',
  ],
  ['SGLang, full queue', 503, { object: 'error', message: 'The request queue is full.', code: 503 }, 'upstream_saturated'],
  ['any other 503', 503, '<html>503</html>', 'upstream_overloaded'],
  ['a 529', 529, '', 'upstream_overloaded'],
];

const contexts: readonly Row[] = [
  [
    'OpenAI, by code',
    400,
    error(
      "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens. Please reduce the length of the messages.",
      { code: 'context_length_exceeded', param: 'messages' },
    ),
    'context_length_exceeded',
  ],
  [
    'OpenAI, newer',
    400,
    error('Your input exceeds the context window of this model. Please adjust your input and try again.'),
    'context_length_exceeded',
  ],
  [
    'vLLM',
    400,
    {
      error: {
        message:
          "This model's maximum context length is 32768 tokens. However, your request has 40000 input tokens. Please reduce the length of the input messages.",
        type: 'BadRequestError',
        param: null,
        code: 400,
      },
    },
    'context_length_exceeded',
  ],
  [
    'vLLM, older and flat',
    400,
    {
      object: 'error',
      message:
        "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 4096 tokens and your request has 15 input tokens",
      type: 'BadRequestError',
      param: null,
      code: 400,
    },
    'context_length_exceeded',
  ],
  [
    'OpenRouter',
    400,
    {
      error: {
        message: "This endpoint's maximum context length is 8192 tokens. However, you requested about 12000 tokens",
        code: 400,
      },
    },
    'context_length_exceeded',
  ],
  [
    'OpenRouter, in the words of Anthropic',
    400,
    {
      error: {
        message: 'Provider returned error',
        code: 400,
        metadata: {
          raw: '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}',
        },
      },
    },
    'context_length_exceeded',
  ],
  [
    'OpenRouter, in the words of Anthropic, with the answer counted in',
    400,
    error('input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens`'),
    'context_length_exceeded',
  ],
  [
    'Google, by its OpenAI-compatible endpoint: in a list',
    400,
    [
      {
        error: {
          code: 400,
          message: 'The input token count (1043256) exceeds the maximum number of tokens allowed (1048576).',
          status: 'INVALID_ARGUMENT',
        },
      },
    ],
    'context_length_exceeded',
  ],
  ['Bedrock, behind a gateway', 400, { message: 'Input is too long for requested model.' }, 'context_length_exceeded'],
  [
    'xAI',
    400,
    {
      code: 'Client specified an invalid argument',
      error: "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
    },
    'context_length_exceeded',
  ],
  [
    'llama.cpp',
    400,
    {
      error: {
        code: 400,
        message: 'the request exceeds the available context size, try increasing it',
        type: 'exceed_context_size_error',
        n_prompt_tokens: 9000,
        n_ctx: 4096,
      },
    },
    'context_length_exceeded',
  ],
  [
    'Mistral',
    400,
    {
      object: 'error',
      message: 'Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
      type: 'invalid_request_prompt',
      code: '3051',
    },
    'context_length_exceeded',
  ],
  ['Moonshot', 400, error('Invalid request: Your request exceeded model token limit: 8192'), 'context_length_exceeded'],
  [
    'LM Studio',
    400,
    {
      error:
        'Trying to keep the first 6000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens',
    },
    'context_length_exceeded',
  ],
  [
    'a local server, as 404',
    404,
    { error: { message: 'The number of tokens to keep from the initial prompt is greater than the context length' } },
    'context_length_exceeded',
  ],
  [
    'SGLang',
    400,
    { object: 'error', message: "The input (9000 tokens) is longer than the model's context length (4096 tokens).", code: 400 },
    'context_length_exceeded',
  ],
  [
    'TGI',
    422,
    {
      error: 'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000',
      error_type: 'validation',
    },
    'context_length_exceeded',
  ],
  ['Cerebras, 400 without a body', 400, '', 'context_length_exceeded'],
  ['Cerebras, 413 without a body', 413, '', 'context_length_exceeded'],
  ['not: nginx, 413', 413, '<html><head><title>413 Request Entity Too Large</title></head></html>', 'upstream_request_too_large'],
  [
    'not: a string too long',
    400,
    error(
      "Invalid 'messages[0].content': string too long. Expected a string with maximum length 1048576, but got a string with length 2000000 instead.",
      { code: 'string_above_max_length' },
    ),
    'upstream_invalid_request',
  ],
  [
    'not: an array too long',
    400,
    error("Invalid 'tools': array too long. Expected an array with maximum length 128, but got 129.", {
      code: 'array_above_max_length',
    }),
    'upstream_invalid_request',
  ],
  [
    'not: max_tokens above the output limit',
    400,
    error('max_tokens is too large: 128000. This model supports at most 16384 completion tokens, whereas you provided 128000.', {
      param: 'max_tokens',
      code: 'invalid_value',
    }),
    'upstream_invalid_request',
  ],
  [
    'not: max_tokens in the words of Anthropic',
    400,
    error('max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens'),
    'upstream_invalid_request',
  ],
];

const contents: readonly Row[] = [
  [
    'Azure',
    400,
    {
      error: {
        message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        type: null,
        param: 'prompt',
        code: 'content_filter',
        status: 400,
        innererror: {
          code: 'ResponsibleAIPolicyViolation',
          content_filter_result: { hate: { filtered: true, severity: 'high' } },
        },
      },
    },
    'content_filtered',
  ],
  [
    'Azure, with raw line ends inside of a string',
    400,
    '{"error":{"message":"The response was filtered due to the prompt\ntriggering","type":null,"code":"content_filter"}}',
    'content_filtered',
  ],
  [
    'OpenAI, images',
    400,
    error('Your request was rejected by our safety system.', { code: 'content_policy_violation' }),
    'content_filtered',
  ],
  [
    'OpenAI, reasoning',
    400,
    error('Invalid prompt: your prompt was flagged as potentially violating our usage policy.', { code: 'invalid_prompt' }),
    'content_filtered',
  ],
  [
    'OpenRouter, moderation',
    403,
    {
      error: {
        code: 403,
        message: 'openai/gpt-4o requires moderation on OpenAI. Your input was flagged for "violence".',
        metadata: { reasons: ['violence'] },
      },
    },
    'content_filtered',
  ],
];

const others: readonly Row[] = [
  ['a wrong key', 401, error('Incorrect API key provided: sk-abc.', { code: 'invalid_api_key' }), 'upstream_auth_failed'],
  ['a key without the permission', 403, error('You have insufficient permissions for this operation.'), 'upstream_auth_failed'],
  [
    'OpenAI, no such model',
    404,
    error('The model `gpt-9` does not exist or you do not have access to it.', { code: 'model_not_found' }),
    'upstream_model_not_found',
  ],
  [
    'Azure, no such deployment',
    404,
    { error: { code: 'DeploymentNotFound', message: 'The API deployment for this resource does not exist.' } },
    'upstream_model_not_found',
  ],
  [
    'OpenRouter, no such model',
    400,
    { error: { message: 'foo/bar is not a valid model ID', code: 400 } },
    'upstream_model_not_found',
  ],
  [
    'Groq, a model of yesterday',
    400,
    error('The model has been decommissioned', { code: 'model_decommissioned' }),
    'upstream_model_not_found',
  ],
  ['a wrong field', 422, { detail: [{ loc: ['body', 'x'], msg: 'extra fields not permitted' }] }, 'upstream_invalid_request'],
  ['a redirect', 302, '', 'upstream_redirect'],
  ['a timeout', 408, '', 'upstream_error'],
  [
    'a dead engine',
    500,
    { error: { message: 'EngineCore encountered an issue.', type: 'InternalServerError', param: null, code: 500 } },
    'upstream_error',
  ],
  ['a bad gateway', 502, '<html>', 'upstream_error'],
  ['an unknown status', 520, 'web server returned an unknown error', 'upstream_error'],
];

for (const [group, rows] of Object.entries({
  'rate limits and overload': limits,
  'context length': contexts,
  'content policy': contents,
  'all else': others,
})) {
  describe(group, () => {
    for (const [form, status, body, expected] of rows)
      test(`${form} is ${expected}`, () => assert.equal(classOf(status, body), expected));
  });
}

test('the status of the upstream and its Retry-After are kept', () => {
  const failure = classify({ status: 429, headers: { 'retry-after': '7' }, body: '', now: epochMillis(0) });
  assert.equal(failure.upstreamStatus, 429);
  assert.equal(failure.retryAfter, 7000);
});

test('409 and 422 stay what they are, and the parameter at fault is named', () => {
  assert.equal(classify({ status: 422, headers: {}, body: raw(error('no', { param: 'x' })), now: epochMillis(0) }).status, 422);
  assert.equal(classify({ status: 400, headers: {}, body: raw(error('no', { param: 'x' })), now: epochMillis(0) }).param, 'x');
});

test('what the provider says of the account of the operator is not shown to the client', () => {
  for (const [status, code] of [
    [401, 'invalid_api_key'],
    [429, 'insufficient_quota'],
  ] as const) {
    const { message } = classify({
      status,
      headers: {},
      body: raw(error('Account 4711 at Example', { code })),
      now: epochMillis(0),
    });
    assert.doesNotMatch(message, /4711/);
  }
});

test('a message is scrubbed before the client sees it', () => {
  const { message } = classify({
    status: 400,
    headers: {},
    body: raw(error('org-abc123 at http://10.1.2.3:8000/v1 said no')),
    now: epochMillis(0),
  });
  assert.equal(message, '[account] at [url] said no');
});

describe('an error inside of a 200', () => {
  const rows: readonly (readonly [form: string, body: Record<string, unknown>, expected: FailureClass | undefined])[] = [
    ['a numeric code', { error: { code: 502, message: 'Provider disconnected' } }, 'upstream_error'],
    ['a code that is a name', { error: { message: 'Slow down', code: 'rate_limit_exceeded' } }, 'upstream_rate_limited'],
    ['no quota', { type: 'error', error: { type: 'insufficient_quota', message: 'x' } }, 'upstream_quota_exhausted'],
    [
      'a failed tool call at Groq',
      { error: { message: 'Tool call validation failed', type: 'invalid_request_error', code: 'tool_use_failed' } },
      'upstream_invalid_request',
    ],
    ['the flat form of vLLM', { object: 'error', message: 'boom', code: 500 }, 'upstream_error'],
    ['overload', { error: { type: 'overloaded_error', message: 'Overloaded' } }, 'upstream_overloaded'],
    ['a text', { error: 'it broke' }, 'upstream_error'],
    ['an error of null is none', { error: null, choices: [] }, undefined],
    ['a chunk is none', { object: 'chat.completion.chunk', choices: [] }, undefined],
  ];
  for (const [form, body, expected] of rows)
    test(`${form}: ${expected}`, () => assert.equal(inBandFailure(body)?.class, expected));
});
