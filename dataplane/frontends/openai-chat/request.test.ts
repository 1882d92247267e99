// Chat completions bodies: the cheap look, and the whole request in neutral form.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ChatRequest } from '#core/chat/request.ts';
import { scanObject } from '#core/json/scan.ts';
import type { JsonView } from '#core/json/view.ts';
import { openAIChat } from './index.ts';

function viewOf(body: unknown): JsonView {
  const scanned = scanObject(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), {
    maxDepth: 64,
    interpreted: new Set(),
    isUtf8,
  });
  assert.ok(scanned.ok);
  return scanned.value;
}
const minimal = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };

function decoded(fields: Record<string, unknown>): ChatRequest {
  const result = openAIChat.decode(viewOf({ ...minimal, ...fields }));
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}
const messagesOf = (...messages: unknown[]) => decoded({ messages }).messages;
const userContent = (...content: unknown[]) => messagesOf({ role: 'user', content })[0]?.content;
function refusalOf(fields: Record<string, unknown>): unknown {
  const result = openAIChat.decode(viewOf({ ...minimal, ...fields }));
  return result.ok ? 'accepted' : [result.failure.class, result.failure.param];
}

describe('the cheap look', () => {
  const look = (body: unknown) => {
    const result = openAIChat.inspect(viewOf(body));
    return result.ok ? result.value : result.failure.param;
  };

  test('sees the model, the stream, and whether the usage is wanted', () => {
    const envelope = look({ ...minimal, stream: true, stream_options: { include_usage: true }, tags: ['a'] });
    assert.ok(typeof envelope === 'object');
    assert.deepEqual([envelope.model, envelope.stream, envelope.includeUsage, envelope.controls.tags], ['m', true, true, ['a']]);
    assert.deepEqual([...envelope.edits], [['tags', null]]);
  });

  test('takes null for absent', () => {
    const envelope = look({ ...minimal, stream: null, stream_options: null });
    assert.deepEqual(typeof envelope === 'object' && [envelope.stream, envelope.includeUsage], [false, false]);
  });

  const wrong: readonly (readonly [body: unknown, param: string])[] = [
    [{ messages: minimal.messages }, 'model'],
    [{ ...minimal, model: '' }, 'model'],
    [{ ...minimal, model: 7 }, 'model'],
    [{ ...minimal, model: 'm'.repeat(257) }, 'model'],
    [{ model: 'm' }, 'messages'],
    [{ model: 'm', messages: 'hi' }, 'messages'],
    [{ model: 'm', messages: {} }, 'messages'],
    [{ model: 'm', messages: [] }, 'messages'],
    ['{"model":"m","messages":[ \n\t ]}', 'messages'],
    [{ ...minimal, stream: 'true' }, 'stream'],
    [{ ...minimal, stream_options: true }, 'stream_options'],
    [{ ...minimal, stream_options: { include_usage: 1 } }, 'stream_options.include_usage'],
    [{ ...minimal, timeout: -1 }, 'timeout'],
  ];
  for (const [body, param] of wrong) {
    test(`refuses ${JSON.stringify(body).slice(0, 70)} for ${param}`, () => assert.equal(look(body), param));
  }
});

