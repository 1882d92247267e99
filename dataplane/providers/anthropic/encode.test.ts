import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UNSIGNED } from '#core/chat/foreign.ts';
import type { AssistantPart, ChatRequest, Message, UserPart } from '#core/chat/request.ts';
import { aRequest } from '#core/chat/testing.ts';
import { tokens } from '#core/units.ts';
import type { EncodedRequest } from '../provider.ts';
import { anthropic } from './index.ts';
import { targetOf } from './testing.ts';

type Choice = Parameters<typeof targetOf>[0];

function encoded(fields: Partial<ChatRequest>, choice?: Choice): EncodedRequest {
  const result = anthropic.encode(aRequest(fields), targetOf(choice));
  assert.ok(result.ok, result.ok ? '' : result.failure.message);
  return result.value;
}
const bodyOf = (fields: Partial<ChatRequest>, choice?: Choice) => encoded(fields, choice).body;

function failureOf(fields: Partial<ChatRequest>, choice?: Choice) {
  const result = anthropic.encode(aRequest(fields), targetOf(choice));
  assert.ok(!result.ok);
  return result.failure;
}

const say = (text: string) => ({ kind: 'text', text }) as const;
const user = (...content: UserPart[]): Message => ({ role: 'user', content });
const assistant = (...content: AssistantPart[]): Message => ({ role: 'assistant', content });
const result = (callId: string, text: string): Message => ({ role: 'tool', callId, content: [say(text)] });
const call = (id: string, json: string): AssistantPart => ({ kind: 'tool-call', id, name: 'look_up', arguments: json });

