import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { placeOf, textsOfAnswer, textsOfRequest } from './texts.ts';

const asked = (body: unknown) => [...textsOfRequest(JSON.stringify(body))].map(placeOf);
/** `+`: a piece of a text; `json`: words that are JSON. */
const answered = (body: unknown, event = '') =>
  textsOfAnswer(JSON.stringify(body), event, () => {}).map(
    ({ place, isPiece, isJson }) => `${place}${isPiece ? ' +' : ''}${isJson ? ' json' : ''}`,
  );

const tool = { type: 'function', function: { name: 'n', description: 'd', parameters: { type: 'object', required: ['a'] } } };

describe('the words of a request', () => {
  test('of chat completions: not names, kinds, ids and addresses of pictures', () => {
    const body = {
      model: 'm',
      messages: [
        { role: 'system', content: 's' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 't' },
            { type: 'image_url', image_url: { url: 'u' } },
          ],
        },
        { role: 'assistant', tool_calls: [{ id: 'i', type: 'function', function: { name: 'f', arguments: '{}' } }] },
        { role: 'tool', tool_call_id: 'i', content: 'r' },
      ],
      user: 'u',
      tools: [tool],
    };
    assert.deepEqual(asked(body), [
      'messages[0].content',
      'messages[1].content[0].text',
      'messages[2].tool_calls[0].function.arguments',
      'messages[3].content',
      'user',
      'tools[0].function.description',
    ]);
  });

  test('of messages: all that is in the arguments of a tool, nothing that is signed', () => {
    const body = {
      model: 'm',
      system: [{ type: 'text', text: 's', cache_control: { type: 'ephemeral', ttl: '1h' } }],
      messages: [
        { role: 'assistant', content: [{ type: 'thinking', thinking: 'x', signature: 'y' }] },
        {
          role: 'assistant',
          content: [{ type: 'tool_use', id: 'i', name: 'f', input: { id: 'a', url: ['b'], deep: { data: 'c' } } }],
        },
        {
          role: 'user',
          content: [{ type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' } }],
        },
      ],
    };
    assert.deepEqual(asked(body), [
      'system[0].text',
      'messages[1].content[0].input.id',
      'messages[1].content[0].input.url[0]',
      'messages[1].content[0].input.deep.data',
    ]);
  });

  test('of Responses, Gemini and embeddings', () => {
    const items = [
      { role: 'user', content: 'c' },
      { type: 'function_call_output', call_id: 'i', output: 'o' },
      { type: 'reasoning', id: 'rs', encrypted_content: 'e', summary: [] },
    ];
    assert.deepEqual(asked({ model: 'm', input: items, instructions: 'i' }), [
      'input[0].content',
      'input[1].output',
      'instructions',
    ]);
    assert.deepEqual(asked({ model: 'm', input: ['a', 'b'] }), ['input[0]', 'input[1]']);
    const parts = [
      { text: 't' },
      { inlineData: { mimeType: 'image/png', data: 'x' } },
      { functionResponse: { name: 'f', response: { id: 'r' } } },
    ];
    assert.deepEqual(asked({ contents: [{ role: 'user', parts }], systemInstruction: { parts: [{ text: 's' }] } }), [
      'contents[0].parts[0].text',
      'contents[0].parts[2].functionResponse.response.id',
      'systemInstruction.parts[0].text',
    ]);
  });
});

describe('the words of a request that stand under names of files and of programs', () => {
  const document = (source: object) => ({ messages: [{ role: 'user', content: [{ type: 'document', source }] }] });

  test('a file that is text, wherever its type stands; not bytes', () => {
    const place = ['messages[0].content[0].source.data'];
    assert.deepEqual(asked(document({ type: 'text', media_type: 'text/plain', data: 'words' })), place);
    assert.deepEqual(asked(document({ data: 'words', media_type: 'text/plain', type: 'text' })), place);
    assert.deepEqual(asked(document({ type: 'base64', media_type: 'application/pdf', data: 'JVBE' })), []);
    assert.deepEqual(asked(document({ data: 'JVBE', media_type: 'application/pdf', type: 'base64' })), []);
  });

  test('arguments that have the names of such a file are there once', () => {
    const input = { data: 'words', type: 'text' };
    assert.deepEqual(asked({ messages: [{ content: [{ type: 'tool_use', input }] }] }), [
      'messages[0].content[0].input.data',
      'messages[0].content[0].input.type',
    ]);
  });

  test('what a prompt is filled in with; not the keys that a provider needs elsewhere', () => {
    const headers = { Authorization: 'Bearer x', 'X-Key': 'y' };
    const body = {
      model: 'm',
      prompt: { id: 'p', variables: { name: 'n', url: 'u', more: { type: 'input_text', text: 't' } } },
      tools: [{ type: 'mcp', server_label: 'l', server_url: 'u', authorization: 'a', headers, server_description: 'd' }],
      mcp_servers: [{ type: 'url', url: 'u', name: 's', authorization_token: 'a' }],
    };
    assert.deepEqual(asked(body), [
      'prompt.variables.name',
      'prompt.variables.url',
      'prompt.variables.more.type',
      'prompt.variables.more.text',
      'tools[0].server_label',
      'tools[0].server_description',
    ]);
  });

  test('documents by whatever names', () => {
    assert.deepEqual(asked({ model: 'm', query: 'q', documents: [{ id: 'i', name: 'n', text: 't', url: 'u' }, 'd'] }), [
      'query',
      'documents[0].id',
      'documents[0].name',
      'documents[0].text',
      'documents[0].url',
      'documents[1]',
    ]);
  });
});