test('every field that has a neutral meaning', () => {
  const request = decoded({
    stream: true,
    max_tokens: 5,
    max_completion_tokens: 10,
    temperature: 0.5,
    top_p: 0.9,
    top_k: 4,
    frequency_penalty: 0.1,
    presence_penalty: 0.2,
    seed: -3,
    stop: 'END',
    logprobs: true,
    top_logprobs: 2,
    n: 2,
    reasoning_effort: 'high',
    parallel_tool_calls: false,
    user: 'u',
    response_format: { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object' }, strict: true } },
    tools: [{ type: 'function', function: { name: 'f', description: 'd', parameters: { type: 'object' }, strict: null } }],
    tool_choice: { type: 'function', function: { name: 'f' } },
  });
  assert.deepEqual(request, {
    dialect: 'openai-chat',
    model: 'm',
    messages: [{ role: 'user', content: [{ kind: 'text', text: 'hi' }] }],
    tools: [{ name: 'f', description: 'd', parameters: { type: 'object' } }],
    toolChoice: { kind: 'tool', name: 'f' },
    parallelToolCalls: false,
    output: { kind: 'json-schema', name: 's', schema: { type: 'object' }, strict: true },
    thinking: { kind: 'effort', effort: 'high' },
    sampling: { temperature: 0.5, topP: 0.9, topK: 4, frequencyPenalty: 0.1, presencePenalty: 0.2, seed: -3 },
    maxOutputTokens: 10,
    stop: ['END'],
    logprobs: { top: 2 },
    choices: 2,
    stream: true,
    user: 'u',
    extra: {},
  });
});

test('fields of this dialect alone are kept by name; our controls and nulls are not', () => {
  const { extra } = decoded({
    logit_bias: { '1': 2 },
    service_tier: 'flex',
    store: null,
    metadata: { tags: ['a'], team: 'red' },
    tags: ['b'],
    num_retries: 1,
    cache: {},
    stream_options: { include_usage: true },
  });
  assert.deepEqual(extra, { logit_bias: { '1': 2 }, service_tier: 'flex', metadata: { team: 'red' } });
});

describe('messages', () => {
  test('of every role', () => {
    const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"x": 1}' } };
    const messages = messagesOf(
      { role: 'system', content: 's' },
      { role: 'developer', content: [{ type: 'text', text: 'd' }] },
      { role: 'user', name: 'ann', content: 'u' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: [{ type: 'text', text: 'r' }] },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'a' },
          { type: 'refusal', refusal: 'no' },
        ],
      },
      { role: 'assistant', content: 'b', refusal: null, reasoning_content: 'hm' },
    );
    assert.deepEqual(messages, [
      { role: 'system', content: [{ kind: 'text', text: 's' }] },
      { role: 'system', content: [{ kind: 'text', text: 'd' }] },
      { role: 'user', name: 'ann', content: [{ kind: 'text', text: 'u' }] },
      { role: 'assistant', content: [{ kind: 'tool-call', id: 'c1', name: 'f', arguments: '{"x": 1}' }] },
      { role: 'tool', callId: 'c1', content: [{ kind: 'text', text: 'r' }] },
      {
        role: 'assistant',
        content: [
          { kind: 'text', text: 'a' },
          { kind: 'refusal', text: 'no' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { kind: 'thinking', text: 'hm' },
          { kind: 'text', text: 'b' },
        ],
      },
    ]);
  });

  test('of 2023 have calls and results that fit each other', () => {
    const turn = [
      { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
      { role: 'function', name: 'f', content: 'r' },
    ];
    const ids = messagesOf(...turn, ...turn, ...turn).map(message => {
      if (message.role === 'tool') return message.callId;
      const [part] = message.content;
      return part?.kind === 'tool-call' ? part.id : undefined;
    });
    assert.deepEqual(ids, ['call_0_f', 'call_0_f', 'call_1_f', 'call_1_f', 'call_2_f', 'call_2_f']);
  });

  test('with parts of every kind', () => {
    const content = userContent(
      { type: 'text', text: 't', cache_control: { type: 'ephemeral', ttl: '1h' } },
      { type: 'text', text: 'p', prompt_cache_breakpoint: { mode: 'explicit' } },
      { type: 'image_url', image_url: { url: 'https://x/y.png', detail: 'low' } },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
      { type: 'input_audio', input_audio: { format: 'wav', data: 'AA' } },
      { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,BBBB' } },
      { type: 'file', file: { file_data: 'CCCC' } },
      { type: 'file', file: { file_data: 'data:text/plain;charset=utf-8;base64,Ym9keQ==' } },
      { type: 'file', file: { file_id: 'file-1' } },
    );
    assert.deepEqual(content, [
      { kind: 'text', text: 't', cache: { ttl: '1h' } },
      { kind: 'text', text: 'p', cache: {} },
      { kind: 'image', source: { kind: 'url', url: 'https://x/y.png' }, detail: 'low' },
      { kind: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' } },
      { kind: 'audio', format: 'wav', data: 'AA' },
      { kind: 'document', title: 'a.pdf', source: { kind: 'base64', mediaType: 'application/pdf', data: 'BBBB' } },
      { kind: 'document', source: { kind: 'base64', mediaType: 'application/pdf', data: 'CCCC' } },
      { kind: 'document', source: { kind: 'text', text: 'body' } },
      { kind: 'document', source: { kind: 'file', id: 'file-1' } },
    ]);
  });
});

describe('tools', () => {
  const tools = ['f', 'g'].map(name => ({ type: 'function', function: { name } }));

  test('allowed_tools means as if only those had been sent', () => {
    const tool_choice = {
      type: 'allowed_tools',
      allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'g' } }] },
    };
    const request = decoded({ tools, tool_choice });
    assert.deepEqual([request.tools, request.toolChoice], [[{ name: 'g' }], { kind: 'required' }]);
  });

  test('of 2023 are tools as well', () => {
    const request = decoded({ functions: [{ name: 'f', parameters: {} }], function_call: { name: 'f' } });
    assert.deepEqual([request.tools, request.toolChoice], [[{ name: 'f', parameters: {} }], { kind: 'tool', name: 'f' }]);
  });

  for (const kind of ['auto', 'none', 'required']) {
    test(`the choice ${kind}`, () => assert.deepEqual(decoded({ tools, tool_choice: kind }).toolChoice, { kind }));
  }
});

