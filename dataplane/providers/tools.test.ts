// What providers run by themselves and bill by the call: what each wire reads of it in requests, whole answers and streams.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ToolsAsked } from '#core/chat/tools-asked.ts';
import type { ToolCalls } from '#core/chat/usage.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import { anthropic } from './anthropic/index.ts';
import { converse } from './bedrock/converse.ts';
import { generateContent } from './gemini/index.ts';
import { openAI, responsesWire } from './openai/index.ts';
import { openAIProfile } from './openai/profile.ts';
import type { Provider, RequestFields } from './provider.ts';

const responses = responsesWire(openAIProfile, 'own', () => ({ origin: 'https://api.openai.com', path: '', headers: {} }));

/** As one that passes through, whose fields are text, and as one that was built. */
const bodies = (body: Record<string, unknown>): readonly RequestFields[] => {
  const built = { has: (name: string) => Object.hasOwn(body, name), get: (name: string) => body[name] };
  const mentions = (text: string) => JSON.stringify(body).includes(text);
  return [built, { ...built, json: (name: string) => JSON.stringify(body[name]), mentions }];
};

type Wire = Pick<Provider, 'toolsAsked' | 'inspectReply' | 'streamDecoder' | 'toolLimit'>;

function asked(wire: Wire, body: Record<string, unknown>, upstreamName = 'm'): string[] | undefined {
  const [built, passed] = bodies(body).map(fields => wire.toolsAsked?.(fields, { upstreamName } as ModelEntry));
  assert.deepEqual(built, passed);
  return built && told(built);
}

const told = ({ tools, mostTogether }: ToolsAsked): string[] => [
  ...tools.map(({ tool, param, most, isUntold }) => `${param} ${tool} ${most ?? 'any'}${isUntold ? ' untold' : ''}`),
  ...(mostTogether === undefined ? [] : [`together ${mostTogether}`]),
];

function callsIn(wire: Wire, reply: unknown): ToolCalls | undefined {
  const inspected = wire.inspectReply(reply);
  assert.ok(inspected.ok);
  return inspected.value.usage?.toolCalls;
}

/** Each event with what it tells of calls. */
function seen(wire: Wire, events: readonly object[], named = false): unknown[] {
  const decoder = wire.streamDecoder();
  return events
    .map(event => ({ event: named && 'type' in event ? String(event.type) : '', data: JSON.stringify(event) }))
    .flatMap(message => decoder.push(message))
    .flatMap((event): unknown[] => {
      if (event.kind === 'server-tool') return [event.billed ?? 'free'];
      return event.kind === 'usage' ? [event.usage.toolCalls ?? {}] : [];
    });
}

