// Where a request is marked to be cached whose client has said nothing of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withCacheMarks } from './cache-marks.ts';
import type { ChatRequest, Message } from './request.ts';
import { aRequest } from './testing.ts';

const text = (said: string) => ({ kind: 'text' as const, text: said });
const system: Message = { role: 'system', content: [text('Be'), text('brief.')] };
const user: Message = { role: 'user', content: [text('Hi'), text('')] };
const answer: Message = { role: 'assistant', content: [{ kind: 'tool-call', id: 'c', name: 'f', arguments: '{}' }] };
const result: Message = { role: 'tool', callId: 'c', content: [text('7')] };

test('after the tools, the system prompt and the last turn, and nowhere else', () => {
  const { tools, messages } = withCacheMarks(
    aRequest({ messages: [system, user, answer, result], tools: [{ name: 'f' }, { name: 'g' }] }),
  );
  assert.deepEqual(tools, [{ name: 'f' }, { name: 'g', cache: {} }]);
  assert.deepEqual(messages, [
    { role: 'system', content: [text('Be'), { ...text('brief.'), cache: {} }] },
    user,
    answer,
    { ...result, cache: {} },
  ]);
});

test('at the last part of a turn that is sent', () => {
  const { messages } = withCacheMarks(aRequest({ messages: [user] }));
  assert.deepEqual(messages, [{ role: 'user', content: [{ ...text('Hi'), cache: {} }, text('')] }]);
});

test('not where the client has marked anything itself, nor where the model is to go on with its answer', () => {
  const marks: readonly ChatRequest[] = [
    aRequest({ messages: [user], tools: [{ name: 'f', cache: { ttl: '1h' } }] }),
    aRequest({ messages: [{ role: 'user', content: [{ ...text('Hi'), cache: {} }] }, user] }),
    aRequest({ messages: [{ ...result, cache: {} }] }),
    aRequest({ messages: [{ role: 'assistant', content: [text('Once')] }] }),
  ];
  for (const asked of marks) assert.deepEqual(withCacheMarks(asked), asked);
});
