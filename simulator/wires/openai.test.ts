// The OpenAI, Azure and vLLM wires, seen by the real `openai` client.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI, { AzureOpenAI, BadRequestError } from 'openai';
import { startSimulator } from '../index.ts';

const simulator = await startSimulator();
after(() => simulator.close());
const clients = {
  openai: new OpenAI({ baseURL: `${simulator.origin}/v1`, apiKey: 'sk-test', maxRetries: 0 }),
  azure: new AzureOpenAI({ endpoint: simulator.origin, apiKey: 'azure-key', apiVersion: '2025-04-01-preview', maxRetries: 0 }),
  vllm: new OpenAI({ baseURL: `${simulator.origin}/vllm/v1`, apiKey: 'none', maxRetries: 0 }),
};
const { openai, vllm } = clients;
const hello = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'Hello, how are you?' }] };
const weather = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 1 } },
      required: ['city', 'days'],
    },
  },
};
const clock = { type: 'function' as const, function: { name: 'get_time', parameters: { type: 'object', properties: {} } } };

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(simulator.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer k', ...headers },
    body: JSON.stringify(body),
  });

for (const [name, client] of Object.entries(clients)) {
  test(`${name}: a stream folds to the answer that is given whole, with the same usage`, async () => {
    const whole = await client.chat.completions.create(hello);
    const streamed = await client.chat.completions
      .stream({ ...hello, stream_options: { include_usage: true } })
      .finalChatCompletion();
    assert.match(whole.choices[0]!.message.content!, /Hello, how are you\?/);
    assert.equal(streamed.choices[0]!.message.content, whole.choices[0]!.message.content);
    assert.equal(streamed.choices[0]!.finish_reason, 'stop');
    assert.equal(streamed.usage!.completion_tokens, whole.usage!.completion_tokens);
    assert.equal(streamed.usage!.total_tokens, whole.usage!.total_tokens);
  });

  test(`${name}: tools are called in parallel, and their results are quoted in the next turn`, async () => {
    const ask = {
      ...hello,
      messages: [{ role: 'user' as const, content: 'use get_weather and get_time' }],
      tools: [weather, clock],
    };
    const { message, finish_reason } = (await client.chat.completions.create(ask)).choices[0]!;
    assert.equal(finish_reason, 'tool_calls');
    const calls = message.tool_calls!.filter(call => call.type === 'function');
    assert.deepEqual(calls.map(call => call.function.name), ['get_weather', 'get_time']); // biome-ignore format: one fact a line
    const args = JSON.parse(calls[0]!.function.arguments);
    assert.equal(typeof args.city, 'string');
    assert.ok(Number.isInteger(args.days) && args.days >= 1);
    const results = calls.map(call => ({
      role: 'tool' as const,
      tool_call_id: call.id,
      content: `result of ${call.function.name}`,
    }));
    const next = await client.chat.completions.create({ ...ask, messages: [...ask.messages, message, ...results] });
    assert.match(next.choices[0]!.message.content!, /result of get_weather.*result of get_time/);
    const streamed = await client.chat.completions.stream(ask).finalChatCompletion();
    assert.deepEqual(
      streamed.choices[0]!.message.tool_calls!.map(call => call.type === 'function' && call.function.arguments),
      calls.map(call => call.function.arguments),
    );
  });

  test(`${name}: an answer with a JSON schema validates`, async () => {
    const schema = {
      type: 'object',
      properties: { city: { type: 'string' }, tags: { type: 'array', items: { enum: ['x', 'y'] } } },
      required: ['city', 'tags'],
      additionalProperties: false,
    };
    const answer = await client.chat.completions.create({
      ...hello,
      response_format: { type: 'json_schema', json_schema: { name: 'place', schema, strict: true } },
    });
    const value = JSON.parse(answer.choices[0]!.message.content!);
    assert.equal(typeof value.city, 'string');
    assert.deepEqual(value.tags, ['x']);
  });
}

test('the same request is answered the same way, except for its time', async () => {
  const [first, second] = await Promise.all(
    [1, 2].map(async () => ({ ...(await openai.chat.completions.create(hello)), created: 0 })),
  );
  assert.deepEqual(first, second);
  const other = await openai.chat.completions.create({ ...hello, model: 'gpt-4o-mini' });
  assert.notEqual(other.choices[0]!.message.content, first!.choices[0]!.message.content);
});

test('max_tokens cuts the answer, a stop sequence ends it, n multiplies it', async () => {
  const cut = await openai.chat.completions.create({ ...hello, max_tokens: 5 });
  assert.equal(cut.choices[0]!.finish_reason, 'length');
  assert.equal(cut.usage!.completion_tokens, 5);
  const stopped = await openai.chat.completions.create({ ...hello, stop: [' simulated'] });
  assert.equal(stopped.choices[0]!.message.content, 'This is gpt-4o,');
  assert.equal(stopped.choices[0]!.finish_reason, 'stop');
  const several = await openai.chat.completions.create({ ...hello, n: 3 });
  assert.equal(new Set(several.choices.map(choice => choice.message.content)).size, 3);
});

