import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aModel } from '#core/snapshot/testing.ts';
import type { RequestFields } from '../provider.ts';
import { confidenceOf } from './confidence.ts';
import { compatibleProfile, openAIProfile } from './profile.ts';

const fields = (body: Record<string, unknown>): RequestFields => ({ has: name => name in body, get: name => body[name] });
const { asking, untold } = confidenceOf(openAIProfile);

test('log probabilities are asked for where the request did not, of models that have them', () => {
  assert.deepEqual(asking(fields({}), aModel('gpt-4o')), new Map([['logprobs', 'true']]));
  assert.deepEqual(asking(fields({ logprobs: false }), aModel('gpt-4o')), new Map([['logprobs', 'true']]));
  assert.deepEqual(asking(fields({ logprobs: true }), aModel('gpt-4o')), new Map());
  assert.equal(asking(fields({}), aModel('gpt-5-mini')), undefined);
  assert.deepEqual(confidenceOf(compatibleProfile).asking(fields({}), aModel('anything')), new Map([['logprobs', 'true']]));
});

test('an answer loses its log probabilities and nothing else', () => {
  const answer = (logprobs: unknown) => ({
    id: 'x',
    choices: [{ index: 0, message: { content: '"logprobs"' }, logprobs }],
    more: 1,
  });
  assert.deepEqual(JSON.parse(untold(JSON.stringify(answer({ content: [{ logprob: -1 }] })))), answer(null));
  for (const other of ['{"id":"x","choices":[]}', '{"error":{"message":"\\"logprobs\\""}}', '[DONE]'])
    assert.equal(untold(other), other);
});
