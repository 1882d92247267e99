import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import { UNSIGNED } from '#core/chat/foreign.ts';
import type { ChatRequest } from '#core/chat/request.ts';
import type { Parsed } from '#core/failure.ts';
import { scanObject } from '#core/json/scan.ts';
import type { JsonView } from '#core/json/view.ts';
import type { Envelope } from '../frontend.ts';
import { anthropicMessages, countTokens } from './index.ts';

function viewOf(body: object): JsonView {
  const view = scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 100, interpreted: new Set(), isUtf8 });
  assert.ok(view.ok);
  return view.value;
}
const minimal = { model: 'claude', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] };
const inspect = (fields: object): Parsed<Envelope> => anthropicMessages.inspect(viewOf({ ...minimal, ...fields }));

function decoded(fields: object): ChatRequest {
  const request = anthropicMessages.decode(viewOf({ ...minimal, ...fields }));
  assert.ok(request.ok, request.ok ? '' : request.failure.message);
  return request.value;
}
function fault<T>(result: Parsed<T>): readonly [string, string | undefined] {
  assert.ok(!result.ok);
  return [result.failure.class, result.failure.param];
}
const faultOf = (fields: object) => fault(anthropicMessages.decode(viewOf({ ...minimal, ...fields })));
const messagesOf = (...messages: object[]) => decoded({ messages }).messages;

describe('the envelope', () => {
  test('holds the model, the stream flag and the end user', () => {
    const envelope = inspect({ stream: true, metadata: { user_id: 'u-1' } });
    assert.ok(envelope.ok);
    const { model, stream, includeUsage, controls, edits } = envelope.value;
    assert.deepEqual([model, stream, includeUsage, controls.user, edits.size], ['claude', true, true, 'u-1', 0]);
  });

  test('takes our controls out of the body, a top-level user among them', () => {
    const envelope = inspect({ user: 'u-2', num_retries: 1, metadata: { tags: ['a'], user_id: 'u-1' } });
    assert.ok(envelope.ok);
    assert.equal(envelope.value.controls.user, 'u-1');
    assert.deepEqual([...envelope.value.edits].sort(), [
      ['metadata', '{"user_id":"u-1"}'],
      ['num_retries', null],
      ['user', null],
    ]);
  });

  const refused: readonly [object, string][] = [
    [{ model: '' }, 'model'],
    [{ model: 3 }, 'model'],
    [{ max_tokens: undefined }, 'max_tokens'],
    [{ max_tokens: -1 }, 'max_tokens'],
    [{ max_tokens: '10' }, 'max_tokens'],
    [{ messages: [] }, 'messages'],
    [{ messages: {} }, 'messages'],
    [{ messages: undefined }, 'messages'],
    [{ stream: 'yes' }, 'stream'],
  ];
  for (const [fields, param] of refused) {
    test(`${JSON.stringify(fields)} is refused by the name of the field`, () => {
      assert.deepEqual(fault(inspect(fields)), ['invalid_request', param]);
    });
  }

  test('may ask for no output at all, which fills the cache', () => {
    assert.ok(inspect({ max_tokens: 0 }).ok);
  });

  test('needs no max_tokens to count tokens', () => {
    const { max_tokens: _none, ...body } = minimal;
    assert.ok(countTokens.inspect(viewOf(body)).ok);
  });
});