test('logprobs cover the answer token by token, streamed too', async () => {
  const whole = await openai.chat.completions.create({ ...hello, logprobs: true, top_logprobs: 2 });
  const { message, logprobs } = whole.choices[0]!;
  assert.equal(logprobs!.content!.map(({ token }) => token).join(''), message.content);
  assert.ok(logprobs!.content!.every(({ top_logprobs }) => top_logprobs.length === 2));
  const tokens: string[] = [];
  for await (const chunk of await openai.chat.completions.create({ ...hello, logprobs: true, stream: true }))
    tokens.push(...(chunk.choices[0]?.logprobs?.content ?? []).map(({ token }) => token));
  assert.equal(tokens.join(''), message.content);
});

test('reasoning is counted and not shown by OpenAI, shown by vLLM', async () => {
  const hidden = await openai.chat.completions.create({ ...hello, model: 'gpt-5-mini', reasoning_effort: 'low' });
  assert.ok(hidden.usage!.completion_tokens_details!.reasoning_tokens! > 0);
  assert.doesNotMatch(JSON.stringify(hidden), /The user wrote/);
  const shown = await vllm.chat.completions.create({ ...hello, reasoning_effort: 'low' });
  assert.match((shown.choices[0]!.message as { reasoning?: string }).reasoning!, /The user wrote/);
  const old = await vllm.chat.completions.create({ ...hello, model: 'tiny!reasoning-content', reasoning_effort: 'low' });
  assert.match((old.choices[0]!.message as { reasoning_content?: string }).reasoning_content!, /The user wrote/);
});

test('images and files are named with type and size', async () => {
  const answer = await openai.chat.completions.create({
    ...hello,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${Buffer.alloc(10).toString('base64')}` } },
          {
            type: 'file',
            file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${Buffer.alloc(7).toString('base64')}` },
          },
        ],
      },
    ],
  });
  assert.match(
    answer.choices[0]!.message.content!,
    /an image of type image\/png, 10 bytes.*a document of type application\/pdf, 7 bytes/,
  );
});

test('a prompt_cache_key makes the turns before the last message cached tokens', async () => {
  const messages = [
    { role: 'user' as const, content: 'a long beginning '.repeat(20) },
    { role: 'assistant' as const, content: 'an answer' },
    { role: 'user' as const, content: 'and now?' },
  ];
  const cached = await openai.chat.completions.create({ model: 'gpt-4o', messages, prompt_cache_key: 'k' });
  assert.equal(cached.usage!.prompt_tokens_details!.cached_tokens, cached.usage!.prompt_tokens - 6);
  const plain = await openai.chat.completions.create({ model: 'gpt-4o', messages });
  assert.equal(plain.usage!.prompt_tokens_details!.cached_tokens, 0);
});