describe('messages', () => {
  test('system messages are hoisted, with their cache marks', () => {
    const messages: Message[] = [
      { role: 'system', content: [{ kind: 'text', text: 'Be brief.', cache: { ttl: '1h' } }] },
      user(say('Hi')),
      { role: 'system', content: [say('Be kind.')] },
    ];
    assert.deepEqual(bodyOf({ messages }), {
      model: 'claude-opus-5',
      max_tokens: 4096,
      system: [
        { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } },
        { type: 'text', text: 'Be kind.' },
      ],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
    });
  });

  test('a conversation of system messages alone becomes a turn of the user', () => {
    const body = bodyOf({ messages: [{ role: 'system', content: [say('Say hello.')] }] });
    assert.deepEqual(body.messages, [{ role: 'user', content: [{ type: 'text', text: 'Say hello.' }] }]);
    assert.equal('system' in body, false);
  });

  test('results and what the user says with them share one turn, results first', () => {
    const messages = [
      user(say('Compare')),
      assistant(say('Looking.'), call('call_1', '{"q":1}'), call('call_2', '')),
      user(say('quickly, please')),
      result('call_1', 'one'),
      { ...result('call_2', ''), isError: true } as Message,
    ];
    assert.deepEqual(bodyOf({ messages }).messages, [
      { role: 'user', content: [{ type: 'text', text: 'Compare' }] },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'Looking.' },
          { type: 'tool_use', id: 'call_1', name: 'look_up', input: { q: 1 } },
          { type: 'tool_use', id: 'call_2', name: 'look_up', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'call_1', content: [{ type: 'text', text: 'one' }] },
          { type: 'tool_result', tool_use_id: 'call_2', is_error: true },
          { type: 'text', text: 'quickly, please' },
        ],
      },
    ]);
  });

  test('ids that Anthropic refuses are replaced alike in the call and in its result, and stay apart', () => {
    const messages = [assistant(call('a.b', ''), call('a:b', '')), result('a.b', 'x'), result('a:b', 'y')];
    const [turn, answer] = bodyOf({ messages }).messages as { content: Record<string, string>[] }[];
    const calls = turn!.content.map(block => block.id!);
    assert.deepEqual(
      calls,
      answer!.content.map(block => block.tool_use_id),
    );
    assert.notEqual(calls[0], calls[1]);
    for (const id of calls) assert.match(id, /^[a-zA-Z0-9_-]+$/);
  });

  test('arguments that are not the JSON of an object are refused, with their path', () => {
    for (const json of ['{"a":', '[1]', 'null', '"text"']) {
      const messages = [user(say('Hi')), assistant(say('x'), call('c', '{}'), call('d', json))];
      const { class: cls, param } = failureOf({ messages });
      assert.deepEqual([cls, param], ['invalid_request', 'messages[1].tool_calls[1].function.arguments']);
    }
  });

  test('thinking of another provider is left out of the history, signed thinking stays', () => {
    const messages = [
      user(say('Hi')),
      assistant(
        { kind: 'thinking', text: 'foreign' },
        { kind: 'thinking', text: 'foreign too', signature: UNSIGNED },
        { kind: 'thinking', text: 'mine', signature: 'sig' },
        { kind: 'redacted-thinking', data: 'secret' },
        { kind: 'refusal', text: 'I cannot.' },
      ),
      user(say('Why?')),
    ];
    assert.deepEqual((bodyOf({ messages }).messages as { content: unknown }[])[1]?.content, [
      { type: 'thinking', thinking: 'mine', signature: 'sig' },
      { type: 'redacted_thinking', data: 'secret' },
      { type: 'text', text: 'I cannot.' },
    ]);
  });

  test('empty texts go, a turn of which nothing is left goes, and its neighbours merge', () => {
    const messages = [user(say('a'), say('')), assistant(say('')), user(say('b'))];
    assert.deepEqual(bodyOf({ messages }).messages, [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
    ]);
  });

  test('a prefill does not end in white space', () => {
    const turns = (...parts: AssistantPart[]) =>
      bodyOf({ messages: [user(say('Hi')), assistant(...parts)] }).messages as unknown[];
    assert.deepEqual(turns(say('The answer is \n'))[1], {
      role: 'assistant',
      content: [{ type: 'text', text: 'The answer is' }],
    });
    assert.equal(turns(say('  ')).length, 1);
  });

  test('images and documents keep their sources', () => {
    const content: UserPart[] = [
      { kind: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' }, cache: {} },
      { kind: 'image', source: { kind: 'url', url: 'https://example.com/a.jpg' } },
      {
        kind: 'document',
        source: { kind: 'base64', mediaType: 'application/pdf', data: 'JVBE' },
        title: 'T',
        context: 'C',
        citations: true,
      },
      { kind: 'document', source: { kind: 'base64', mediaType: 'text/csv', data: 'YSxi' } },
      { kind: 'document', source: { kind: 'text', text: 'plain' } },
      { kind: 'document', source: { kind: 'file', id: 'file_011C' } },
    ];
    assert.deepEqual((bodyOf({ messages: [user(...content)] }).messages as { content: unknown }[])[0]?.content, [
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' }, cache_control: { type: 'ephemeral' } },
      { type: 'image', source: { type: 'url', url: 'https://example.com/a.jpg' } },
      {
        type: 'document',
        source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' },
        title: 'T',
        context: 'C',
        citations: { enabled: true },
      },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a,b' } },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'plain' } },
      { type: 'document', source: { type: 'file', file_id: 'file_011C' } },
    ]);
  });

  test('what a message says besides its content has no place, and is named', () => {
    const image = { kind: 'image', source: { kind: 'url', url: 'https://x.test/a.png' } } as const;
    const messages: Message[] = [
      {
        role: 'user',
        name: 'ann',
        content: [
          { ...image, detail: 'high' },
          { ...image, detail: 'auto' },
        ],
      },
      { role: 'assistant', name: 'bob', content: [say('Hi')] },
    ];
    assert.deepEqual(encoded({ messages }).dropped, ['messages[0].name', 'messages[0].content[0].detail', 'messages[1].name']);
  });

  test('what Anthropic has no block for is dropped by its path, or refused by its path', () => {
    const content: UserPart[] = [
      say('Hi'),
      { kind: 'audio', format: 'wav', data: 'AAAA' },
      { kind: 'image', source: { kind: 'base64', mediaType: 'image/tiff', data: 'AAAA' } },
      { kind: 'document', source: { kind: 'file', id: 'file-of-another' } },
    ];
    const messages = [user(...content)];
    assert.deepEqual(encoded({ messages }).dropped, [
      'messages[0].content[1]',
      'messages[0].content[2]',
      'messages[0].content[3]',
    ]);
    const failure = failureOf({ messages }, { dropUnsupported: false });
    assert.equal(failure.class, 'unsupported_parameter');
    assert.equal(failure.param, 'messages[0].content[1]');
    assert.match(failure.message, /model claude of the provider anthropic/);
  });
});

