// Anthropic's wire at an engine: what goes wrong there is said in the engine's words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { epochMillis } from '#core/units.ts';
import { messagesWire } from './messages.ts';

const wire = messagesWire(() => 'http://127.0.0.1:8000');
const classOf = (status: number, message: string, type = 'invalid_request_error'): string => {
  const body = JSON.stringify({ type: 'error', error: { type, message } });
  return wire.classify({ status, headers: {}, body, now: epochMillis(0) }).class;
};

test('what an engine answers in the envelope of Anthropic is read as what it is', () => {
  const tooLong = "This model's maximum context length is 1024 tokens. However, you requested 2000 output tokens and your prompt";
  assert.equal(classOf(400, `${tooLong} contains at least 1 input tokens.`), 'context_length_exceeded');
  assert.equal(classOf(503, 'The engine is currently busy and cannot accept new requests.', 'api_error'), 'upstream_saturated');
  assert.equal(classOf(529, 'Overloaded', 'overloaded_error'), 'upstream_overloaded');
  assert.equal(classOf(404, 'The model `x` does not exist.', 'not_found_error'), 'upstream_model_not_found');
  assert.equal(classOf(400, 'temperature must be at most 2'), 'upstream_invalid_request');
});
