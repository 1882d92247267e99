import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aModel } from '#core/snapshot/testing.ts';
import { confidence } from './confidence.ts';

const asking = (body: Record<string, unknown>, upstreamName = 'gemini-2.5-flash') =>
  confidence.asking({ has: name => name in body, get: name => body[name] }, aModel('m', { upstreamName }));

test('log probabilities are asked for beside what the request says, in its own spelling, of models that have them', () => {
  assert.deepEqual(asking({}), new Map([['generationConfig', '{"responseLogprobs":true}']]));
  assert.deepEqual(
    asking({ generation_config: { top_k: 3, response_logprobs: false } }),
    new Map([['generation_config', '{"top_k":3,"responseLogprobs":true}']]),
  );
  assert.deepEqual(asking({ generation_config: { response_logprobs: true } }), new Map());
  for (const other of ['gemini-3.5-flash', 'gemini-flash-latest', 'gemini-1.5-pro']) assert.equal(asking({}, other), undefined);
});

test('an answer loses its log probabilities and nothing else', () => {
  const answer = { candidates: [{ content: { parts: [{ text: '"logprobsResult"' }] }, avgLogprobs: -1 }], more: 1 };
  const told = { ...answer, candidates: [{ ...answer.candidates[0], logprobsResult: { chosenCandidates: [] } }] };
  assert.deepEqual(JSON.parse(confidence.untold(JSON.stringify(told))), answer);
  for (const other of [
    '{"promptFeedback":{}}',
    '{"error":{"message":"\\"logprobsResult\\""}}',
    '{"candidates":"logprobsResult"}',
  ])
    assert.equal(confidence.untold(other), other);
});
