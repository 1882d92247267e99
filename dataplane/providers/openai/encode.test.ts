// The neutral request as each target of the dialect takes it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ChatRequest, Message, ThinkingRequest } from '#core/chat/request.ts';
import { aRequest } from '#core/chat/testing.ts';
import type { Connection, ModelEntry } from '#core/snapshot/snapshot.ts';
import { tokens } from '#core/units.ts';
import type { Target } from '../provider.ts';
import { encodeFor } from './encode.ts';
import { azureProfile, compatibleProfile, openAIProfile, type Profile } from './profile.ts';

const asked = aRequest({ dialect: 'anthropic-messages' });

type Where = {
  readonly profile?: Profile;
  readonly upstreamName?: string;
  readonly dropUnsupported?: boolean;
  readonly reasons?: boolean;
};

function encoded(
  request: Partial<ChatRequest>,
  { profile = openAIProfile, upstreamName = 'gpt-4o', dropUnsupported = true, reasons = false }: Where = {},
) {
  const model = { upstreamName, capabilities: reasons ? ['Reasoning'] : [] } as unknown as ModelEntry;
  const target = { model, provider: { parameters: { dropUnsupported } } } as unknown as Target<Connection>;
  return encodeFor(profile)({ ...asked, ...request }, target);
}
function bodyOf(request: Partial<ChatRequest>, where?: Where): Record<string, unknown> {
  const result = encoded(request, where);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value.body;
}
const droppedOf = (request: Partial<ChatRequest>, where?: Where) => {
  const result = encoded(request, where);
  return result.ok && result.value.dropped;
};
const messagesOf = (messages: Message[], where?: Where) => bodyOf({ messages }, where).messages;
const user = (...content: Extract<Message, { role: 'user' }>['content']): Message => ({ role: 'user', content });
const text = (words: string) => ({ kind: 'text', text: words }) as const;
const png = { kind: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' } } as const;
const pdf = { kind: 'document', source: { kind: 'base64', mediaType: 'application/pdf', data: 'AAAA' } } as const;

test('the smallest request has a model and its messages, and nothing else', () => {
  assert.deepEqual(bodyOf({}), { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }] });
});