describe('Anthropic', () => {
  const web = { type: 'web_search_20250305', name: 'web_search' };
  test('is asked for searches, advice and a container; other tools are billed in tokens', () => {
    assert.equal(asked(anthropic, { tools: [{ name: 'f', input_schema: { type: 'object' } }] }), undefined);
    assert.equal(asked(anthropic, { tools: [{ type: 'bash_20250124' }, { type: 'memory_20250818' }] }), undefined);
    assert.deepEqual(asked(anthropic, { tools: [{ ...web, max_uses: 3 }, { type: 'code_execution_20250825' }] }), [
      'tools[0] webSearch 3',
      'tools[1] codeExecution 1',
    ]);
    assert.deepEqual(asked(anthropic, { tools: [web, { type: 'advisor_20260301', max_uses: 1 }, { type: 'new_20270101' }] }), [
      'tools[0] webSearch any',
      'tools[1] other 1',
      'tools[2] other any',
    ]);
    const addition = { type: 'tool_addition', tool: { type: 'tool_definition', definition: { ...web, max_uses: 2 } } };
    assert.deepEqual(asked(anthropic, { messages: [{ role: 'user', content: [addition] }] }), [
      'messages[0].content[0].tool.definition webSearch 2',
    ]);
    // What it brings is read all the same.
    assert.deepEqual(asked(anthropic, { tools: [{ type: 'web_fetch_20250910' }] }), []);
  });
  test('runs code for nothing where it filters what was found', () => {
    const tools = [{ type: 'web_search_20260318', max_uses: 2 }, { type: 'code_execution_20260521' }];
    assert.deepEqual(asked(anthropic, { tools }), ['tools[0] webSearch 2']);
  });
  test('is told the bound that a request leaves open, and no other', () => {
    const own = { ...web, name: 'other', max_uses: 9 };
    const [body] = bodies({ tools: [{ name: 'f', input_schema: {} }, web, own] });
    const edits = anthropic.toolLimit!(body!, 4);
    assert.deepEqual(JSON.parse(edits.get('tools')!), [{ name: 'f', input_schema: {} }, { ...web, max_uses: 4 }, own]);
    assert.equal(anthropic.toolLimit!(bodies({ tools: [own] })[0]!, 4).size, 0);
  });

  const call = (name: string, more = {}) => ({ type: 'server_tool_use', id: `s_${name}`, name, input: {}, ...more });
  const reply = (content: unknown[], usage = {}) => ({
    id: 'm',
    content,
    stop_reason: 'end_turn',
    usage: { output_tokens: 1, ...usage },
  });
  test('counts searches as it bills them, and a container once', () => {
    const searches = { server_tool_use: { web_search_requests: 2, web_fetch_requests: 5 } };
    assert.deepEqual(callsIn(anthropic, reply([call('web_search'), call('web_search'), call('web_search')], searches)), {
      webSearch: 2,
    });
    assert.deepEqual(callsIn(anthropic, reply([call('web_search')])), { webSearch: 1 });
    const code = [call('bash_code_execution'), call('text_editor_code_execution'), call('advisor')];
    assert.deepEqual(callsIn(anthropic, reply(code)), { codeExecution: 1, other: 1 });
    const filtering = [call('code_execution'), call('web_search', { caller: { type: 'code_execution_20260120' } })];
    assert.deepEqual(callsIn(anthropic, reply(filtering)), { webSearch: 1 });
    assert.equal(callsIn(anthropic, reply([call('web_fetch')])), undefined);
  });
  test('shows calls in a stream as they are made', () => {
    const events = [
      { type: 'message_start', message: { id: 'm', model: 'c', usage: { input_tokens: 9, output_tokens: 1 } } },
      { type: 'content_block_start', index: 0, content_block: call('web_search') },
      { type: 'content_block_stop', index: 0 },
      { type: 'content_block_start', index: 1, content_block: { type: 'web_search_tool_result', content: [] } },
      { type: 'content_block_stop', index: 1 },
    ];
    assert.deepEqual(seen(anthropic, events), [{}, 'webSearch']);
    const end = {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn' },
      usage: { server_tool_use: { web_search_requests: 1 } },
    };
    assert.deepEqual(seen(anthropic, [...events, end]), [{}, 'webSearch', { webSearch: 1 }]);
    for (const event of events.slice(0, 2)) assert.ok(anthropic.notable.test(`data: ${JSON.stringify(event)}`));
  });
});

