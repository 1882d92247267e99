import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FailureClass } from '#core/failure.ts';
import { epochMillis } from '#core/units.ts';
import { anthropic } from './index.ts';

const now = epochMillis(1_780_000_000_000);
const envelope = (type: string, message: string) =>
  JSON.stringify({ type: 'error', error: { type, message }, request_id: 'req_1' });
const classify = (status: number, body: string, headers: Record<string, string> = {}) =>
  anthropic.classify({ status, headers, body, now });

const html = '<html><head><title>413 Request Entity Too Large</title></head><body><center>nginx</center></body></html>';
const invalid = (message: string) => envelope('invalid_request_error', message);

/** One row a form, those that look alike included. */
const cases: readonly [status: number, body: string, cls: FailureClass][] = [
  [400, invalid('prompt is too long: 210000 tokens > 200000 maximum'), 'context_length_exceeded'],
  [400, invalid('input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000'), 'context_length_exceeded'],
  [
    400,
    invalid('max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for claude-sonnet-4-5'),
    'upstream_invalid_request',
  ],
  [400, invalid('messages.0.content.0.text: string too long'), 'upstream_invalid_request'],
  [400, invalid('Your credit balance is too low to access the Anthropic API.'), 'upstream_quota_exhausted'],
  [400, invalid('You have reached your specified API usage limits.'), 'upstream_quota_exhausted'],
  [400, invalid('Output blocked by content filtering policy'), 'content_filtered'],
  [400, invalid('temperature: Extra inputs are not permitted'), 'upstream_invalid_request'],
  [401, envelope('authentication_error', 'invalid x-api-key'), 'upstream_auth_failed'],
  [402, envelope('billing_error', 'Payment required'), 'upstream_quota_exhausted'],
  [403, envelope('permission_error', 'Your API key does not have permission'), 'upstream_auth_failed'],
  [404, envelope('not_found_error', 'model: claude-9'), 'upstream_model_not_found'],
  [404, envelope('not_found_error', 'File not found: file_1'), 'upstream_invalid_request'],
  [404, '<html>Not Found</html>', 'upstream_model_not_found'],
  [408, '', 'upstream_error'],
  [413, envelope('request_too_large', 'Request exceeds the maximum size'), 'upstream_request_too_large'],
  [413, html, 'upstream_request_too_large'],
  [
    429,
    envelope('rate_limit_error', 'prompt is too long for your rate limit of input tokens per minute'),
    'upstream_rate_limited',
  ],
  [500, envelope('api_error', 'Internal server error'), 'upstream_error'],
  [500, envelope('overloaded_error', 'Overloaded'), 'upstream_overloaded'],
  [502, html, 'upstream_error'],
  [503, html, 'upstream_overloaded'],
  [504, envelope('timeout_error', 'Request timed out'), 'upstream_error'],
  [529, envelope('overloaded_error', 'Overloaded'), 'upstream_overloaded'],
  [529, '', 'upstream_overloaded'],
  [302, '', 'upstream_redirect'],
  [400, '', 'upstream_invalid_request'],
  [400, '{"error":"text"}', 'upstream_invalid_request'],
  [400, '[', 'upstream_invalid_request'],
  [400, 'null', 'upstream_invalid_request'],
];

describe('errors', () => {
  for (const [status, body, cls] of cases) {
    test(`${status} ${body.slice(0, 110)} is ${cls}`, () => {
      const failure = classify(status, body);
      assert.equal(failure.class, cls);
      assert.equal(failure.upstreamStatus, status);
      assert.doesNotMatch(failure.message, /</, 'no page of a proxy is shown');
    });
  }

  test('the wait that Anthropic asks for is kept', () => {
    assert.equal(classify(429, envelope('rate_limit_error', 'Slow down'), { 'retry-after': '7' }).retryAfter, 7000);
  });

  test('a status that says more than the table’s is kept', () => {
    assert.equal(classify(409, envelope('invalid_request_error', 'Conflict')).status, 409);
    assert.equal(classify(400, envelope('invalid_request_error', 'No')).status, undefined);
  });

  test('a key in the message is not shown', () => {
    const { message } = classify(401, envelope('authentication_error', 'bad key sk-ant-api03-abcdefghijklmnop'));
    assert.doesNotMatch(message, /abcdefghijklmnop/);
  });

  test('an error object in a good answer is an error', () => {
    const body = JSON.parse(envelope('overloaded_error', 'Overloaded'));
    for (const read of [anthropic.decodeReply, anthropic.inspectReply]) {
      const result = read(body);
      assert.equal(result.ok ? '' : result.failure.class, 'upstream_overloaded');
    }
  });

  test('an error event in a stream is told by its type', () => {
    const types: readonly [string, FailureClass][] = [
      ['overloaded_error', 'upstream_overloaded'],
      ['rate_limit_error', 'upstream_rate_limited'],
      ['authentication_error', 'upstream_auth_failed'],
      ['invalid_request_error', 'upstream_invalid_request'],
      ['api_error', 'upstream_error'],
      ['constructor', 'upstream_error'],
    ];
    for (const [type, cls] of types) {
      const [event] = anthropic.streamDecoder().push({ event: 'error', data: envelope(type, 'x') });
      assert.equal(event?.kind === 'error' && event.failure.class, cls);
    }
  });
});
