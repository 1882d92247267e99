// Partitions of real bodies: whatever is written into a body, at whatever place, either a request shares no partition with the one
// without it, or it is on the list of what no model sees.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyOf, lastUserTurn, partitionOf } from '#core/cache/partition.ts';
import { isRecord } from '#core/json/record.ts';
import { scanObject } from '#core/json/scan.ts';
import { anthropicMessages } from '../frontends/anthropic-messages/index.ts';
import { bedrockConverse } from '../frontends/bedrock-converse/index.ts';
import { gemini } from '../frontends/gemini/index.ts';
import { openAIChat } from '../frontends/openai-chat/index.ts';
import { openAICompletions } from '../frontends/openai-completions/index.ts';
import { openAIResponses } from '../frontends/openai-responses/index.ts';
import { digest } from './testing.ts';

const frontends = {
  'openai-chat': openAIChat,
  'openai-responses': openAIResponses,
  'openai-completions': openAICompletions,
  'anthropic-messages': anthropicMessages,
  gemini: gemini({ model: 'm', stream: false }),
  'bedrock-converse': bedrockConverse({ model: 'm', stream: false }),
};
const schema = { type: 'object', properties: { q: { type: 'string' } }, required: ['q'] };

const bodies: Readonly<Record<keyof typeof frontends, Record<string, unknown>>> = {
  'openai-chat': {
    model: 'm',
    temperature: 0,
    stop: ['END'],
    max_tokens: 100,
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'Hello' }], name: 'ada' },
      {
        role: 'assistant',
        content: [{ type: 'text', text: 'Hi' }],
        reasoning_content: 'hm',
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'search', arguments: '{"q":1}' } }],
      },
      { role: 'user', content: 'What is the capital of France?' },
    ],
    tools: [{ type: 'function', function: { name: 'search', description: 'Finds', parameters: schema, strict: true } }],
    tool_choice: { type: 'function', function: { name: 'search' } },
    response_format: { type: 'json_schema', json_schema: { name: 'r', schema, strict: true } },
  },
  'openai-responses': {
    model: 'm',
    temperature: 0,
    max_output_tokens: 100,
    instructions: 'Be brief.',
    input: [
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] },
      { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'gAAA' },
      { type: 'message', id: 'msg_1', role: 'assistant', content: [{ type: 'output_text', text: 'Hi' }] },
      { type: 'function_call', id: 'fc_1', call_id: 'c1', name: 'search', arguments: '{"q":1}' },
      { role: 'user', content: 'What is the capital of France?' },
    ],
    tools: [{ type: 'function', name: 'search', description: 'Finds', parameters: schema, strict: true }],
    tool_choice: { type: 'function', name: 'search' },
    text: { verbosity: 'low', format: { type: 'json_schema', name: 'r', schema, strict: true } },
    reasoning: { effort: 'low', summary: 'auto' },
  },
  'openai-completions': { model: 'm', temperature: 0, stop: ['END'], max_tokens: 100, prompt: 'What is the capital of France?' },
  'anthropic-messages': {
    model: 'm',
    temperature: 0,
    max_tokens: 2000,
    stop_sequences: ['END'],
    system: [{ type: 'text', text: 'Be brief.' }],
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 'sig' },
          { type: 'text', text: 'Hi' },
          { type: 'tool_use', id: 'c1', name: 'search', input: { q: 1 } },
        ],
      },
      { role: 'user', content: 'What is the capital of France?' },
    ],
    tools: [{ name: 'search', description: 'Finds', input_schema: schema }],
    tool_choice: { type: 'tool', name: 'search' },
    thinking: { type: 'enabled', budget_tokens: 1024 },
    output_config: { effort: 'low', format: { type: 'json_schema', schema } },
  },
  gemini: {
    systemInstruction: { parts: [{ text: 'Be brief.' }] },
    contents: [
      { role: 'user', parts: [{ text: 'Hello' }] },
      {
        role: 'model',
        parts: [
          { text: 'hm', thought: true },
          { text: 'Hi', thoughtSignature: 'EpEg' },
          { functionCall: { id: 'c1', name: 'search', args: { q: 1 } } },
        ],
      },
      { role: 'user', parts: [{ text: 'What is the capital of France?' }] },
    ],
    tools: [{ functionDeclarations: [{ name: 'search', description: 'Finds', parametersJsonSchema: schema }] }],
    toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['search'] } },
    generationConfig: {
      temperature: 0,
      maxOutputTokens: 100,
      stopSequences: ['END'],
      responseMimeType: 'application/json',
      responseJsonSchema: schema,
      thinkingConfig: { thinkingLevel: 'LOW' },
    },
  },
  'bedrock-converse': {
    system: [{ text: 'Be brief.' }, { cachePoint: { type: 'default' } }],
    messages: [
      { role: 'user', content: [{ text: 'Hello' }] },
      {
        role: 'assistant',
        content: [
          { reasoningContent: { reasoningText: { text: 'hm', signature: 'sig' } } },
          { text: 'Hi' },
          { toolUse: { toolUseId: 'c1', name: 'search', input: { q: 1 } } },
        ],
      },
      { role: 'user', content: [{ text: 'What is the capital of France?' }] },
    ],
    inferenceConfig: { temperature: 0, maxTokens: 2000, stopSequences: ['END'] },
    toolConfig: {
      tools: [{ toolSpec: { name: 'search', description: 'Finds', inputSchema: { json: schema } } }],
      toolChoice: { tool: { name: 'search' } },
    },
    outputConfig: { textFormat: { type: 'json_schema', structure: { jsonSchema: { name: 'r', schema: '{"type":"object"}' } } } },
    additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: 1024 }, output_config: { effort: 'low' } },
  },
};