describe('the Responses wire', () => {
  test('is asked for what is no tool of the client, all within one bound', () => {
    const clients = ['function', 'custom', 'local_shell', 'apply_patch', 'computer_use_preview'].map(type => ({ type }));
    assert.equal(asked(responses, { tools: [...clients, { type: 'shell', environment: { type: 'local' } }] }), undefined);
    const types = ['web_search', 'web_search_preview', 'file_search', 'image_generation', 'code_interpreter', 'unheard_of'];
    assert.deepEqual(asked(responses, { tools: types.map(type => ({ type })), max_tool_calls: 7 }), [
      'tools[0] webSearch any',
      'tools[1] webSearch any',
      'tools[2] fileSearch any',
      'tools[3] imageGeneration any',
      'tools[4] codeExecution 1',
      'tools[5] other any',
      'together 7',
    ]);
    assert.equal(asked(responses, { prompt: { id: 'pmpt_1' } })!.length, 6);
    const brought = { type: 'additional_tools', role: 'developer', tools: [{ type: 'function' }, { type: 'web_search' }] };
    assert.deepEqual(asked(responses, { input: [{ role: 'user', content: 'a' }, brought] }), ['input[1].tools[1] webSearch any']);
    assert.equal(asked(responses, { input: 'additional_tools' }), undefined);
    // What it brings is read all the same.
    const mcp = { type: 'mcp', server_label: 's', server_url: 'https://mcp.example' };
    assert.deepEqual(asked(responses, { tools: [mcp] }), []);
    assert.deepEqual(asked(responses, { input: [{ ...brought, tools: [mcp] }] }), []);
    assert.deepEqual([...responses.toolLimit!(bodies({})[0]!, 3)], [['max_tool_calls', '3']]);
  });

  const search = (type: string) => ({ type: 'web_search_call', id: 'ws', status: 'completed', action: { type } });
  const code = (container_id: string) => ({ type: 'code_interpreter_call', id: 'ci', container_id });
  const output = [
    search('search'),
    search('open_page'),
    search('find_in_page'),
    code('a'),
    code('a'),
    code('b'),
    { type: 'file_search_call' },
    { type: 'shell_call', action: {} },
    { type: 'function_call', name: 'f' },
  ];
  const response = (more = {}) => ({
    id: 'r',
    object: 'response',
    status: 'completed',
    output,
    usage: { input_tokens: 1, output_tokens: 1 },
    ...more,
  });
  test('counts searches, not what is opened; containers, not runs; and as the server counts where it does', () => {
    assert.deepEqual(callsIn(responses, response()), { webSearch: 1, codeExecution: 2, fileSearch: 1 });
    const tool_usage = { web_search: { num_requests: 3 }, image_gen: {} };
    assert.deepEqual(callsIn(responses, response({ tool_usage })), { webSearch: 3, codeExecution: 2, fileSearch: 1 });
    const server_side_tool_usage_details = { web_search_calls: 1, x_search_calls: 2, mcp_calls: 4, code_interpreter_calls: 1 };
    const usage = { input_tokens: 1, output_tokens: 1, server_side_tool_usage_details };
    assert.deepEqual(callsIn(responses, response({ usage })), { webSearch: 3, codeExecution: 1 });
  });
  test('shows calls in a stream as they are made, in frames that are read', () => {
    const events = output.map((item, output_index) => ({ type: 'response.output_item.done', output_index, item }));
    const shown = seen(responses, [{ type: 'response.created' }, ...events]);
    assert.deepEqual(shown, ['webSearch', 'codeExecution', 'codeExecution', 'fileSearch']);
    assert.ok(responses.notable.test(`data: ${JSON.stringify(events[0])}`));
    assert.ok(!responses.notable.test(`data: ${JSON.stringify({ delta: '"type":"web_search_call"' })}`));
  });
});

describe('Google', () => {
  test('is asked by the names of tools, in either spelling; until Gemini 3 a prompt is billed once', () => {
    assert.equal(
      asked(generateContent, { tools: [{ functionDeclarations: [] }, { codeExecution: {} }, { url_context: {} }] }),
      undefined,
    );
    const tools = [{ google_search: {}, googleMaps: {} }, { retrieval: {} }, { somethingNew: {} }];
    assert.deepEqual(asked(generateContent, { tools }, 'gemini-3-pro'), [
      'tools[0].google_search webSearch any',
      'tools[0].googleMaps mapsSearch any',
      'tools[1].retrieval fileSearch 1',
      'tools[2].somethingNew other any',
    ]);
    assert.deepEqual(asked(generateContent, { tools: [{ googleSearch: {} }] }, 'publishers/google/models/gemini-2.5-flash'), [
      'tools[0].googleSearch webSearch 1',
    ]);
  });
  const answer = (modelVersion: string, webSearchQueries: string[], groundingChunks: object[] = [{ web: {} }]) => ({
    modelVersion,
    candidates: [
      { content: { parts: [{ text: 'a' }] }, finishReason: 'STOP', groundingMetadata: { webSearchQueries, groundingChunks } },
    ],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1 },
  });
  test('counts queries from Gemini 3 on, and prompts before', () => {
    assert.deepEqual(callsIn(generateContent, answer('gemini-3-pro', ['a', 'b', ''])), { webSearch: 2 });
    assert.deepEqual(callsIn(generateContent, answer('gemini-2.5-pro', ['a', 'b'])), { webSearch: 1 });
    assert.equal(callsIn(generateContent, answer('gemini-2.5-pro', [])), undefined);
    assert.deepEqual(callsIn(generateContent, answer('gemini-2.5-pro', ['a'], [{ maps: {} }])), { mapsSearch: 1 });
    assert.deepEqual(callsIn(generateContent, answer('gemini-2.5-pro', [], [{ retrievedContext: {} }])), { fileSearch: 1 });
  });
  test('may tell queries in several frames of a stream, which are read', () => {
    const last = answer('gemini-3-pro', ['a', 'b']);
    const [candidate] = answer('gemini-3-pro', ['a']).candidates;
    const frames = [{ ...last, candidates: [{ ...candidate, finishReason: undefined }] }, last];
    assert.deepEqual(seen(generateContent, frames).at(-1), { webSearch: 2 });
    assert.ok(generateContent.notable.test(`data: ${JSON.stringify({ candidates: [{ groundingMetadata: {} }] })}`));
  });
});