describe('the words of an answer', () => {
  test('whole', () => {
    const call = { id: 'i', type: 'function', function: { name: 'f', arguments: '{}' } };
    const message = { role: 'assistant', content: 'c', refusal: null, reasoning_content: 'r', tool_calls: [call] };
    const choice = { index: 0, finish_reason: 'stop', message, logprobs: { content: [{ token: 'c' }] } };
    assert.deepEqual(answered({ id: 'x', model: 'm', system_fingerprint: 'fp', choices: [choice] }), [
      'choices[0].message.content',
      'choices[0].message.reasoning_content',
      'choices[0].message.tool_calls[0].function.arguments json',
    ]);
    const content = [
      { type: 'thinking', thinking: 't', signature: 's' },
      { type: 'text', text: 'x' },
      { type: 'tool_use', id: 'i', name: 'f', input: { to: 'a' } },
    ];
    assert.deepEqual(answered({ id: 'x', role: 'assistant', content }), [
      'content[0].thinking',
      'content[1].text',
      'content[2].input.to',
    ]);
    const output = [
      { type: 'message', id: 'm', content: [{ type: 'output_text', text: 'x' }] },
      { type: 'function_call', arguments: '{}' },
    ];
    assert.deepEqual(answered({ id: 'x', output }), ['output[0].content[0].text', 'output[1].arguments json']);
    assert.deepEqual(answered({ output: { message: { role: 'assistant', content: [{ text: 'x' }] } }, stopReason: 'end_turn' }), [
      'output.message.content[0].text',
    ]);
  });

  test('what tools of the provider did, asked and found', () => {
    const found = { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'd' }, title: 't' };
    const content = [
      { type: 'bash_code_execution_tool_result', content: { type: 'x', stdout: 'o', stderr: 'e', return_code: 0 } },
      { type: 'web_fetch_tool_result', content: { type: 'web_fetch_result', url: 'u', content: found } },
      { type: 'image', source: { type: 'base64', data: 'iVBO' } },
    ];
    assert.deepEqual(answered({ content }), [
      'content[0].content.stdout',
      'content[0].content.stderr',
      'content[1].content.content.source.data',
      'content[1].content.content.title',
    ]);
    const output = [
      { type: 'file_search_call', id: 'f', queries: ['q'], results: [{ file_id: 'i', filename: 'n', text: 't' }] },
      { type: 'shell_call', id: 's', action: { commands: ['c'] } },
      { type: 'web_search_call', id: 'w', action: { type: 'search', query: 'q' } },
    ];
    assert.deepEqual(answered({ output }), [
      'output[0].queries[0]',
      'output[0].results[0].text',
      'output[1].action.commands[0]',
      'output[2].action.query',
    ]);
    const details = [
      { type: 'reasoning.summary', summary: 's' },
      { type: 'reasoning.encrypted', data: 'x' },
    ];
    assert.deepEqual(answered({ choices: [{ index: 0, message: { reasoning_details: details } }] }), [
      'choices[0].message.reasoning_details[0].summary',
    ]);
  });

  test('streamed: pieces are known by the choice, the block or the item that they belong to, wherever that stands in an event', () => {
    const delta = (index: number, delta: object) => ({ id: 'x', choices: [{ index, delta }] });
    assert.deepEqual(answered(delta(1, { role: 'assistant', content: 'c' })), ['choices[1].delta.content +']);
    const call = { index: 2, function: { arguments: '{' } };
    assert.deepEqual(answered(delta(0, { tool_calls: [call] })), ['choices[0].delta.tool_calls[2].function.arguments + json']);
    assert.deepEqual(answered({ type: 'content_block_delta', index: 3, delta: { type: 'text_delta', text: 't' } }), [
      '(index=3).delta.text +',
    ]);
    assert.deepEqual(answered({ type: 'content_block_delta', index: 3, delta: { type: 'signature_delta', signature: 's' } }), []);
    assert.deepEqual(answered({ contentBlockIndex: 0, delta: { toolUse: { input: '{' } } }), [
      '(contentBlockIndex=0).delta.toolUse.input + json',
    ]);
    const item = { item_id: 'i', output_index: 1, content_index: 0, delta: 'd' };
    assert.deepEqual(answered(item, 'response.output_text.delta'), ['(output_index=1,content_index=0).delta +']);
    assert.deepEqual(answered(item, 'response.function_call_arguments.delta'), ['(output_index=1,content_index=0).delta + json']);
    assert.deepEqual(answered({ type: 'response.function_call_arguments.delta', ...item }), [
      '(output_index=1,content_index=0).delta + json',
    ]);
    const candidate = { content: { role: 'model', parts: [{ text: 't' }, { functionCall: { name: 'f', args: { to: 'a' } } }] } };
    assert.deepEqual(answered({ candidates: [candidate], responseId: 'r' }), [
      'candidates[0].content.parts[0].text +',
      'candidates[0].content.parts[1].functionCall.args.to',
    ]);
    assert.deepEqual(answered({ choices: [{ index: 0, text: 't' }] }), ['choices[0].text +']);
  });
});
