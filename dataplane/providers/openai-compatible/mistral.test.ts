// Mistral's way of speaking the wire: what is translated for it, and what is changed in a body that passes through.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ChatRequest, Message } from '#core/chat/request.ts';
import { aModel, aProvider } from '#core/snapshot/testing.ts';
import { tokens } from '#core/units.ts';
import type { Provider } from '../provider.ts';
import { compatibleWires } from './index.ts';
import type { CompatibleTarget } from './target.ts';

function targetWith(vendor: 'Mistral' | undefined, dropUnsupported = false): CompatibleTarget {
  const connection = { type: 'OpenAICompatible', baseURL: 'https://api.mistral.ai/v1', ...(vendor && { vendor }) } as const;
  const parameters = { dropUnsupported, set: {}, drop: [] };
  return {
    provider: aProvider('p', { connection, parameters }) as CompatibleTarget['provider'],
    model: aModel('mistral-large-latest'),
  };
}

const target = targetWith('Mistral');
const [mistral] = compatibleWires(target) as readonly [Provider<CompatibleTarget['provider']['connection']>];

const messages: readonly Message[] = [
  { role: 'user', name: 'ann', content: [{ kind: 'text', text: 'Weather?' }] },
  { role: 'assistant', content: [{ kind: 'tool-call', id: 'toolu_01A', name: 'weather', arguments: '{}' }] },
  { role: 'tool', callId: 'toolu_01A', content: [{ kind: 'text', text: 'Rain' }] },
];
const request: ChatRequest = {
  dialect: 'anthropic-messages',
  model: 'm',
  messages,
  tools: [{ name: 'weather' }],
  toolChoice: { kind: 'required' },
  sampling: { seed: 7, temperature: 0.5 },
  maxOutputTokens: tokens(10),
  stop: ['END'],
  stream: true,
  user: 'u-1',
  extra: {},
};

const encoded = (asked: ChatRequest, at = target) => {
  const result = mistral.encode(asked, at);
  assert.ok(result.ok, result.ok ? '' : result.failure.message);
  return result.value;
};

describe('a request that is translated for Mistral', () => {
  test('has the names of its API, and no field that it does not know', () => {
    const { body, dropped } = encoded(request);
    assert.deepEqual(dropped, []);
    assert.deepEqual(Object.keys(body).toSorted(), [
      'max_tokens',
      'messages',
      'model',
      'random_seed',
      'stop',
      'stream',
      'temperature',
      'tool_choice',
      'tools',
    ]);
    assert.deepEqual([body.random_seed, body.tool_choice], [7, 'any']);
  });

  test('has ids of nine letters and digits, the same for a call and its result, and no names of who speaks', () => {
    type Wire = { readonly tool_calls?: readonly { readonly id: string }[]; readonly tool_call_id?: string };
    const [user, assistant, tool] = encoded(request).body.messages as readonly Wire[];
    const { id } = assistant!.tool_calls![0]!;
    assert.match(id, /^[a-zA-Z0-9]{9}$/);
    assert.equal(tool!.tool_call_id, id);
    assert.ok(!('name' in user!));
  });

  test('is refused where it asks for log probabilities, or they are left out by name', () => {
    const asked = { ...request, logprobs: { top: 1 } };
    const refused = mistral.encode(asked, target);
    assert.deepEqual(!refused.ok && [refused.failure.class, refused.failure.param], ['unsupported_parameter', 'logprobs']);
    assert.deepEqual(encoded(asked, targetWith('Mistral', true)).dropped, ['logprobs']);
  });
});

describe('a body that passes through to Mistral', () => {
  const editsOf = (body: Record<string, unknown>) =>
    Object.fromEntries(mistral.passthroughEdits({ has: name => name in body, get: name => body[name] }, true));

  test('is left alone where it is in its words', () => {
    assert.deepEqual(editsOf({ random_seed: 1, max_tokens: 5, safe_prompt: true }), {});
  });
  test('is put into its words, and is not asked for its usage, which comes anyway', () => {
    assert.deepEqual(editsOf({ seed: 1, max_completion_tokens: 5, stream_options: { include_usage: true }, user: 'u' }), {
      seed: null,
      random_seed: '1',
      max_completion_tokens: null,
      max_tokens: '5',
      stream_options: null,
      user: null,
    });
  });
  test('is translated where its history has ids of another provider', () => {
    const of = (id: string) => Buffer.from(JSON.stringify({ messages: [{ role: 'tool', tool_call_id: id, content: 'x' }] }));
    assert.equal(mistral.isForeign(of('abcDEF123')), false);
    for (const id of ['call_abc', 'abcDEF1234', 'abc']) assert.equal(mistral.isForeign(of(id)), true, id);
    const said = Buffer.from(JSON.stringify({ messages: [{ role: 'user', content: '"tool_call_id": "call_abc"' }] }));
    assert.equal(mistral.isForeign(said), false, 'a text is no id');
  });
});

test('other servers are spoken to as most speak', () => {
  const [plain] = compatibleWires(targetWith(undefined));
  const result = plain.encode(request, targetWith(undefined));
  assert.ok(result.ok && result.value.body.seed === 7 && result.value.body.tool_choice === 'required');
});
