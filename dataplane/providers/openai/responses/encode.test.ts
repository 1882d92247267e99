// The neutral request as a Responses body, and a history that other providers made.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { signedBy } from '#core/chat/foreign.ts';
import type { ChatRequest } from '#core/chat/request.ts';
import { aRequest } from '#core/chat/testing.ts';
import { tokens } from '#core/units.ts';
import type { Target } from '../../provider.ts';
import { openAIProfile } from '../profile.ts';
import { isForeign } from './clean-history.ts';
import { encodeResponsesFor } from './encode.ts';

const targetOf = (upstreamName: string, dropUnsupported = false) =>
  ({
    provider: { parameters: { dropUnsupported, drop: [], set: {} } },
    model: { name: 'm', upstreamName, capabilities: [] },
  }) as unknown as Target;

function encoded(fields: Partial<ChatRequest> = {}, model = 'gpt-5-pro', drop = false) {
  const result = encodeResponsesFor(openAIProfile)(aRequest(fields), targetOf(model, drop));
  assert.ok(result.ok, result.ok ? '' : result.failure.message);
  return result.value;
}
const bodyOf = (fields: Partial<ChatRequest> = {}, model?: string) =>
  encoded(fields, model).body as Record<
    string,
    /* biome-ignore lint/suspicious/noExplicitAny: assertions reach deep into it */ any
  >;

describe('a Responses body', () => {
  test('keeps nothing at the provider, and has its reasoning sealed', () => {
    const { store, include, input } = bodyOf();
    assert.deepEqual([store, include], [false, ['reasoning.encrypted_content']]);
    assert.deepEqual(input, [{ role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }]);
    assert.equal(bodyOf({}, 'gpt-4o').include, undefined);
  });

  test('has a turn of the model as items in the order in which they were said', () => {
    const messages: ChatRequest['messages'] = [
      { role: 'system', content: [{ kind: 'text', text: 'Be brief.' }] },
      {
        role: 'assistant',
        content: [
          { kind: 'thinking', text: 'hm', signature: signedBy('openai', 'rs_1.gAAA') },
          { kind: 'thinking', text: 'of another', signature: 'EqQB' },
          { kind: 'text', text: 'Let me see.' },
          { kind: 'tool-call', id: 'call:1', name: 'f', arguments: '' },
        ],
      },
      { role: 'tool', callId: 'call:1', content: [{ kind: 'text', text: 'no' }], isError: true },
    ];
    const { input } = bodyOf({ messages });
    assert.deepEqual(
      input.map((item: { type?: string; role?: string }) => item.type ?? item.role),
      ['system', 'reasoning', 'assistant', 'function_call', 'function_call_output'],
    );
    assert.deepEqual(input[1], {
      type: 'reasoning',
      id: 'rs_1',
      summary: [{ type: 'summary_text', text: 'hm' }],
      encrypted_content: 'gAAA',
    });
    assert.equal(input[3].call_id, input[4].call_id);
    assert.deepEqual([input[3].arguments, input[4].output], ['{}', 'Error: no']);
  });

  test('says what this wire spells otherwise', () => {
    const body = bodyOf({
      tools: [{ name: 'f' }],
      toolChoice: { kind: 'tool', name: 'f' },
      output: { kind: 'json-schema', name: 'r', schema: { type: 'object' } },
      thinking: { kind: 'effort', effort: 'low' },
      maxOutputTokens: tokens(5),
      stream: true,
    });
    assert.deepEqual(body.tools, [
      { type: 'function', name: 'f', parameters: { type: 'object', properties: {} }, strict: false },
    ]);
    assert.deepEqual(body.tool_choice, { type: 'function', name: 'f' });
    assert.deepEqual(body.text, { format: { type: 'json_schema', name: 'r', schema: { type: 'object' }, strict: false } });
    assert.deepEqual(body.reasoning, { effort: 'low', summary: 'auto' });
    assert.deepEqual([body.max_output_tokens, body.stream], [16, true]);
  });

  const unknown: [name: string, fields: Partial<ChatRequest>][] = [
    ['stop', { stop: ['END'] }],
    ['n', { choices: 2 }],
    ['seed', { sampling: { seed: 1 } }],
    ['top_k', { sampling: { topK: 1 } }],
    ['frequency_penalty', { sampling: { frequencyPenalty: 1 } }],
    ['temperature', { sampling: { temperature: 0.5 } }],
    ['logit_bias', { extra: { logit_bias: {} } }],
  ];
  for (const [name, fields] of unknown)
    test(`cannot say ${name}: refused by its name, or left out and named`, () => {
      const refused = encodeResponsesFor(openAIProfile)(aRequest(fields), targetOf('gpt-5-pro'));
      assert.deepEqual(refused.ok ? '' : [refused.failure.class, refused.failure.param], ['unsupported_parameter', name]);
      assert.deepEqual(encoded(fields, 'gpt-5-pro', true).dropped, [name]);
    });
});

describe('a body of its own dialect', () => {
  const own = { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'gAAA' };
  const foreign = [
    { type: 'reasoning', id: 'rs_tollgate_0_0', summary: [], encrypted_content: 'tollgate-unsigned' },
    { type: 'reasoning', id: 'rs_2', summary: [], encrypted_content: 'tollgate-signed.anthropic.EqQB' },
  ];
  const message = { type: 'message', id: 'msg_tollgate_0_1', role: 'assistant', content: [{ type: 'output_text', text: 'Hi' }] };

  test('is foreign where another provider had a part in it', () => {
    const isIt = (item: unknown) => isForeign(Buffer.from(JSON.stringify({ input: [item] })));
    assert.deepEqual([own, ...foreign, message].map(isIt), [false, true, true, true]);
  });

  test('is cleaned of that, and of nothing else', () => {
    const body = { model: 'x', input: [own, ...foreign, message, 'odd'], later: { field: 1 } };
    assert.deepEqual(bodyOf({ dialect: 'openai-responses', body }), {
      model: 'gpt-5-pro',
      input: [own, { type: 'message', role: 'assistant', content: message.content }, 'odd'],
      later: { field: 1 },
    });
  });
});
