import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FailureClass } from '#core/failure.ts';
import { epochMillis } from '#core/units.ts';
import { classify, troubleIn } from './errors.ts';

const answered = (status: number, type: string, message: string) =>
  classify({
    status,
    headers: type ? { 'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/` } : {},
    body: JSON.stringify({ message }),
    now: epochMillis(0),
  });

const cases: readonly (readonly [number, string, string, FailureClass])[] = [
  [429, 'ThrottlingException', 'Too many tokens, please wait before trying again.', 'upstream_rate_limited'],
  [429, 'ThrottlingException', 'Too many requests, please wait before trying again.', 'upstream_rate_limited'],
  [429, 'ThrottlingException', 'Too many tokens per day, please wait before trying again.', 'upstream_quota_exhausted'],
  [429, 'ModelNotReadyException', 'Model is not ready for inference.', 'upstream_overloaded'],
  [400, 'ServiceQuotaExceededException', 'Your request exceeds the service quota for your account.', 'upstream_quota_exhausted'],
  [503, 'ServiceUnavailableException', 'Bedrock is unable to process your request.', 'upstream_overloaded'],
  [500, 'InternalServerException', 'The system encountered an unexpected error.', 'upstream_error'],
  [408, 'ModelTimeoutException', 'Model has timed out in processing the request.', 'upstream_error'],
  [424, 'ModelErrorException', 'The model failed.', 'upstream_error'],
  [
    404,
    'ResourceNotFoundException',
    'Could not resolve the foundation model from the provided model identifier.',
    'upstream_model_not_found',
  ],
  [400, 'ValidationException', 'The provided model identifier is invalid.', 'upstream_model_not_found'],
  [
    400,
    'ValidationException',
    'Invocation of model ID x with on-demand throughput isn’t supported. Retry your request with an inference profile.',
    'upstream_model_not_found',
  ],
  [400, 'ValidationException', 'Input is too long for requested model.', 'context_length_exceeded'],
  [
    400,
    'ValidationException',
    'The model returned the following errors: input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000',
    'context_length_exceeded',
  ],
  [
    400,
    'ValidationException',
    'The model returned the following errors: Output blocked by content filtering policy',
    'content_filtered',
  ],
  [400, 'ValidationException', 'Malformed input request: extraneous key [x] is not permitted', 'upstream_invalid_request'],
  // Not a context: the model gives no more in one answer.
  [400, 'ValidationException', 'The maximum tokens you requested exceeds the model limit of 8192.', 'upstream_invalid_request'],
  [403, 'AccessDeniedException', "You don't have access to the model with the specified model ID.", 'upstream_model_not_found'],
  [
    403,
    'AccessDeniedException',
    'User: arn:aws:sts::111122223333:assumed-role/x is not authorized to perform: bedrock:InvokeModel',
    'upstream_auth_failed',
  ],
  [403, 'UnrecognizedClientException', 'The security token included in the request is invalid.', 'upstream_auth_failed'],
  [400, 'ExpiredTokenException', 'The security token included in the request is expired', 'upstream_auth_failed'],
  [413, '', 'Request size exceeds limit.', 'upstream_request_too_large'],
  [307, '', '', 'upstream_redirect'],
];

describe('an answer of Bedrock', () => {
  for (const [status, type, message, expected] of cases)
    test(`${status} ${type} “${message.slice(0, 60)}” is ${expected}`, () => {
      assert.equal(answered(status, type, message).class, expected);
    });

  test('is told by its status where it has no name, and by its name where a page stands in the way', () => {
    assert.equal(answered(429, '', 'slow down').class, 'upstream_rate_limited');
    const page = { status: 502, headers: {}, body: '<html>bad</html>', now: epochMillis(0) };
    assert.equal(classify(page).class, 'upstream_error');
    const named = { ...page, status: 400, body: '{"__type":"com.amazon.coral.service#UnrecognizedClientException"}' };
    assert.equal(classify(named).class, 'upstream_auth_failed');
  });

  test('says how long to wait, where it does', () => {
    const throttled = { status: 429, headers: { 'retry-after': '7' }, body: '{}', now: epochMillis(0) };
    assert.deepEqual([classify(throttled).retryAfter, answered(429, 'ThrottlingException', '').retryAfter], [7000, undefined]);
  });

  test('says nothing of the account, and of a wrong clock what is wrong', () => {
    assert.doesNotMatch(answered(403, 'AccessDeniedException', 'User: arn:aws:sts::111122223333:x').message, /111122223333/);
    for (const message of [
      'Signature expired: 20261121T100000Z is now earlier than 20261121T110000Z (20261121T110500Z - 5 min.)',
      'Signature not yet current: 20261121T120000Z is still later than 20261121T110500Z (20261121T110000Z + 5 min.)',
    ]) {
      const failure = answered(403, 'InvalidSignatureException', message);
      assert.equal(failure.class, 'upstream_auth_failed');
      assert.match(failure.message, /clock of the gateway/);
    }
  });
});

describe('what a stream says besides its answer', () => {
  const trouble = (event: string, data: unknown) => troubleIn({ event, data: JSON.stringify(data) })?.class;
  test('is told by the name of the exception', () => {
    const names: readonly (readonly [string, FailureClass])[] = [
      ['throttlingException', 'upstream_rate_limited'],
      ['modelStreamErrorException', 'upstream_error'],
      ['internalServerException', 'upstream_error'],
      ['serviceUnavailableException', 'upstream_overloaded'],
      ['modelTimeoutException', 'upstream_error'],
      ['validationException', 'upstream_invalid_request'],
      ['someNewException', 'upstream_error'],
    ];
    for (const [name, expected] of names) assert.equal(trouble(name, { message: 'x' }), expected, name);
    assert.equal(trouble('error', { code: 'InternalFailure', message: 'x' }), 'upstream_error');
  });

  test('is no trouble where it is an event, of whatever dialect', () => {
    for (const event of ['contentBlockDelta', 'messageStop', 'metadata']) assert.equal(trouble(event, {}), undefined);
    assert.equal(trouble('error', { type: 'error', error: { type: 'overloaded_error' } }), undefined);
  });
});