const user = { role: 'user', content: 'hi' };
const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } };
const refused: Record<string, readonly [body: Record<string, unknown>, message: RegExp, code?: string]> = {
  'an unknown field': [{ foo: 1 }, /^Unrecognized request argument supplied: foo$/],
  cache_control: [
    { messages: [{ role: 'user', content: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral' } }] }] },
    /^Unknown parameter: 'messages\[0\]\.content\[0\]\.cache_control'\.$/,
    'unknown_parameter',
  ],
  'no messages': [{ messages: undefined }, /^Missing required parameter: 'messages'\.$/, 'missing_required_parameter'],
  'empty messages': [{ messages: [] }, /empty|too short/, 'empty_array'],
  'a temperature above 2': [{ temperature: 3 }, /above maximum value.*<= 2, but got 3/, 'decimal_above_max_value'],
  'a temperature that is text': [
    { temperature: 'hot' },
    /^Invalid type for 'temperature': expected a number, but got a string/,
    'invalid_type',
  ],
  'an unknown role': [
    { messages: [{ role: 'robot', content: 'x' }] },
    /^Invalid value: 'robot'\. Supported values are:/,
    'invalid_value',
  ],
  'a thinking block': [
    { messages: [{ role: 'assistant', content: [{ type: 'thinking', thinking: 'x', signature: 'y' }] }] },
    /'thinking'/,
    'invalid_value',
  ],
  'tool calls without results': [
    { messages: [user, { role: 'assistant', content: null, tool_calls: [call] }, user] },
    /must be followed by tool messages.*call_1/,
  ],
  'a result without a call': [
    { messages: [user, { role: 'tool', tool_call_id: 'call_1', content: 'x' }] },
    /must be a response to a preceeding message/,
  ],
  'a tool id that is too long': [
    { messages: [user, { role: 'assistant', tool_calls: [{ ...call, id: 'x'.repeat(41) }] }] },
    /string too long.*maximum length 40/,
    'string_above_max_length',
  ],
  'stream_options without stream': [{ stream_options: { include_usage: true } }, /only allowed when 'stream' is enabled/],
  'tool_choice without tools': [{ tool_choice: 'auto' }, /only allowed when 'tools' are specified/],
  'max_tokens for a reasoning model': [
    { model: 'gpt-5', max_tokens: 5 },
    /Use 'max_completion_tokens' instead/,
    'unsupported_parameter',
  ],
  'a temperature for a reasoning model': [
    { model: 'o4-mini', temperature: 0 },
    /does not support 0 with this model/,
    'unsupported_value',
  ],
  'an open strict schema': [
    {
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'x', strict: true, schema: { type: 'object', properties: {} } },
      },
    },
    /'additionalProperties' is required to be supplied and to be false/,
  ],
  'json_object without the word': [{ response_format: { type: 'json_object' } }, /must contain the word 'json'/],
};
for (const [name, [fields, message, code]] of Object.entries(refused))
  test(`OpenAI refuses ${name} in its own words`, async () => {
    const answer = await post('/v1/chat/completions', { model: 'gpt-4o', messages: [user], ...fields });
    const { error } = (await answer.json()) as { error: { message: string; type: string; code: string | null } };
    assert.equal(answer.status, 400);
    assert.match(error.message, message);
    assert.equal(error.type, 'invalid_request_error');
    assert.equal(error.code, code ?? null);
  });

test('the client sees a refusal as its own error class', async () => {
  await assert.rejects(openai.chat.completions.create({ ...hello, n: 0 }), BadRequestError);
});

test('no credential is 401; vLLM needs none', async () => {
  assert.equal((await post('/v1/chat/completions', hello, { authorization: '' })).status, 401);
  assert.equal((await post('/vllm/v1/chat/completions', hello, { authorization: '' })).status, 200);
});

test('Azure: without api-version there is no such resource, and each frame has the filter’s verdict', async () => {
  const path = '/openai/deployments/my-gpt/chat/completions';
  assert.equal((await post(path, hello, { 'api-key': 'k' })).status, 404);
  const stream = await post(`${path}?api-version=2024-10-21`, { ...hello, stream: true }, { 'api-key': 'k' });
  const frames = (await stream.text()).split('\n\n').filter(frame => frame.startsWith('data: {'));
  assert.match(frames[0]!, /"prompt_filter_results"/);
  assert.ok(frames.slice(1).every(frame => frame.includes('"content_filter_results"') && frame.includes('"model":"my-gpt"')));
  assert.equal((await post('/openai/v1/chat/completions', hello, { 'api-key': 'k' })).status, 200);
});

test('vLLM ignores unknown fields and words its errors as in the recordings', async () => {
  const path = '/vllm/v1/chat/completions';
  assert.equal((await post(path, { ...hello, guided_regex: 'x' })).status, 200);
  const errorOf = async (fields: object) =>
    ((await (await post(path, { ...hello, ...fields })).json()) as { error: unknown }).error;
  assert.deepEqual(await errorOf({ temperature: 9 }), {
    message: 'temperature must be in [0, 2], got 9.0. (parameter=temperature, value=9.0)',
    type: 'BadRequestError',
    param: 'temperature',
    code: 400,
  });
  assert.deepEqual(await errorOf({ messages: 'hi' }), {
    message:
      "1 validation error:\n  {'type': 'list_type', 'loc': 'body.messages', 'msg': 'Input should be a valid list', 'input': 'hi'}",
    type: 'Bad Request',
    param: 'body.messages',
    code: 400,
  });
});

test('vLLM finishes in the frame of the last content', async () => {
  const stream = await post('/vllm/v1/chat/completions', { ...hello, stream: true });
  const frames = (await stream.text()).split('\n\n').filter(Boolean);
  assert.match(frames.at(-2)!, /"delta":{"content":"[^"].*"finish_reason":"stop","stop_reason":null/);
  assert.equal(frames.at(-1), 'data: [DONE]');
});

test('a whole listener can be a vLLM server', async t => {
  const server = await startSimulator({ wire: 'vllm' });
  t.after(() => server.close());
  const get = (path: string) => fetch(server.origin + path);
  assert.equal((await get('/health')).status, 200);
  assert.deepEqual(await (await get('/version')).json(), { version: '0.32.0' });
  assert.match(await (await get('/v1/models')).text(), /"max_model_len"/);
});
