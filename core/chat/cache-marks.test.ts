// Where a request is marked to be cached whose client has said nothing of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withCacheMarks } from './cache-marks.ts';
import type { ChatRequest, Message } from './request.ts';

const text = (said: string) => ({ kind: 'text' as const, text: said });
const request = (messages: readonly Message[], fields: Partial<ChatRequest> = {}): ChatRequest => ({
  dialect: 'openai-chat',
  model: 'm',
  messages,
  tools: [],
  sampling: {},
  stop: [],
  stream: false,
  extra: {},
  ...fields,
});
const system: Message = { role: 'system', content: [text('Be'), text('brief.')] };
const user: Message = { role: 'user', content: [text('Hi'), text('')] };
const answer: Message = { role: 'assistant', content: [{ kind: 'tool-call', id: 'c', name: 'f', arguments: '{}' }] };
const result: Message = { role: 'tool', callId: 'c', content: [text('7')] };

test('after the tools, the system prompt and the last turn, and nowhere else', () => {
  const { tools, messages } = withCacheMarks(request([system, user, answer, result], { tools: [{ name: 'f' }, { name: 'g' }] }));
  assert.deepEqual(tools, [{ name: 'f' }, { name: 'g', cache: {} }]);
  assert.deepEqual(messages, [
    { role: 'system', content: [text('Be'), { ...text('brief.'), cache: {} }] },
    user,
    answer,
    { ...result, cache: {} },
  ]);
});

test('at the last part of a turn that is sent', () => {
  const { messages } = withCacheMarks(request([user]));
  assert.deepEqual(messages, [{ role: 'user', content: [{ ...text('Hi'), cache: {} }, text('')] }]);
});

test('not where the client has marked anything itself, nor where the model is to go on with its answer', () => {
  const marks: readonly ChatRequest[] = [
    request([user], { tools: [{ name: 'f', cache: { ttl: '1h' } }] }),
    request([{ role: 'user', content: [{ ...text('Hi'), cache: {} }] }, user]),
    request([{ ...result, cache: {} }]),
    request([{ role: 'assistant', content: [text('Once')] }]),
  ];
  for (const asked of marks) assert.deepEqual(withCacheMarks(asked), asked);
});
