// What a held answer keeps, and up to where.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aModel } from '#core/snapshot/testing.ts';
import { HeldAnswer } from './held-answer.ts';
import type { ClientResponse } from './http/client-response.ts';
import type { Prepared } from './prepare.ts';
import { openAICompatible } from './providers/openai-compatible/index.ts';
import type { Provider } from './providers/provider.ts';
import type { Relay } from './relay/relay.ts';

const frame = (content: string, more: object = {}): Buffer =>
  Buffer.from(`data: ${JSON.stringify({ id: 'x', model: 'm', choices: [{ index: 0, delta: { content }, ...more }] })}\n\n`);
const END = Buffer.from('data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');

/** A stream that passes through, as the attempt would have it. */
function held(wantsConfidence = false) {
  const answer = new HeldAnswer({ gone: false } as ClientResponse, aModel('m'), wantsConfidence);
  const relay = { push: (block: Buffer) => block, close: () => undefined, spoken: () => undefined } as unknown as Relay;
  const request = { body: '{"model":"m"}' } as Prepared['request'];
  const prepared = { chat: openAICompatible as Provider, target: { model: aModel('m') }, request, relay } as Prepared;
  const task = answer.prepared(prepared);
  const send = (block: Buffer): void => {
    const out = task.relay!.push(block);
    if (out) answer.write(out);
    // The memory of a block is used again.
    block.fill(0);
  };
  return { answer, send, request: task.request };
}

test('a stream is kept as it came, and read as what it says', () => {
  const { answer, send } = held();
  const sent = Buffer.concat([frame('Hel'), frame('lo'), END]);
  for (const block of [frame('Hel'), frame('lo'), Buffer.from(END)]) send(block);
  assert.deepEqual(answer.reply()!.parts, [{ kind: 'text', text: 'Hello' }]);
  assert.ok(answer.stream().equals(sent));
});

test('log probabilities are asked for, read, and not passed on', () => {
  const { answer, send, request } = held(true);
  assert.equal(JSON.parse(String(request.body)).logprobs, true);
  const logprobs = { content: [{ token: 'x', logprob: -0.5 }] };
  for (const block of [frame('x', { logprobs }), Buffer.from(END)]) send(block);
  assert.deepEqual(answer.reply()!.logprobs, logprobs);
  assert.ok(answer.stream().equals(Buffer.concat([frame('x', { logprobs: null }), END])));
});

test('an answer of more than 16 MiB is let go, and cannot be read', () => {
  const { answer, send } = held();
  for (let i = 0; i < 17; i++) send(frame('x'.repeat(1024 * 1024)));
  send(Buffer.from(END));
  assert.equal(answer.reply(), undefined);
  assert.ok(answer.stream().length < 1024);
});