describe('a conversation', () => {
  test('keeps system prompts where they stand, string or blocks', () => {
    const system = [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } }];
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'system', content: 'Be kind.' },
    ];
    assert.deepEqual(decoded({ system, messages }).messages, [
      { role: 'system', content: [{ kind: 'text', text: 'Be brief.', cache: { ttl: '1h' } }] },
      { role: 'user', content: [{ kind: 'text', text: 'Hi' }] },
      { role: 'system', content: [{ kind: 'text', text: 'Be kind.' }] },
    ]);
    assert.deepEqual(decoded({ system: 'Be brief.' }).messages[0], {
      role: 'system',
      content: [{ kind: 'text', text: 'Be brief.' }],
    });
  });

  test('yields one message for each tool result, before the rest of the turn', () => {
    const content = [
      { type: 'text', text: 'And now?' },
      { type: 'tool_result', tool_use_id: 'a', content: 'one', is_error: true },
      {
        type: 'tool_result',
        tool_use_id: 'b',
        content: [
          { type: 'text', text: 'two' },
          { type: 'image', source: { type: 'url', url: 'https://example.com/x.png' } },
        ],
        cache_control: { type: 'ephemeral' },
      },
      { type: 'tool_result', tool_use_id: 'c' },
    ];
    assert.deepEqual(messagesOf({ role: 'user', content }), [
      { role: 'tool', callId: 'a', content: [{ kind: 'text', text: 'one' }], isError: true },
      {
        role: 'tool',
        callId: 'b',
        content: [
          { kind: 'text', text: 'two' },
          { kind: 'image', source: { kind: 'url', url: 'https://example.com/x.png' } },
        ],
        cache: {},
      },
      { role: 'tool', callId: 'c', content: [] },
      { role: 'user', content: [{ kind: 'text', text: 'And now?' }] },
    ]);
  });

  test('yields thinking with its signature, ours taken off, and calls with their arguments as text', () => {
    const content = [
      { type: 'thinking', thinking: 'a', signature: 'sig' },
      { type: 'thinking', thinking: 'b', signature: UNSIGNED },
      { type: 'redacted_thinking', data: 'x' },
      { type: 'text', text: 'Hello' },
      { type: 'server_tool_use', id: 's', name: 'web_search', input: {} },
      { type: 'web_search_tool_result', tool_use_id: 's', content: [] },
      { type: 'tool_use', id: 't', name: 'f', input: { a: [1] } },
    ];
    assert.deepEqual(messagesOf({ role: 'assistant', content })[0]?.content, [
      { kind: 'thinking', text: 'a', signature: 'sig' },
      { kind: 'thinking', text: 'b' },
      { kind: 'redacted-thinking', data: 'x' },
      { kind: 'text', text: 'Hello' },
      { kind: 'tool-call', id: 't', name: 'f', arguments: '{"a":[1]}' },
    ]);
  });

  test('yields images and documents of every source', () => {
    const document = (source: object, rest: object = {}) => ({ type: 'document', source, ...rest });
    const content = [
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
      { type: 'image', source: { type: 'file', file_id: 'file_1' } },
      document(
        { type: 'base64', media_type: 'application/pdf', data: 'JVBE' },
        { title: 'T', context: 'C', citations: { enabled: true } },
      ),
      document({ type: 'text', media_type: 'text/plain', data: 'plain' }),
      document({
        type: 'content',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      }),
      document({ type: 'content', content: 'c' }),
      document({ type: 'url', url: 'https://example.com/a.pdf' }),
    ];
    assert.deepEqual(messagesOf({ role: 'user', content })[0]?.content, [
      { kind: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' } },
      { kind: 'image', source: { kind: 'file', id: 'file_1' } },
      {
        kind: 'document',
        source: { kind: 'base64', mediaType: 'application/pdf', data: 'JVBE' },
        title: 'T',
        context: 'C',
        citations: true,
      },
      { kind: 'document', source: { kind: 'text', text: 'plain' } },
      { kind: 'document', source: { kind: 'text', text: 'a\nb' } },
      { kind: 'document', source: { kind: 'text', text: 'c' } },
      { kind: 'document', source: { kind: 'url', url: 'https://example.com/a.pdf' } },
    ]);
  });

  test('does not lose what only this dialect knows: it is kept by its path', () => {
    const found = { type: 'search_result', title: 'T' };
    const search = { type: 'web_search_20260318', name: 'web_search' };
    const { extra, tools, messages } = decoded({
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'Hi' }, found, { type: 'image', source: { type: 'of_tomorrow' } }] },
      ],
      output_config: { format: { type: 'grammar' } },
      tools: [search, { name: 'f', input_schema: { type: 'object' } }],
      container: 'c-1',
      service_tier: 'auto',
      thinking: { type: 'between_tools' },
    });
    assert.deepEqual(extra, {
      'messages[0].content[1]': found,
      'messages[0].content[2].source': { type: 'of_tomorrow' },
      'output_config.format': { type: 'grammar' },
      'tools[0]': search,
      container: 'c-1',
      service_tier: 'auto',
      thinking: { type: 'between_tools' },
    });
    assert.deepEqual([tools.length, messages[0]?.content.length], [1, 1]);
  });
});

