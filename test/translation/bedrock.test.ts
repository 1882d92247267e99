// Any request, encoded for the models of Bedrock: what comes out is shown to the simulator, which refuses what Bedrock would; and what cannot
// be said there is named.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { signedBy, UNSIGNED } from '#core/chat/foreign.ts';
import type { AssistantPart, ChatRequest, Message, ThinkingRequest } from '#core/chat/request.ts';
import { aRequest } from '#core/chat/testing.ts';
import { scanObject } from '#core/json/scan.ts';
import { tokens } from '#core/units.ts';
import { bedrockConverse } from '#dataplane/frontends/bedrock-converse/index.ts';
import { claude } from '#dataplane/providers/bedrock/claude.ts';
import { converse } from '#dataplane/providers/bedrock/converse.ts';
import { CLAUDE, GPT, LLAMA, MISTRAL, NOVA, targetOf } from '#dataplane/providers/bedrock/testing.ts';
import { signatureOf } from '#simulator/wires/anthropic-validate.ts';
import { invokeStream, converse as simulated } from '#simulator/wires/bedrock.ts';
import { anyRequest } from '#test/support/any-request.ts';
import { encodedBy } from '#test/support/encoded.ts';
import { valueIn } from '#test/support/parsed.ts';

// biome-ignore lint/suspicious/noExplicitAny: looked at field by field
type Body = Record<string, any>;

const encodedFor = (wire: typeof converse, upstreamName: string, request: ChatRequest) =>
  encodedBy(wire, request, dropUnsupported => targetOf({ upstreamName, dropUnsupported }));

const thinking: fc.Arbitrary<ThinkingRequest> = fc.constantFrom<ThinkingRequest>(
  { kind: 'disabled' },
  { kind: 'budget', tokens: tokens(2048) },
  { kind: 'effort', effort: 'low' },
  { kind: 'effort', effort: 'high' },
  { kind: 'adaptive' },
);

/** What histories bring with them: thinking of several makers, marks, and calls without tools that are offered. */
const request: fc.Arbitrary<ChatRequest> = fc
  .tuple(anyRequest, fc.option(thinking, { nil: undefined }), fc.boolean(), fc.boolean())
  .map(([base, thought, marked, offers]) => ({
    ...base,
    ...(thought && { thinking: thought }),
    tools: offers ? base.tools : [],
    messages: withMark(base.messages.map(withHistory), marked),
  }))
  .map(({ toolChoice, ...rest }) => (rest.tools.length > 0 && toolChoice ? { ...rest, toolChoice } : rest));

function withHistory(message: Message): Message {
  if (message.role === 'assistant') {
    const thoughts: AssistantPart[] = [
      { kind: 'thinking', text: 'hm', signature: signatureOf('hm') },
      { kind: 'thinking', text: 'mm', signature: signedBy('google', 'x') },
      { kind: 'thinking', text: 'mh', signature: UNSIGNED },
      { kind: 'redacted-thinking', data: 'simulated-1' },
    ];
    return { ...message, content: [...thoughts, ...message.content] };
  }
  return message;
}

/** One: more than four are refused by any provider. */
function withMark([first, ...others]: readonly Message[], marked: boolean): readonly Message[] {
  if (!marked || first?.role !== 'system') return first ? [first, ...others] : others;
  const [part, ...parts] = first.content;
  return [{ ...first, content: [{ ...part!, cache: { ttl: '1h' } }, ...parts] }, ...others];
}

const modelsOfConverse = [NOVA, LLAMA, MISTRAL, GPT, CLAUDE, 'amazon.nova-pro-v1:0', 'qwen.qwen3-32b-v1:0'];

describe('any request', () => {
  for (const model of modelsOfConverse)
    test(`is taken by Converse for ${model}`, () => {
      fc.assert(
        fc.property(request, asked => {
          const { body } = encodedFor(converse, model, asked);
          const read = simulated.read(JSON.parse(JSON.stringify(body)), {}, model);
          assert.ok(read.ok, read.ok ? '' : `${JSON.stringify(read.refusal.body)}\n${JSON.stringify(body)}`);
        }),
        { numRuns: 150 },
      );
    });

  for (const model of [
    CLAUDE,
    'anthropic.claude-opus-5',
    'global.anthropic.claude-opus-4-7',
    'anthropic.claude-3-5-sonnet-20240620-v1:0',
  ])
    test(`is taken by InvokeModel for ${model}`, () => {
      fc.assert(
        fc.property(request, asked => {
          const { body } = encodedFor(claude, model, asked);
          const read = invokeStream.read(JSON.parse(JSON.stringify(body)), {}, model);
          assert.ok(read.ok, read.ok ? '' : `${JSON.stringify(read.refusal.body)}\n${JSON.stringify(body)}`);
        }),
        { numRuns: 150 },
      );
    });
});