describe('tools and output', () => {
  const tool = { name: 'look_up', description: 'Looks up', parameters: { properties: { q: { type: 'string' } } }, strict: true };

  test('a tool has an object schema, and strictness where the model knows it', () => {
    assert.deepEqual(bodyOf({ tools: [tool] }).tools, [
      {
        name: 'look_up',
        description: 'Looks up',
        input_schema: { type: 'object', properties: { q: { type: 'string' } } },
        strict: true,
      },
    ]);
    const old = encoded({ tools: [tool] }, { upstreamName: 'claude-sonnet-4-20250514' });
    assert.equal('strict' in (old.body.tools as object[])[0]!, false);
    assert.deepEqual(old.dropped, ['tools[0].strict']);
  });

  const choices: readonly [Partial<ChatRequest>, unknown][] = [
    [{}, undefined],
    [{ toolChoice: { kind: 'auto' } }, { type: 'auto' }],
    [{ toolChoice: { kind: 'required' } }, { type: 'any' }],
    [{ toolChoice: { kind: 'none' }, parallelToolCalls: false }, { type: 'none' }],
    [{ parallelToolCalls: false }, { type: 'auto', disable_parallel_tool_use: true }],
    [
      { toolChoice: { kind: 'tool', name: 'look_up' }, parallelToolCalls: false },
      { type: 'tool', name: 'look_up', disable_parallel_tool_use: true },
    ],
  ];
  for (const [fields, wire] of choices) {
    test(`${JSON.stringify(fields)} is the tool choice ${JSON.stringify(wire)}`, () => {
      assert.deepEqual(bodyOf({ ...fields, tools: [tool] }).tool_choice, wire);
    });
  }

  test('a tool choice without tools is not sent', () => {
    assert.equal('tool_choice' in bodyOf({ toolChoice: { kind: 'auto' } }), false);
  });

  test('a schema is closed at every object, and JSON without a schema has no equivalent', () => {
    const schema = { type: 'object', properties: { list: { type: 'array', items: { type: 'object', properties: {} } } } };
    assert.deepEqual(bodyOf({ output: { kind: 'json-schema', name: 'x', schema } }).output_config, {
      format: {
        type: 'json_schema',
        schema: {
          type: 'object',
          properties: { list: { type: 'array', items: { type: 'object', properties: {}, additionalProperties: false } } },
          additionalProperties: false,
        },
      },
    });
    assert.deepEqual(encoded({ output: { kind: 'json-object' } }).dropped, ['response_format']);
  });
});