test('everything that has a field of its own', () => {
  const body = bodyOf({
    tools: [{ name: 'f', description: 'd', parameters: { type: 'object' }, strict: true, cache: {} }, { name: 'g' }],
    toolChoice: { kind: 'tool', name: 'f' },
    parallelToolCalls: false,
    output: { kind: 'json-schema', name: 's', schema: { type: 'object' }, strict: true },
    sampling: { temperature: 0.5, topP: 0.9, frequencyPenalty: 0.1, presencePenalty: 0.2, seed: 7 },
    maxOutputTokens: tokens(100),
    stop: ['a', 'b'],
    logprobs: { top: 2 },
    choices: 1,
    user: 'u',
    stream: true,
  });
  assert.deepEqual(body, {
    model: 'gpt-4o',
    messages: [{ role: 'user', content: 'Hi' }],
    tools: [
      { type: 'function', function: { name: 'f', description: 'd', parameters: { type: 'object' }, strict: true } },
      { type: 'function', function: { name: 'g' } },
    ],
    tool_choice: { type: 'function', function: { name: 'f' } },
    parallel_tool_calls: false,
    response_format: { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object' }, strict: true } },
    temperature: 0.5,
    top_p: 0.9,
    frequency_penalty: 0.1,
    presence_penalty: 0.2,
    seed: 7,
    stop: ['a', 'b'],
    logprobs: true,
    top_logprobs: 2,
    max_tokens: 100,
    user: 'u',
    stream: true,
    stream_options: { include_usage: true },
  });
});

test('a choice among no tools is not sent, as OpenAI refuses it', () => {
  assert.deepEqual(Object.keys(bodyOf({ toolChoice: { kind: 'auto' }, parallelToolCalls: true })), ['model', 'messages']);
});

describe('messages', () => {
  test('system messages stay where they are', () => {
    const system: Message = { role: 'system', content: [text('a'), { ...text('b'), cache: { ttl: '1h' } }] };
    assert.deepEqual(messagesOf([user(text('x')), system]), [
      { role: 'user', content: 'x' },
      { role: 'system', content: 'a\n\nb' },
    ]);
  });

  test('what another provider signed, sealed or marked is left out without a word', () => {
    const history: Message[] = [
      user({ ...text('q'), cache: {} }),
      {
        role: 'assistant',
        content: [
          { kind: 'thinking', text: 'hm', signature: 'sig' },
          { kind: 'redacted-thinking', data: 'zzz' },
          text('a'),
          { kind: 'tool-call', id: 'toolu_1', name: 'f', arguments: '', cache: {} },
        ],
      },
      { role: 'tool', callId: 'toolu_1', content: [text('r')], cache: {} },
    ];
    assert.deepEqual(messagesOf(history), [
      { role: 'user', content: 'q' },
      {
        role: 'assistant',
        content: 'a',
        tool_calls: [{ id: 'toolu_1', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'toolu_1', content: 'r' },
    ]);
    assert.deepEqual(droppedOf({ messages: history }), []);
  });

  test('the content beside calls alone, or a refusal alone, is null', () => {
    assert.deepEqual(messagesOf([{ role: 'assistant', content: [{ kind: 'refusal', text: 'no' }] }]), [
      { role: 'assistant', content: null, refusal: 'no' },
    ]);
    assert.deepEqual(messagesOf([{ role: 'assistant', content: [{ kind: 'thinking', text: 'hm' }] }]), [
      { role: 'assistant', content: '' },
    ]);
  });

  test('images in results follow in a user message after the last result of the run', () => {
    const history: Message[] = [
      { role: 'tool', callId: 'a', content: [text('one'), png], isError: true },
      { role: 'tool', callId: 'b', content: [text('two'), text('three')] },
      user(text('and?')),
    ];
    assert.deepEqual(messagesOf(history), [
      { role: 'tool', tool_call_id: 'a', content: 'Error: one' },
      { role: 'tool', tool_call_id: 'b', content: 'two\nthree' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Shown by the result of tool call a:' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
        ],
      },
      { role: 'user', content: 'and?' },
    ]);
  });

  test('images and audio become parts', () => {
    const url = { kind: 'image', source: { kind: 'url', url: 'https://x/y.png' }, detail: 'low' } as const;
    assert.deepEqual(messagesOf([user(text('x'), url, { kind: 'audio', format: 'wav', data: 'AA' })]), [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'x' },
          { type: 'image_url', image_url: { url: 'https://x/y.png', detail: 'low' } },
          { type: 'input_audio', input_audio: { data: 'AA', format: 'wav' } },
        ],
      },
    ]);
  });

  test('a PDF is a file for OpenAI and Azure', () => {
    const content = [{ type: 'file', file: { filename: 'document.pdf', file_data: 'data:application/pdf;base64,AAAA' } }];
    for (const profile of [openAIProfile, azureProfile])
      assert.deepEqual(messagesOf([user(pdf)], { profile }), [{ role: 'user', content }]);
  });

  test('a PDF is dropped or refused where files are not known', () => {
    const messages = [user(text('x'), pdf)];
    assert.deepEqual(droppedOf({ messages }, { profile: compatibleProfile }), ['messages[0].content[1]']);
    assert.deepEqual(messagesOf(messages, { profile: compatibleProfile }), [{ role: 'user', content: 'x' }]);
    const refused = encoded({ messages }, { profile: compatibleProfile, dropUnsupported: false });
    assert.deepEqual(!refused.ok && [refused.failure.class, refused.failure.param], [
      'unsupported_parameter',
      'messages[0].content[1]',
    ]);
  });

  test('a document of text is text anywhere', () => {
    const document = { kind: 'document', title: 'T', context: 'C', source: { kind: 'text', text: 'body' } } as const;
    const inBase64 = { kind: 'document', source: { kind: 'base64', mediaType: 'text/plain', data: 'Ym9keQ==' } } as const;
    assert.deepEqual(messagesOf([user(document), user(inBase64)], { profile: compatibleProfile }), [
      { role: 'user', content: 'T\n\nC\n\nbody' },
      { role: 'user', content: 'body' },
    ]);
  });

  test('a file of another provider means nothing here, one of this dialect does', () => {
    const messages = [user({ kind: 'document', source: { kind: 'file', id: 'file-1' } })];
    assert.deepEqual(droppedOf({ messages }), ['messages[0].content[0]']);
    assert.deepEqual(bodyOf({ messages, dialect: 'openai-chat' }).messages, [
      { role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] },
    ]);
  });
});