/** As the frontend of the dialect reads a body, but not as one that may pass as it is. */
function readBack(body: object): ChatRequest {
  const view = valueIn(scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 100, interpreted: new Set<string>(), isUtf8 }));
  const { body: _asItIs, ...read } = valueIn(bedrockConverse({ model: 'public', stream: false }).decode(view));
  return read;
}

for (const model of [CLAUDE, NOVA])
  test(`what the frontend of Converse reads is what was written for ${model}`, () => {
    fc.assert(
      fc.property(request, asked => {
        const { body } = encodedFor(converse, model, asked);
        const again = valueIn(converse.encode(readBack(body), targetOf({ upstreamName: model })));
        const { requestMetadata: metadata, ...rest } = body;
        assert.deepEqual(again.body, rest);
        assert.deepEqual(again.dropped, metadata ? ['requestMetadata'] : []);
      }),
      { numRuns: 200 },
    );
  });

const bodyFor = (upstreamName: string, fields: Partial<ChatRequest> = {}): Body =>
  valueIn(converse.encode(aRequest(fields), targetOf({ upstreamName }))).body as Body;
const droppedFor = (upstreamName: string, fields: Partial<ChatRequest>) =>
  valueIn(converse.encode(aRequest(fields), targetOf({ upstreamName }))).dropped;

const tool = { name: 'f', parameters: { type: 'object' } };
const called: Message[] = [
  { role: 'user', content: [{ kind: 'text', text: 'Hi' }] },
  { role: 'assistant', content: [{ kind: 'tool-call', id: 'call:1', name: 'g', arguments: '{"a":1}' }] },
  { role: 'tool', callId: 'call:1', content: [], isError: true },
];

