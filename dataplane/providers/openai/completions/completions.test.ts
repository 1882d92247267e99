// The completions wire read: the same as the chat wire, with a text where that has a message.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fold } from '#core/chat/fold.ts';
import { outputAsked } from './asked.ts';
import { decodeReply, inspectReply, streamDecoder } from './decode.ts';

const fieldsOf = (body: Record<string, unknown>) => ({ has: (name: string) => name in body, get: (name: string) => body[name] });
const chunk = (choices: unknown[], rest = {}) =>
  JSON.stringify({ id: 'cmpl-1', object: 'text_completion', model: 'm', choices, ...rest });
const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };

function read(frames: readonly string[], body: Record<string, unknown> = {}) {
  const decoder = streamDecoder(fieldsOf(body));
  return fold([...frames.flatMap(data => decoder.push({ event: '', data })), ...decoder.close()]);
}

describe('a stream of completions', () => {
  const frames = [
    chunk([{ index: 0, text: 'upon ', logprobs: { tokens: ['upon '], top_logprobs: [{}] }, finish_reason: null }]),
    chunk([{ index: 0, text: 'a time', logprobs: null, finish_reason: 'length' }]),
    chunk([], { usage }),
    '[DONE]',
  ];
  test('is a text, with its usage', () => {
    const { reply, complete } = read(frames);
    assert.ok(complete);
    assert.deepEqual(
      [reply.parts, reply.finish.reason, reply.usage?.output],
      [[{ kind: 'text', text: 'upon a time' }], 'length', 2],
    );
    assert.equal(reply.logprobs, undefined);
  });
  test('that is cut is not whole', () => {
    assert.equal(read(frames.slice(0, 1)).failure?.class, 'upstream_stream_truncated');
  });
  test('of several prompts is over when all of them are', () => {
    const ends = (n: number) => Array.from({ length: n }, (_, index) => chunk([{ index, text: 'x', finish_reason: 'stop' }]));
    const body = { prompt: ['a', 'b'], n: 2 };
    assert.equal(read(ends(3), body).complete, false);
    assert.equal(read(ends(4), body).complete, true);
  });
  test('has errors as the chat wire has them, and what is no JSON is one', () => {
    assert.equal(read(['{"error":{"message":"x","code":429}}']).failure?.class, 'upstream_rate_limited');
    assert.equal(read(['{"choices":']).failure?.class, 'upstream_bad_response');
  });
});

test('a whole completion says what it says', () => {
  const body = { id: 'cmpl-1', model: 'm', choices: [{ index: 0, text: 'upon', finish_reason: 'stop' }], usage };
  const [reply, facts] = [decodeReply(body), inspectReply(body)];
  assert.deepEqual(reply.ok && reply.value.parts, [{ kind: 'text', text: 'upon' }]);
  assert.deepEqual(facts.ok && [facts.value.empty, facts.value.id, facts.value.usage?.output], [false, 'cmpl-1', 2]);
  const nothing = inspectReply({ ...body, choices: [{ text: '' }], usage: { prompt_tokens: 1, completion_tokens: 0 } });
  assert.equal(nothing.ok && nothing.value.empty, true);
  for (const bad of [null, [], {}, { error: { message: 'x' } }]) assert.equal(inspectReply(bad).ok, false);
});

test('what is asked for at most counts every prompt, and all that are written to show the best', () => {
  const asked = (body: Record<string, unknown>) => outputAsked(fieldsOf(body));
  assert.deepEqual(asked({ prompt: 'a', max_tokens: 7 }), { maxTokens: 7, choices: 1 });
  assert.deepEqual(asked({ prompt: ['a', 'b'], n: 2, best_of: 5 }), { choices: 10 });
  assert.deepEqual(asked({ prompt: [1, 2, 3] }), { choices: 1 });
  assert.deepEqual(asked({ prompt: [[1], [2]], max_tokens: -1, n: 'x' }), { choices: 2 });
});
