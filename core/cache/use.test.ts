// What the cache may do with a request, by its form and its words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatRequest } from '../chat/request.ts';
import { aRequest } from '../chat/testing.ts';
import { type CacheRules, type CacheWishes, cacheUse, isPersonal, isTimely } from './use.ts';

const rules: CacheRules = { mode: 'Semantic', onlyDeterministic: true };
const says = (text: string): ChatRequest['messages'][number] => ({ role: 'user', content: [{ kind: 'text', text }] });
const asks = (changes: Partial<ChatRequest> = {}): ChatRequest =>
  aRequest({ messages: [says('What is the capital of France?')], sampling: { temperature: 0 }, ...changes });
const useOf = (changes: Partial<ChatRequest>, wishes: CacheWishes = {}, own: Partial<CacheRules> = {}, takesTemperature = true) =>
  cacheUse(asks(changes), { ...rules, ...own }, wishes, takesTemperature);
const reasonOf = (changes: Partial<ChatRequest>, ...more: [CacheWishes?, Partial<CacheRules>?, boolean?]) => {
  const use = useOf(changes, ...more);
  return `${use.kind}${use.reason ? `: ${use.reason}` : ''}`;
};
const picture = { kind: 'image', source: { kind: 'url', url: 'https://a.example/b.png' } } as const;
const tool = { name: 'search' };
const answer = { role: 'assistant', content: [{ kind: 'text', text: 'Paris' }] } as const;

test('a single turn of text is served by meaning, longer conversations by their words', () => {
  assert.equal(reasonOf({}), 'semantic');
  assert.equal(reasonOf({ messages: [{ role: 'system', content: [] }, says('Hello')] }), 'semantic');
  assert.equal(reasonOf({ messages: [says('a'), answer, says('And of Italy?')] }), 'exact: several-turns');
  assert.equal(reasonOf({ messages: [says('a'), says('b')] }), 'exact: several-turns');
  assert.equal(reasonOf({ messages: [says('a'), answer] }), 'exact: prefill');
  assert.equal(reasonOf({}, {}, { mode: 'Exact' }), 'exact: mode');
});

test('what cannot be told by its words is left alone', () => {
  assert.equal(
    reasonOf({ messages: [{ role: 'user', content: [{ kind: 'text', text: 'What is it?' }, picture] }] }),
    'bypass: image',
  );
  assert.equal(reasonOf({ messages: [{ role: 'user', content: [picture] }, says('And what is this?')] }), 'bypass: image');
  const audio = { kind: 'audio', format: 'wav', data: '' } as const;
  assert.equal(reasonOf({ messages: [{ role: 'user', content: [audio] }] }), 'bypass: audio');
  const file = { kind: 'document', source: { kind: 'file', id: 'f' } } as const;
  assert.equal(reasonOf({ messages: [{ role: 'user', content: [file] }] }), 'bypass: file');
  assert.equal(reasonOf({ messages: [says('a'), { role: 'tool', callId: 'c', content: [] }] }), 'bypass: tool-results');
  assert.equal(reasonOf({ messages: [says(' \n ')] }), 'bypass: no-user-text');
  assert.equal(reasonOf({ messages: [] }), 'bypass: no-user-text');
  assert.equal(reasonOf({ choices: 2 }), 'bypass: several-answers');
  assert.equal(reasonOf({ choices: 1 }), 'semantic');
  assert.equal(reasonOf({ logprobs: { top: 0 } }), 'bypass: logprobs');
  assert.equal(reasonOf({ sampling: { temperature: 0, seed: 1 } }), 'bypass: seed');
  assert.equal(reasonOf({}, {}, { mode: 'Disabled' }), 'bypass: disabled');
});

test('a sampled answer is not the answer, unless the route says so or the model has no temperature', () => {
  assert.equal(reasonOf({ sampling: {} }), 'bypass: sampling');
  assert.equal(reasonOf({ sampling: { temperature: 0.2 } }), 'bypass: sampling');
  assert.equal(reasonOf({ sampling: { temperature: 0.2 } }, {}, { onlyDeterministic: false }), 'semantic');
  assert.equal(reasonOf({ sampling: {} }, {}, {}, false), 'semantic');
});

test('tools that may be called, and long prompts, are matched exactly', () => {
  assert.equal(reasonOf({ tools: [tool] }), 'exact: tools');
  assert.equal(reasonOf({ tools: [tool], toolChoice: { kind: 'none' } }), 'semantic');
  assert.equal(reasonOf({ messages: [says('word '.repeat(409))] }), 'semantic');
  assert.equal(reasonOf({ messages: [says('word '.repeat(412))] }), 'exact: long-prompt');
  assert.equal(reasonOf({ messages: [says('字'.repeat(513))] }), 'exact: long-prompt');
});

test('the client may leave the cache, wholly or in part', () => {
  assert.equal(reasonOf({}, { noCache: true, noStore: true }), 'bypass: no-cache-no-store');
  const flags = (wishes: CacheWishes) => {
    const use = useOf({}, wishes);
    return use.kind !== 'bypass' && [use.mayRead, use.mayStore];
  };
  assert.deepEqual(
    [flags({}), flags({ noCache: true }), flags({ noStore: true })],
    [
      [true, true],
      [false, true],
      [true, false],
    ],
  );
});

test('an answer about the one who asks is for the same user, and by meaning only where the client names him', () => {
  const messages = [says('What is my account balance?')];
  assert.equal(reasonOf({ messages }), 'exact: personal');
  const named = useOf({ messages, user: 'u1' });
  assert.deepEqual([named.kind, named.kind !== 'bypass' && named.perUser], ['semantic', true]);
  for (const prompt of [
    'cancel it for me and my wife',
    'Is MY order late?',
    'which of these is mine',
    'Do our terms allow it',
    'does she like me',
  ])
    assert.ok(isPersonal(prompt), prompt);
  for (const prompt of [
    'Tell me the capital of France',
    'write me a poem',
    'Explain it to me: tides',
    'the mystic mine-sweeper economy',
    'the US army',
  ])
    assert.equal(isPersonal(prompt), prompt.includes('mine-'), prompt);
});

test('an answer that time makes wrong lives an hour at most', () => {
  for (const prompt of [
    "What's the weather today?",
    'the latest version of Node',
    'who is the current president',
    'sales this week',
    'up-to-date prices',
  ])
    assert.ok(isTimely(prompt), prompt);
  for (const prompt of ['What is electric current density? I know', 'the history of France', 'this weekly digest'])
    assert.equal(isTimely(prompt), prompt.includes('current'), prompt);
  const use = useOf({ messages: [says('news of today')] });
  assert.equal(use.kind !== 'bypass' && use.maxTtl, 3_600_000);
});
