import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatReply } from '../chat/reply.ts';
import type { ChatRequest } from '../chat/request.ts';
import { judgeRequest, verdictOf } from './judge.ts';

const request = (said: string): ChatRequest => ({
  dialect: 'openai-chat',
  model: 'small',
  messages: [
    { role: 'system', content: [{ kind: 'text', text: 'Be brief.' }] },
    { role: 'user', content: [{ kind: 'text', text: said }] },
  ],
  tools: [{ name: 'find' }],
  sampling: { temperature: 1 },
  stop: ['\n'],
  stream: true,
  extra: { logit_bias: {} },
});
const reply = (text: string): ChatReply => ({ id: '', model: '', parts: [{ kind: 'text', text }], finish: { reason: 'stop' } });

const said = ({ messages }: ChatRequest): string =>
  messages.flatMap(({ content }) => content.map(part => (part.kind === 'text' ? part.text : ''))).join('\n');

test('a judge reads the question, what the model was told, and the answer, and may say little', () => {
  const asked = judgeRequest('judge', request('How long is the Rhine?'), reply('1,233 km'));
  for (const part of ['Be brief.', 'How long is the Rhine?', '1,233 km']) assert.ok(said(asked).includes(part), part);
  assert.ok(asked.maxOutputTokens! <= 64);
  assert.deepEqual([asked.model, asked.stream, asked.tools, asked.stop, asked.extra], ['judge', false, [], [], {}]);
});

test('a judge reads so much and no more', () => {
  const long = 'x'.repeat(1_000_000);
  assert.ok(said(judgeRequest('judge', request(long), reply(long))).length < 60_000);
});

test('a verdict is the first number from 0 to 10 that the judge says; all else is none', () => {
  const verdicts: readonly [string, number | undefined][] = [
    ['7', 0.7],
    ['10', 1],
    ['Score: 0', 0],
    ['**8.5**/10', 0.85],
    ['I give it 11.', undefined],
    ['very good', undefined],
    ['', undefined],
  ];
  for (const [words, score] of verdicts) assert.equal(verdictOf(words), score, words);
});