/** Where no model sees it, by the end of the path. */
const silent = /(?:^|\.)(?:cache_control|prompt_cache_breakpoint|metadata|service_tier|stream|user)$/;

function partition(dialect: keyof typeof frontends, body: unknown): { partition: string; key: string } | undefined {
  const scanned = scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 128, interpreted: new Set(), isUtf8 });
  const decoded = scanned.ok ? frontends[dialect].decode(scanned.value) : undefined;
  if (!scanned.ok || !decoded?.ok) return undefined;
  const request = decoded.value;
  const around = { operation: 'Chat', tenant: 't', route: 'r', answerers: [], metadata: [], embedder: 'e', guards: 'g' } as const;
  const turn = lastUserTurn(request);
  return {
    partition: partitionOf({ request, body: scanned.value.whole(), ...around }, digest),
    key: turn ? keyOf(turn, digest) : 'none',
  };
}

type Place = { readonly path: string; readonly put: (name: string, value: unknown) => unknown };

/** Every object of a body, and how the body is with one field of it set. */
function places(value: unknown, path = '', rebuild: (changed: unknown) => unknown = same => same): Place[] {
  if (Array.isArray(value))
    return value.flatMap((item, i) => places(item, `${path}[${i}]`, changed => rebuild(value.with(i, changed))));
  if (!isRecord(value)) return [];
  return [
    { path, put: (name, put) => rebuild({ ...value, [name]: put }) },
    ...Object.entries(value).flatMap(([name, inner]) =>
      places(inner, `${path}.${name}`, changed => rebuild({ ...value, [name]: changed })),
    ),
  ];
}

const names = [
  'later',
  'type',
  'text',
  'name',
  'content',
  'strict',
  'effort',
  'display',
  'citations',
  'cache_control',
  'input',
  'role',
];
const values = [1, 'word', true, { a: 1 }, [{ type: 'text', text: 'x' }], [{ type: 'web_search_tool_result', content: [] }]];

for (const dialect of Object.keys(frontends) as (keyof typeof frontends)[])
  test(`${dialect}: what is written anywhere into a body is told, unless no model sees it`, () => {
    const plain = bodies[dialect];
    const before = partition(dialect, plain)!;
    assert.ok(before);
    const all = places(plain);
    const told = { same: 0, other: 0 };
    fc.assert(
      fc.property(
        fc.constantFrom(...all),
        fc.constantFrom(...names),
        fc.constantFrom(...values),
        ({ path, put }, name, value) => {
          const changed = put(name, value);
          if (JSON.stringify(changed) === JSON.stringify(plain)) return;
          const after = partition(dialect, changed);
          const isSame = after !== undefined && after.partition === before.partition && after.key === before.key;
          told[isSame ? 'same' : 'other'] += 1;
          if (isSame) assert.match(`${path}.${name}`, silent, JSON.stringify(value));
        },
      ),
      { numRuns: 2500, verbose: 1 },
    );
    const hasMarks = dialect === 'openai-chat' || dialect === 'anthropic-messages';
    assert.ok((told.same > 0 || !hasMarks) && told.other > 1000, JSON.stringify(told));
  });

test('effort counts beside a budget of thinking, and with thinking disabled', () => {
  for (const thinking of [{ type: 'enabled', budget_tokens: 1024 }, { type: 'disabled' }, { type: 'adaptive' }]) {
    const of = (effort: string) =>
      partition('anthropic-messages', { ...bodies['anthropic-messages'], thinking, output_config: { effort } });
    assert.notEqual(of('low')!.partition, of('high')!.partition, thinking.type);
  }
});

test('dialects share where they say the same', () => {
  const openai = {
    model: 'm',
    temperature: 0,
    max_tokens: 9,
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello' },
    ],
  };
  const anthropic = {
    model: 'm',
    temperature: 0,
    max_tokens: 9,
    system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello\n' }] }],
  };
  assert.deepEqual(partition('openai-chat', openai), partition('anthropic-messages', anthropic));
});