describe('sampling and the rest', () => {
  const sampling = { temperature: 0.5, topP: 0.9, topK: 40 };

  test('an old model takes all sampling parameters, a middle one not temperature with top_p, a new one none', () => {
    const dropped = (upstreamName: string) => encoded({ sampling }, { upstreamName }).dropped;
    assert.deepEqual(dropped('claude-3-5-sonnet-20241022'), []);
    assert.deepEqual(dropped('claude-sonnet-4-5-20250929'), ['top_p']);
    assert.deepEqual(dropped('claude-opus-4-7'), ['temperature', 'top_p', 'top_k']);
    assert.deepEqual(dropped('claude-fable-5-1'), ['temperature', 'top_p', 'top_k']);
  });

  test('a provider pinned to the newest version gets none, whatever the model', () => {
    const choice = { upstreamName: 'claude-sonnet-4-5', version: '2026-10-21' };
    assert.deepEqual(encoded({ sampling: { temperature: 1 } }, choice).dropped, ['temperature']);
  });

  test('a temperature above 1 is out of range', () => {
    assert.deepEqual(encoded({ sampling: { temperature: 1.5 } }, { upstreamName: 'claude-3-haiku-20240307' }).dropped, [
      'temperature',
    ]);
  });

  test('sampling goes when the model thinks', () => {
    const fields = { sampling: { temperature: 0.2 }, thinking: { kind: 'budget', tokens: tokens(2000) } } as const;
    assert.deepEqual(encoded(fields, { upstreamName: 'claude-sonnet-4-5' }).dropped, ['temperature']);
  });

  test('what has no equivalent is named, in the words of the client', () => {
    const { dropped, body } = encoded({
      sampling: { frequencyPenalty: 1, presencePenalty: 1, seed: 7 },
      logprobs: { top: 2 },
      choices: 2,
      stop: ['END', '\n'],
      extra: { store: true },
    });
    assert.deepEqual(dropped, ['stop', 'frequency_penalty', 'presence_penalty', 'seed', 'logprobs', 'n', 'store']);
    assert.deepEqual(body.stop_sequences, ['END']);
  });

  test('one choice is what there is', () => {
    assert.deepEqual(encoded({ choices: 1 }).dropped, []);
  });

  test('the user and the stream flag are passed on', () => {
    const { metadata, stream } = bodyOf({ user: 'u-1', stream: true });
    assert.deepEqual({ metadata, stream }, { metadata: { user_id: 'u-1' }, stream: true });
  });

  test('max_tokens is the request’s, else the model’s, else 4096', () => {
    const maxOutputTokens = tokens(64_000);
    assert.equal(bodyOf({ maxOutputTokens: tokens(10) }, { maxOutputTokens }).max_tokens, 10);
    assert.equal(bodyOf({}, { maxOutputTokens }).max_tokens, 64_000);
    assert.equal(bodyOf({}).max_tokens, 4096);
  });
});

describe('thinking', () => {
  const effort = (level: 'low' | 'xhigh' | 'none') => ({ thinking: { kind: 'effort', effort: level } }) as const;
  const budget = (count: number) => ({ thinking: { kind: 'budget', tokens: tokens(count) } }) as const;

  test('effort is adaptive thinking on a model that has it, with the levels it knows', () => {
    const of = (upstreamName: string) => {
      const { thinking, output_config } = bodyOf(effort('xhigh'), { upstreamName });
      return { thinking, output_config };
    };
    assert.deepEqual(of('claude-opus-4-7'), { thinking: { type: 'adaptive' }, output_config: { effort: 'xhigh' } });
    assert.deepEqual(of('claude-opus-4-6'), { thinking: { type: 'adaptive' }, output_config: { effort: 'max' } });
  });

  test('effort is a budget on a model before that, and max_tokens has room for the answer', () => {
    const { thinking, max_tokens } = bodyOf(effort('low'), { upstreamName: 'claude-haiku-4-5' });
    assert.deepEqual({ thinking, max_tokens }, { thinking: { type: 'enabled', budget_tokens: 2048 }, max_tokens: 6144 });
  });

  test('a limit of the request stays, and the budget gives way', () => {
    const fields = { ...budget(10_000), maxOutputTokens: tokens(4000) };
    const { thinking, max_tokens } = bodyOf(fields, { upstreamName: 'claude-sonnet-4-5' });
    assert.deepEqual({ thinking, max_tokens }, { thinking: { type: 'enabled', budget_tokens: 3999 }, max_tokens: 4000 });
  });

  test('a limit too small for any budget, or a model that cannot think, loses the thinking', () => {
    assert.deepEqual(encoded({ ...budget(2000), maxOutputTokens: tokens(1000) }, { upstreamName: 'claude-sonnet-4-5' }).dropped, [
      'thinking',
    ]);
    assert.deepEqual(encoded(effort('low'), { upstreamName: 'claude-3-haiku-20240307' }).dropped, ['thinking']);
  });

  test('a budget is an effort on a model that takes no budget', () => {
    assert.deepEqual(bodyOf(budget(1024)).output_config, { effort: 'low' });
    assert.deepEqual(bodyOf(budget(50_000)).output_config, { effort: 'high' });
  });

  test('no effort is thinking disabled where there is any', () => {
    assert.deepEqual(bodyOf(effort('none')).thinking, { type: 'disabled' });
    assert.equal('thinking' in bodyOf(effort('none'), { upstreamName: 'claude-3-haiku-20240307' }), false);
  });

  test('a forced tool choice, or a tool loop that began without thinking, rules a budget out', () => {
    const upstreamName = 'claude-sonnet-4-5';
    const loop = [user(say('Hi')), assistant(call('c', '{}')), result('c', 'x')];
    const signed = [
      user(say('Hi')),
      assistant({ kind: 'thinking', text: 't', signature: 's' }, call('c', '{}')),
      result('c', 'x'),
    ];
    const tools = [{ name: 'look_up' }];
    assert.deepEqual(encoded({ ...budget(2000), tools, messages: loop }, { upstreamName }).dropped, ['thinking']);
    assert.deepEqual(encoded({ ...budget(2000), tools, messages: signed }, { upstreamName }).dropped, []);
    assert.deepEqual(encoded({ ...budget(2000), tools, toolChoice: { kind: 'required' } }, { upstreamName }).dropped, [
      'thinking',
    ]);
    assert.deepEqual(encoded({ ...effort('low'), tools, messages: loop }).dropped, []);
  });
});