describe('what a target cannot take', () => {
  const many = ['1', '2', '3', '4', '5'];
  const rows: readonly (readonly [what: string, request: Partial<ChatRequest>, where: Where, dropped: string[]])[] = [
    ['top_k at OpenAI', { sampling: { topK: 5 } }, {}, ['top_k']],
    ['top_k at Azure', { sampling: { topK: 5 } }, { profile: azureProfile }, ['top_k']],
    ['top_k at a compatible server', { sampling: { topK: 5 } }, { profile: compatibleProfile }, ['top_k']],
    ['a fifth stop sequence at OpenAI', { stop: many }, {}, ['stop']],
    ['a fifth stop sequence elsewhere', { stop: many }, { profile: compatibleProfile }, []],
    ['a temperature while it reasons', { sampling: { temperature: 0.2 } }, { upstreamName: 'o3' }, ['temperature']],
    ['a temperature of 1 while it reasons', { sampling: { temperature: 1 } }, { upstreamName: 'o3' }, []],
    [
      'a temperature where it need not reason',
      { sampling: { temperature: 0.2 }, thinking: { kind: 'disabled' } },
      { upstreamName: 'gpt-5.1' },
      [],
    ],
    ['effort of a model that does not reason', { thinking: { kind: 'effort', effort: 'high' } }, {}, ['reasoning_effort']],
    ['fields of another dialect', { extra: { container: 'c', inference_geo: 'eu' } }, {}, ['container', 'inference_geo']],
    ['fields of its own dialect', { extra: { service_tier: 'flex' }, dialect: 'openai-chat' }, {}, []],
    ['a second answer, which nobody would see', { choices: 2 }, {}, ['n']],
    ['citations', { messages: [user({ ...pdf, citations: true })] }, {}, ['citations']],
  ];
  for (const [what, request, where, dropped] of rows) {
    test(`${what}: ${dropped.length > 0 ? 'left out and named, or refused' : 'taken'}`, () => {
      assert.deepEqual(droppedOf(request, where), dropped);
      const strict = encoded(request, { ...where, dropUnsupported: false });
      assert.equal(strict.ok ? undefined : strict.failure.param, dropped[0]);
      if (!strict.ok) assert.match(strict.failure.message, new RegExp(`^\\w+ does not support ${dropped[0]}`));
    });
  }
});

describe('thinking becomes an effort', () => {
  const budget = (n: number): ThinkingRequest => ({ kind: 'budget', tokens: tokens(n) });
  const rows: readonly (readonly [thinking: ThinkingRequest, model: string, expected: string | undefined])[] = [
    [budget(1024), 'o3', 'low'],
    [budget(4096), 'o3', 'medium'],
    [budget(16_384), 'o3', 'high'],
    [{ kind: 'disabled' }, 'o3', 'low'],
    [{ kind: 'disabled' }, 'gpt-5', 'minimal'],
    [{ kind: 'disabled' }, 'gpt-5.1', 'none'],
    [{ kind: 'disabled' }, 'gpt-4o', undefined],
    [{ kind: 'adaptive' }, 'gpt-5', undefined],
    [{ kind: 'adaptive', effort: 'max' }, 'gpt-5.2', 'xhigh'],
    [{ kind: 'effort', effort: 'xhigh' }, 'gpt-5-mini', 'high'],
    [{ kind: 'effort', effort: 'minimal' }, 'gpt-5.1', 'none'],
  ];
  for (const [thinking, upstreamName, expected] of rows) {
    test(`${JSON.stringify(thinking)} at ${upstreamName} is ${expected}`, () =>
      assert.equal(bodyOf({ thinking }, { upstreamName }).reasoning_effort, expected));
  }

  test('at a model whose name says nothing only where its capabilities say so', () => {
    const thinking = budget(5000);
    assert.equal(bodyOf({ thinking }, { profile: compatibleProfile, upstreamName: 'qwen' }).reasoning_effort, undefined);
    assert.equal(
      bodyOf({ thinking }, { profile: compatibleProfile, upstreamName: 'qwen', reasons: true }).reasoning_effort,
      'medium',
    );
  });
});

describe('the limit of tokens goes by', () => {
  const rows: readonly (readonly [model: string, profile: Profile, field: string])[] = [
    ['gpt-4o', openAIProfile, 'max_tokens'],
    ['ft:gpt-4o-mini:acme', openAIProfile, 'max_tokens'],
    ['o4-mini', openAIProfile, 'max_completion_tokens'],
    ['gpt-5', openAIProfile, 'max_completion_tokens'],
    ['gpt-7-turbo', openAIProfile, 'max_completion_tokens'],
    ['my-deployment', azureProfile, 'max_completion_tokens'],
    ['gpt-4o', azureProfile, 'max_completion_tokens'],
    ['llama3', compatibleProfile, 'max_tokens'],
    ['openai/gpt-5', compatibleProfile, 'max_tokens'],
  ];
  for (const [upstreamName, profile, field] of rows) {
    test(`${field} for ${upstreamName} at ${profile.target}`, () =>
      assert.equal(bodyOf({ maxOutputTokens: tokens(9) }, { profile, upstreamName })[field], 9));
  }
});