describe('a request to Converse', () => {
  test('has neither model nor stream in its body, and its texts in blocks', () => {
    assert.deepEqual(
      bodyFor(NOVA, {
        messages: [{ role: 'system', content: [{ kind: 'text', text: 'Be brief.' }] }, ...aRequest().messages],
        stream: true,
      }),
      { system: [{ text: 'Be brief.' }], messages: [{ role: 'user', content: [{ text: 'Hi' }] }] },
    );
  });

  test('has images, documents and audio as bytes, documents under names that are none twice', () => {
    const document = { kind: 'document' as const, source: { kind: 'text' as const, text: 'x' }, title: 'a_b/c.PDF.txt' };
    const { content } = bodyFor(CLAUDE, {
      messages: [
        {
          role: 'user',
          content: [
            { kind: 'image', source: { kind: 'base64', mediaType: 'image/jpeg', data: 'AAAA' } },
            { kind: 'image', source: { kind: 'url', url: 's3://bucket/a.jpg' } },
            { kind: 'audio', format: 'wav', data: 'AAAA' },
            { ...document, citations: true, context: 'c' },
            document,
          ],
        },
      ],
    }).messages[0];
    assert.deepEqual(content, [
      { image: { format: 'jpeg', source: { bytes: 'AAAA' } } },
      { image: { format: 'jpeg', source: { s3Location: { uri: 's3://bucket/a.jpg' } } } },
      { audio: { format: 'wav', source: { bytes: 'AAAA' } } },
      { document: { format: 'txt', name: 'a b c PDF', source: { bytes: 'eA==' }, context: 'c', citations: { enabled: true } } },
      { document: { format: 'txt', name: 'a b c PDF-2', source: { bytes: 'eA==' } } },
    ]);
    const elsewhere: Message[] = [
      { role: 'user', content: [{ kind: 'image', source: { kind: 'url', url: 'https://x.test/a.png' } }] },
    ];
    assert.deepEqual(droppedFor(NOVA, { messages: [...elsewhere, ...aRequest().messages] }), ['messages[0].content[0]']);
  });

  test('declares the tools that were called where none are offered any more', () => {
    const { toolConfig, messages } = bodyFor(CLAUDE, { messages: called });
    assert.deepEqual(toolConfig, { tools: [{ toolSpec: { name: 'g', inputSchema: { json: { type: 'object' } } } }] });
    const { toolUseId } = messages[1].content[0].toolUse;
    // An error has to say something.
    assert.deepEqual(messages[2].content, [{ toolResult: { toolUseId, content: [{ json: {} }], status: 'error' } }]);
    assert.match(bodyFor(MISTRAL, { messages: called }).messages[1].content[0].toolUse.toolUseId, /^[a-zA-Z0-9]{9}$/);
  });

  test('offers no tools where none may be called, unless some were', () => {
    const none = { tools: [tool], toolChoice: { kind: 'none' } as const };
    assert.equal(bodyFor(NOVA, none).toolConfig, undefined);
    assert.deepEqual(droppedFor(NOVA, none), []);
    assert.deepEqual(droppedFor(CLAUDE, { ...none, messages: called }), ['tool_choice']);
  });

  test('forces a tool where the model can be forced', () => {
    const choice = (model: string, toolChoice: ChatRequest['toolChoice']) =>
      bodyFor(model, { tools: [tool], toolChoice: toolChoice! }).toolConfig.toolChoice;
    const one = { kind: 'tool', name: 'f' } as const;
    assert.deepEqual([choice(NOVA, { kind: 'required' }), choice(NOVA, one)], [{ any: {} }, { tool: { name: 'f' } }]);
    assert.deepEqual([choice(MISTRAL, { kind: 'required' }), choice(MISTRAL, one)], [{ any: {} }, undefined]);
    assert.equal(choice(LLAMA, { kind: 'required' }), undefined);
  });

  test('asks each family to think in its own words', () => {
    const asked = (model: string, wanted: ThinkingRequest, more: Partial<ChatRequest> = {}) =>
      bodyFor(model, { thinking: wanted, ...more });
    const low = { kind: 'effort', effort: 'low' } as const;
    assert.deepEqual(asked(NOVA, low).additionalModelRequestFields, {
      reasoningConfig: { type: 'enabled', maxReasoningEffort: 'low' },
    });
    // A high effort takes no limit, and a limit is more.
    const high = { kind: 'effort', effort: 'high' } as const;
    assert.equal(asked(NOVA, high).additionalModelRequestFields.reasoningConfig.maxReasoningEffort, 'high');
    const limited = asked(NOVA, high, { maxOutputTokens: tokens(9) });
    assert.equal(limited.inferenceConfig.maxTokens, 9);
    assert.equal(limited.additionalModelRequestFields.reasoningConfig.maxReasoningEffort, 'medium');
    assert.deepEqual(asked(GPT, { kind: 'budget', tokens: tokens(30_000) }).additionalModelRequestFields, {
      reasoning_effort: 'high',
    });
    const budget = asked(CLAUDE, { kind: 'budget', tokens: tokens(2000) });
    assert.deepEqual(budget.additionalModelRequestFields, { thinking: { type: 'enabled', budget_tokens: 2000 } });
    assert.ok(budget.inferenceConfig.maxTokens > 2000);
    assert.deepEqual(asked('anthropic.claude-opus-4-6-v1', low).additionalModelRequestFields, {
      thinking: { type: 'adaptive' },
      output_config: { effort: 'low' },
    });
    assert.deepEqual(droppedFor(LLAMA, { thinking: low }), ['thinking']);
    assert.deepEqual(droppedFor(LLAMA, { thinking: { kind: 'disabled' } }), []);
  });

  test('gives back to Claude what Claude signed, and to nobody what another did', () => {
    const history: Message[] = [
      ...aRequest().messages,
      {
        role: 'assistant',
        content: [
          { kind: 'thinking', text: 'a', signature: 'sig' },
          { kind: 'thinking', text: 'b', signature: signedBy('openai', 'x') },
          { kind: 'redacted-thinking', data: 'sealed' },
          { kind: 'text', text: 'Yes.' },
        ],
      },
      ...aRequest().messages,
    ];
    assert.deepEqual(bodyFor(CLAUDE, { messages: history }).messages[1].content, [
      { reasoningContent: { reasoningText: { text: 'a', signature: 'sig' } } },
      { reasoningContent: { redactedContent: Buffer.from('sealed').toString('base64') } },
      { text: 'Yes.' },
    ]);
    assert.deepEqual(bodyFor(NOVA, { messages: history }).messages[1].content, [{ text: 'Yes.' }]);
  });

  test('marks what is kept where the model keeps it, for how long where that can be said', () => {
    const messages: Message[] = [{ role: 'user', content: [{ kind: 'text', text: 'Hi', cache: { ttl: '1h' } }] }];
    const marks = (model: string) => bodyFor(model, { messages }).messages[0].content.slice(1);
    assert.deepEqual(marks(CLAUDE), [{ cachePoint: { type: 'default', ttl: '1h' } }]);
    assert.deepEqual(marks(NOVA), [{ cachePoint: { type: 'default' } }]);
    assert.deepEqual(marks(LLAMA), []);
  });

  test('marks for Nova what it takes marks of, which are no tools and no documents', () => {
    const messages: Message[] = [
      { role: 'system', content: [{ kind: 'text', text: 'Be brief.', cache: {} }] },
      { role: 'user', content: [{ kind: 'document', source: { kind: 'text', text: 'long' }, cache: {} }] },
      { role: 'assistant', content: [{ kind: 'tool-call', id: 'a', name: 'f', arguments: '', cache: {} }] },
      { role: 'tool', callId: 'a', content: [{ kind: 'text', text: '1', cache: {} }], cache: {} },
    ];
    const request = aRequest({ messages, tools: [{ name: 'f', cache: {} }] });
    const { body } = encodedFor(converse, NOVA, request);
    const read = simulated.read(body, {}, NOVA);
    assert.ok(read.ok, JSON.stringify(read));
    assert.equal(JSON.stringify(body).split('cachePoint').length - 1, 1);
  });

  test('has a schema as text, every object of it closed', () => {
    const output = { kind: 'json-schema', name: 'n', schema: { type: 'object', properties: {} } } as const;
    const { textFormat } = bodyFor(CLAUDE, { output }).outputConfig;
    assert.equal(textFormat.structure.jsonSchema.schema, '{"type":"object","properties":{},"additionalProperties":false}');
    assert.deepEqual(droppedFor(NOVA, { output }), ['response_format']);
  });

  test('has the limits and samples of the model', () => {
    const sampling = { temperature: 0.5, topP: 0.9, topK: 7 };
    assert.deepEqual(bodyFor(NOVA, { sampling, stop: ['x'], maxOutputTokens: tokens(9), user: 'me' }), {
      messages: [{ role: 'user', content: [{ text: 'Hi' }] }],
      inferenceConfig: { maxTokens: 9, temperature: 0.5, topP: 0.9, stopSequences: ['x'] },
      additionalModelRequestFields: { inferenceConfig: { topK: 7 } },
      requestMetadata: { user: 'me' },
    });
    assert.deepEqual(droppedFor(LLAMA, { sampling: { temperature: 1.5, topK: 7, seed: 1 } }), ['temperature', 'top_k', 'seed']);
    assert.deepEqual(droppedFor(CLAUDE, { sampling }), ['top_p']);
    assert.deepEqual(droppedFor(NOVA, { user: 'me;you' }), ['user']);
  });

  test('is refused where arguments of a call are no object', () => {
    const [first, second, third] = called;
    const bad = { ...second!, content: [{ kind: 'tool-call', id: 'c', name: 'g', arguments: '[1]' }] } as Message;
    const refused = converse.encode(aRequest({ messages: [first!, bad, third!] }), targetOf());
    assert.ok(!refused.ok && refused.failure.param === 'messages[1].tool_calls[0].function.arguments');
  });
});