test('an effort of none means not to think', () =>
  assert.deepEqual(decoded({ reasoning_effort: 'none' }).thinking, { kind: 'disabled' }));

describe('what is wrong is named by its path', () => {
  const inMessage = (message: unknown) => ({ messages: [minimal.messages[0], message] });
  const inPart = (part: unknown) => inMessage({ role: 'user', content: [{ type: 'text', text: 'a' }, part] });
  const inCall = (call: unknown) => inMessage({ role: 'assistant', tool_calls: [call] });
  const invalid: readonly (readonly [fields: Record<string, unknown>, param: string])[] = [
    [{ messages: [7] }, 'messages[0]'],
    [inMessage({ role: 'robot', content: 'x' }), 'messages[1].role'],
    [inMessage({ role: 'user' }), 'messages[1].content'],
    [inMessage({ role: 'user', content: 7 }), 'messages[1].content'],
    [inMessage({ role: 'tool', content: 'x' }), 'messages[1].tool_call_id'],
    [inMessage({ role: 'system', content: [{ type: 'image_url', image_url: { url: 'x' } }] }), 'messages[1].content[0].type'],
    [inPart({ type: 'text' }), 'messages[1].content[1].text'],
    [inPart({ type: 'image_url', image_url: {} }), 'messages[1].content[1].image_url.url'],
    [inPart({ type: 'image_url', image_url: { url: 'data:image/png,AAAA' } }), 'messages[1].content[1].image_url.url'],
    [inPart({ type: 'file', file: {} }), 'messages[1].content[1].file.file_data'],
    [inCall({ function: { name: 'f', arguments: '{}' } }), 'messages[1].tool_calls[0].id'],
    [inCall({ id: 'a', function: { name: 'f', arguments: {} } }), 'messages[1].tool_calls[0].function.arguments'],
    [{ tools: {} }, 'tools'],
    [{ tools: [{ type: 'function', function: {} }] }, 'tools[0].function.name'],
    [{ tools: [{}] }, 'tools[0].type'],
    [{ tool_choice: 'maybe' }, 'tool_choice'],
    [{ tool_choice: {} }, 'tool_choice.type'],
    [{ response_format: { type: { json_schema: {} } } }, 'response_format.type'],
    [inPart({ type: 7 }), 'messages[1].content[1].type'],
    [{ temperature: '1' }, 'temperature'],
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ stop: [1] }, 'stop[0]'],
    [{ n: 0 }, 'n'],
    [{ reasoning_effort: 'extreme' }, 'reasoning_effort'],
    [{ response_format: { type: 'json_schema', json_schema: {} } }, 'response_format.json_schema.name'],
  ];
  for (const [fields, param] of invalid) test(param, () => assert.deepEqual(refusalOf(fields), ['invalid_request', param]));

  const untranslatable: readonly (readonly [fields: Record<string, unknown>, param: string])[] = [
    [inPart({ type: 'video_url', video_url: {} }), 'messages[1].content[1].type'],
    [inCall({ id: 'a', type: 'custom', custom: { name: 'f', input: 'x' } }), 'messages[1].tool_calls[0].type'],
    [inMessage({ role: 'assistant', audio: { id: 'audio_1' } }), 'messages[1].audio'],
    [{ tools: [{ type: 'custom', custom: { name: 'f' } }] }, 'tools[0].type'],
    [{ tool_choice: { type: 'custom', custom: { name: 'f' } } }, 'tool_choice.type'],
    [{ response_format: { type: 'grammar' } }, 'response_format.type'],
  ];
  for (const [fields, param] of untranslatable)
    test(`${param}, which has no neutral form`, () => assert.deepEqual(refusalOf(fields), ['unsupported_parameter', param]));
});

test('no body makes the decoder throw', () => {
  const loose = fc.oneof(fc.jsonValue(), fc.constantFrom('auto', null, [], {}));
  const message = fc.record(
    {
      role: fc.constantFrom('system', 'user', 'assistant', 'tool', 'function', 'x'),
      content: loose,
      tool_calls: loose,
      function_call: loose,
      name: loose,
      tool_call_id: loose,
      refusal: loose,
    },
    { requiredKeys: [] },
  );
  const body = fc.record(
    {
      model: loose,
      messages: fc.oneof(fc.array(message), loose),
      tools: loose,
      tool_choice: loose,
      functions: loose,
      response_format: loose,
      stop: loose,
      seed: loose,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(body, value => {
      const view = viewOf(value);
      openAIChat.inspect(view);
      openAIChat.decode(view);
    }),
    { numRuns: 300 },
  );
});