describe('the other fields', () => {
  test('have their neutral meaning', () => {
    const request = decoded({
      stream: true,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
      stop_sequences: ['END'],
      metadata: { user_id: 'u-1' },
      tools: [
        {
          name: 'f',
          description: 'F',
          input_schema: { type: 'object' },
          strict: true,
          cache_control: { type: 'ephemeral', ttl: '5m' },
          type: 'custom',
        },
      ],
      cache_control: { type: 'ephemeral' },
      num_retries: 3,
      user: 'ours',
    });
    const { messages: _messages, body, ...rest } = request;
    assert.deepEqual(rest, {
      dialect: 'anthropic-messages',
      model: 'claude',
      tools: [{ name: 'f', description: 'F', parameters: { type: 'object' }, strict: true, cache: { ttl: '5m' } }],
      sampling: { temperature: 0.5, topP: 0.9, topK: 40 },
      maxOutputTokens: 10,
      stop: ['END'],
      stream: true,
      user: 'u-1',
      extra: {},
    });
    assert.equal('num_retries' in body! || 'user' in body!, false, 'our controls reach no upstream');
    assert.deepEqual(body?.cache_control, { type: 'ephemeral' });
  });

  const choices: readonly [object, object][] = [
    [{ type: 'auto' }, { toolChoice: { kind: 'auto' } }],
    [
      { type: 'any', disable_parallel_tool_use: true },
      { toolChoice: { kind: 'required' }, parallelToolCalls: false },
    ],
    [{ type: 'none' }, { toolChoice: { kind: 'none' } }],
    [{ type: 'tool', name: 'f', disable_parallel_tool_use: false }, { toolChoice: { kind: 'tool', name: 'f' } }],
  ];
  for (const [wire, neutral] of choices) {
    test(`the tool choice ${JSON.stringify(wire)}`, () => {
      const { toolChoice, parallelToolCalls } = decoded({ tool_choice: wire });
      assert.deepEqual({ toolChoice, ...(parallelToolCalls !== undefined && { parallelToolCalls }) }, neutral);
    });
  }

  test('an output format stands in output_config, and stood in output_format', () => {
    const format = { type: 'json_schema', schema: { type: 'object' } };
    const output = { kind: 'json-schema', name: 'response', schema: { type: 'object' }, strict: true };
    assert.deepEqual(decoded({ output_config: { format } }).output, output);
    assert.deepEqual(decoded({ output_format: format }).output, output);
  });

  const thoughts: readonly [object, object | undefined][] = [
    [{ thinking: { type: 'enabled', budget_tokens: 2048 } }, { kind: 'budget', tokens: 2048 }],
    [{ thinking: { type: 'disabled' } }, { kind: 'disabled' }],
    [
      { thinking: { type: 'adaptive' }, output_config: { effort: 'max' } },
      { kind: 'adaptive', effort: 'max' },
    ],
    [{ thinking: { type: 'adaptive' } }, { kind: 'adaptive' }],
    [{ output_config: { effort: 'low' } }, { kind: 'effort', effort: 'low' }],
    [{}, undefined],
  ];
  for (const [fields, thinking] of thoughts) {
    test(`the thinking of ${JSON.stringify(fields)}`, () => assert.deepEqual(decoded(fields).thinking, thinking));
  }
});

describe('a fault', () => {
  const turn = (content: unknown, role = 'user') => ({ messages: [{ role, content }] });
  const faults: readonly [object, string][] = [
    [turn('x', 'robot'), 'messages[0].role'],
    [turn(3), 'messages[0].content'],
    [{ messages: ['x'] }, 'messages[0]'],
    [turn([{ text: 'x' }]), 'messages[0].content[0].type'],
    [turn([{ type: 'text' }]), 'messages[0].content[0].text'],
    [turn([{ type: 'image', source: { type: 'base64', media_type: 'image/png' } }]), 'messages[0].content[0].source.data'],
    [turn([{ type: 'image', source: {} }]), 'messages[0].content[0].source.type'],
    [turn([{ type: 'tool_result' }]), 'messages[0].content[0].tool_use_id'],
    [turn([{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text' }] }]), 'messages[0].content[0].content[0].text'],
    [turn([{ type: 'tool_use', id: 't', name: 'f', input: '{}' }], 'assistant'), 'messages[0].content[0].input'],
    [turn([{ type: 'thinking' }], 'assistant'), 'messages[0].content[0].thinking'],
    [{ system: 3 }, 'system'],
    [{ tools: [{ input_schema: {} }] }, 'tools[0].name'],
    [{ tool_choice: { type: 'x' } }, 'tool_choice.type'],
    [{ tool_choice: { type: 'tool' } }, 'tool_choice.name'],
    [{ stop_sequences: [3] }, 'stop_sequences[0]'],
    [{ temperature: '1' }, 'temperature'],
    [{ thinking: { type: 'enabled' } }, 'thinking.budget_tokens'],
    [{ output_config: { effort: 'extreme' } }, 'output_config.effort'],
    [{ output_config: { format: {} } }, 'output_config.format.type'],
    [{ metadata: { user_id: 3 } }, 'metadata.user_id'],
    [{ max_tokens: 0 }, 'max_tokens'],
  ];
  for (const [fields, param] of faults) {
    test(`in ${JSON.stringify(fields)} is told by its path ${param}`, () => {
      assert.deepEqual(faultOf(fields), ['invalid_request', param]);
    });
  }
});

describe('a token count', () => {
  const bytes = async (text: string) => text.length;

  test('counts texts, tools and calls, and has fixed figures for what is no text', async () => {
    const request = decoded({
      system: 'abc',
      tools: [{ name: 'f', input_schema: {} }],
      messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url: 'https://example.com/x.png' } }] }],
    });
    // 4 for each of two messages, 1600 for the image, 346 + 12 for the tool, and the characters of "abc", "f", "", "{}" and 3 separators
    assert.equal(await countTokens.estimate(request, bytes), 4 + 4 + 1600 + 346 + 12 + 'abc\nf\n\n{}'.length);
  });

  test('grows with the size of a PDF', async () => {
    const pdf = (chars: number) =>
      decoded({
        messages: [
          {
            role: 'user',
            content: [{ type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'A'.repeat(chars) } }],
          },
        ],
      });
    const [small, large] = await Promise.all([countTokens.estimate(pdf(10), bytes), countTokens.estimate(pdf(500_000), bytes)]);
    assert.ok(small >= 1500 && large >= 5 * small);
  });

  test('is answered as Anthropic does', async () => {
    assert.equal(countTokens.encode(await countTokens.estimate(decoded({}), bytes)), '{"input_tokens":6}');
  });
});