describe('a body of the same dialect', () => {
  const body = {
    model: 'claude',
    max_tokens: 0,
    future: { kept: true },
    tools: [{ type: 'web_search_20260318', name: 'web_search' }],
    messages: [
      { role: 'user', content: 'Hi' },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'foreign', signature: UNSIGNED },
          { type: 'thinking', thinking: 'mine', signature: 'sig' },
          { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} },
          { type: 'text', text: '', citations: null },
          { type: 'text', text: 'Yes', citations: [{ type: 'page_location' }] },
        ],
      },
      { role: 'assistant', content: [{ type: 'thinking', thinking: 'foreign', signature: UNSIGNED }] },
      { role: 'user', content: [{ type: 'search_result', title: 'T' }] },
    ],
  };

  test('is foreign only where our mark stands in it', () => {
    assert.ok(anthropic.isForeign(Buffer.from(JSON.stringify(body))));
    assert.equal(anthropic.isForeign(Buffer.from(JSON.stringify(body).replaceAll(UNSIGNED, 'Ev4B'))), false);
  });

  test('loses what Anthropic would refuse and keeps all else, known or not', () => {
    const [first, second, , last] = body.messages;
    assert.deepEqual(bodyOf({ dialect: 'anthropic-messages', body }), {
      ...body,
      model: 'claude-opus-5',
      messages: [first, { role: 'assistant', content: [1, 2, 4].map(i => (second!.content as unknown[])[i]) }, last],
    });
  });

  test('stops thinking where the turn that goes on has lost its thinking', () => {
    const messages = [
      { role: 'user', content: 'Hi' },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'foreign', signature: UNSIGNED },
          { type: 'tool_use', id: 'call_1', name: 'f', input: {} },
        ],
      },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1' }] },
    ];
    const of = (thinking: object) => encoded({ dialect: 'anthropic-messages', body: { thinking, messages } });
    const budget = of({ type: 'enabled', budget_tokens: 2000 });
    assert.deepEqual([budget.body.thinking, budget.dropped], [{ type: 'disabled' }, ['thinking']]);
    const adaptive = of({ type: 'adaptive' });
    assert.deepEqual([adaptive.body.thinking, adaptive.dropped], [{ type: 'adaptive' }, []]);
  });
});