test("pictures by address are left out for Anthropic's models, whatever dialect the body has that comes along", () => {
  const messages: Message[] = [
    {
      role: 'user',
      content: [
        { kind: 'text', text: 'Hi' },
        { kind: 'image', source: { kind: 'url', url: 'https://x.test/a.png' } },
      ],
    },
  ];
  for (const dialect of ['openai-chat', 'gemini'] as const)
    for (const more of [{}, { body: {} }]) {
      const { dropped } = valueIn(claude.encode(aRequest({ dialect, messages, ...more }), targetOf({ upstreamName: CLAUDE })));
      assert.deepEqual(dropped, ['messages[0].content[1]']);
    }
});

describe("a body of Anthropic's dialect that passes through", () => {
  const fields = (body: Body) => ({ has: (name: string) => Object.hasOwn(body, name), get: (name: string) => body[name] });
  const edits = (body: Body, client: Record<string, string> = {}) =>
    Object.fromEntries(claude.passthroughEdits(fields(body), true, client));

  test('loses model and stream, and gets the version, and the betas that Bedrock knows', () => {
    assert.deepEqual(
      edits({ model: 'm' }, { 'anthropic-beta': 'oauth-2025-04-20, context-1m-2025-08-07,interleaved-thinking-2025-05-14' }),
      {
        model: null,
        stream: null,
        anthropic_version: '"bedrock-2023-05-31"',
        anthropic_beta: '["context-1m-2025-08-07","interleaved-thinking-2025-05-14"]',
      },
    );
    assert.deepEqual(edits({ anthropic_version: 'x' }, { 'anthropic-beta': 'unknown' }), { model: null, stream: null });
  });

  test('is counted as a whole', () => {
    const count = claude.tokenCount!(targetOf({ upstreamName: CLAUDE }).model)!;
    const { input } = count.body({ anthropic_version: 'x', messages: [] }) as Body;
    assert.deepEqual(JSON.parse(Buffer.from(input.invokeModel.body, 'base64').toString()), {
      anthropic_version: 'x',
      messages: [],
      max_tokens: 1,
    });
    assert.deepEqual([count.reply({ inputTokens: 7 }), count.reply({ message: 'no' })], [{ input_tokens: 7 }, undefined]);
    const upstreamName = 'arn:aws:bedrock:us-east-1:1:application-inference-profile/x';
    assert.equal(claude.tokenCount!(targetOf({ upstreamName, name: 'claude' }).model), undefined);
  });
});
