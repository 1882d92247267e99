import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signedBy, UNSIGNED } from '#core/chat/foreign.ts';
import { cleanHistory } from './clean-history.ts';
import { converse, converseOfClaude } from './converse.ts';

const thought = (signature?: string) => ({
  reasoningContent: { reasoningText: { text: 'hm', ...(signature && { signature }) } },
});
const user = { role: 'user', content: [{ text: 'Hi' }] };
const sealed = { reasoningContent: { redactedContent: 'AAAA' } };

test('a history keeps what Anthropic signed, for its models alone, and everything that is no thinking', () => {
  const content = [
    thought('sig'),
    thought(UNSIGNED),
    thought(signedBy('google', 'x')),
    thought(),
    sealed,
    { text: 'Yes', unknown: 1 },
  ];
  const body = { messages: [user, { role: 'assistant', content }, user], unknown: { a: 1 } };
  assert.deepEqual(cleanHistory(body, true), {
    messages: [user, { role: 'assistant', content: [thought('sig'), sealed, { text: 'Yes', unknown: 1 }] }, user],
    unknown: { a: 1 },
  });
  assert.deepEqual(cleanHistory(body, false).messages, [
    user,
    { role: 'assistant', content: [{ text: 'Yes', unknown: 1 }] },
    user,
  ]);
});

test('a turn of which nothing is left goes, and its neighbours become one', () => {
  const body = { messages: [user, { role: 'assistant', content: [thought(UNSIGNED)] }, user] };
  assert.deepEqual(cleanHistory(body, true).messages, [{ role: 'user', content: [{ text: 'Hi' }, { text: 'Hi' }] }]);
});

test('a body passes to Claude as it is unless it has thinking that Anthropic did not sign', () => {
  const isForeign = (signature?: string) =>
    converseOfClaude.isForeign(Buffer.from(JSON.stringify({ messages: [thought('sig'), thought(signature)] })));
  assert.deepEqual([isForeign('sig'), isForeign(UNSIGNED), isForeign(signedBy('openai', 'x'))], [false, true, true]);
  assert.equal(isForeign(), true);
  const pretty = JSON.stringify(
    { messages: [{ reasoningContent: { reasoningText: { text: 'a "} \\', signature: 's' } } }] },
    null,
    2,
  );
  assert.equal(converseOfClaude.isForeign(Buffer.from(pretty)), false);
  assert.equal(converseOfClaude.isForeign(Buffer.from(pretty.replace(/,\s*"signature": "s"/, ''))), true);
});

test('a body passes to other models as it is unless it has any thinking, which they do not take back', () => {
  const isForeign = (...messages: unknown[]) => converse.isForeign(Buffer.from(JSON.stringify({ messages })));
  assert.deepEqual([isForeign(thought('sig')), isForeign(thought()), isForeign(user)], [true, true, false]);
});