describe('the chat wire', () => {
  test('is asked in the words of several servers', () => {
    assert.equal(asked(openAI, { tools: [{ type: 'function', function: { name: 'f' } }], messages: [] }, 'gpt-5'), undefined);
    assert.deepEqual(asked(openAI, { web_search_options: {}, n: 2 }), ['web_search_options webSearch 2 untold']);
    assert.deepEqual(asked(openAI, {}, 'gpt-4o-search-preview'), ['model webSearch 1 untold']);
    assert.deepEqual(asked(openAI, {}, 'sonar-deep-research'), ['model webSearch any']);
    assert.deepEqual(asked(openAI, {}, 'openai/gpt-5:online'), ['model webSearch 5 untold']);
    assert.deepEqual(asked(openAI, { plugins: [{ id: 'web', max_results: 3 }, { id: 'file-parser' }] }, 'm:online'), [
      'plugins[0] webSearch 3 untold',
      'plugins[1] other any untold',
    ]);
    assert.deepEqual(asked(openAI, { search_parameters: { mode: 'on', max_search_results: 4 } }), [
      'search_parameters webSearch 4',
    ]);
    assert.equal(asked(openAI, { search_parameters: { mode: 'off' } }), undefined);
    assert.deepEqual(asked(openAI, { tools: [{ type: 'browser_search' }, { type: 'code_interpreter' }] }), [
      'tools[0] webSearch any untold',
      'tools[1] codeExecution any untold',
    ]);
  });
  test('tells calls in its usage, where a server does', () => {
    const reply = (usage: object) => ({
      choices: [{ message: { content: 'a' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 1, ...usage },
    });
    assert.deepEqual(callsIn(openAI, reply({ server_tool_use: { web_search_requests: 2 } })), { webSearch: 2 });
    assert.deepEqual(callsIn(openAI, reply({ num_sources_used: 7 })), { webSearch: 7 });
    assert.deepEqual(callsIn(openAI, reply({ num_search_queries: 9, citation_tokens: 4, reasoning_tokens: 1 })), {
      webSearch: 9,
    });
    assert.equal(callsIn(openAI, reply({ num_search_queries: 1 })), undefined);
  });
});

test('Bedrock is asked for system tools of Nova, and its answers show their calls', () => {
  assert.equal(asked(converse, { toolConfig: { tools: [{ toolSpec: { name: 'systemTool' } }] } }), undefined);
  assert.deepEqual(asked(converse, { toolConfig: { tools: [{ systemTool: { name: 'nova_grounding' } }] } }), [
    'toolConfig.tools[0] webSearch any',
  ]);
  const toolUse = { toolUseId: 't', name: 'nova_grounding', type: 'server_tool_use', input: {} };
  const reply = {
    output: { message: { content: [{ toolUse }, { text: 'a' }] } },
    stopReason: 'end_turn',
    usage: { outputTokens: 1 },
  };
  assert.deepEqual(callsIn(converse, reply), { webSearch: 1 });
  const start = { type: 'contentBlockStart', start: { toolUse }, contentBlockIndex: 0 };
  assert.deepEqual(seen(converse, [start, { type: 'metadata', ...{ usage: { outputTokens: 1 } } }], true), [
    'webSearch',
    { webSearch: 1 },
  ]);
  assert.ok(converse.notable.test('event: contentBlockStart\ndata: {}'));
});
