// The Anthropic wire, seen by the real `@anthropic-ai/sdk` client, of this major and the one before.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import Anthropic, { BadRequestError } from '@anthropic-ai/sdk';
import Previous from 'anthropic-sdk-previous';
import { startSimulator } from '../index.ts';

const simulator = await startSimulator({ keys: ['right'] });
after(() => simulator.close());
const client = new Anthropic({ baseURL: simulator.origin, apiKey: 'right', maxRetries: 0 });
const previous = new Previous({ baseURL: simulator.origin, apiKey: 'right', maxRetries: 0 });
const hello = { model: 'claude-opus-5', max_tokens: 4000, messages: [{ role: 'user' as const, content: 'Hello, how are you?' }] };
const weather: Anthropic.Tool = {
  name: 'get_weather',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const clock: Anthropic.Tool = { name: 'get_time', input_schema: { type: 'object', properties: {} } };

const post = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${simulator.origin}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'right', 'anthropic-version': '2023-06-01', ...headers },
    body: JSON.stringify(body),
  });

test('a stream folds to the answer that is given whole, with the same usage', async () => {
  const whole = await client.messages.create(hello);
  const streamed = await client.messages.stream(hello).finalMessage();
  assert.match(JSON.stringify(whole.content), /Hello, how are you\?/);
  assert.deepEqual(streamed.content, whole.content);
  assert.equal(streamed.usage.output_tokens, whole.usage.output_tokens);
  assert.equal(whole.stop_reason, 'end_turn');
});

test('the client of the version before is served too', async () => {
  const answer = await previous.messages.create({ ...hello, temperature: 0.5 });
  assert.equal(answer.content[0]!.type, 'text');
});

test('thinking comes back signed, and a changed or foreign signature is refused', async () => {
  const thinking = { type: 'enabled' as const, budget_tokens: 1024 };
  const whole = await client.messages.create({ ...hello, thinking });
  const streamed = await client.messages.stream({ ...hello, thinking }).finalMessage();
  assert.deepEqual(streamed.content, whole.content);
  assert.ok(whole.usage.output_tokens_details!.thinking_tokens > 0);
  const next = (content: Anthropic.ContentBlockParam[]) =>
    client.messages.create({
      ...hello,
      thinking,
      messages: [...hello.messages, { role: 'assistant', content }, { role: 'user', content: 'go on' }],
    });
  assert.equal((await next(whole.content as Anthropic.ContentBlockParam[])).stop_reason, 'end_turn');
  const [first] = whole.content as [Anthropic.ThinkingBlock];
  for (const block of [
    { ...first, signature: 'foreign' },
    { ...first, thinking: `${first.thinking} indeed` },
  ])
    await assert.rejects(next([block]), (error: unknown) => {
      assert.ok(error instanceof BadRequestError);
      assert.match(error.message, /messages\.1\.content\.0: Invalid `signature` in `thinking` block/);
      return true;
    });
});

test('tools are called in parallel, and their results are quoted in the next turn', async () => {
  const ask = {
    ...hello,
    messages: [{ role: 'user' as const, content: 'use get_weather and get_time' }],
    tools: [weather, clock],
  };
  const answer = await client.messages.create(ask);
  const streamed = await client.messages.stream(ask).finalMessage();
  assert.equal(answer.stop_reason, 'tool_use');
  assert.deepEqual(streamed.content, answer.content);
  const calls = answer.content.filter(block => block.type === 'tool_use');
  assert.deepEqual(calls.map(call => call.name), ['get_weather', 'get_time']); // biome-ignore format: one fact a line
  assert.equal(typeof (calls[0]!.input as { city: unknown }).city, 'string');
  const results = calls.map(call => ({ type: 'tool_result' as const, tool_use_id: call.id, content: `result of ${call.name}` }));
  const messages = [...ask.messages, { role: 'assistant' as const, content: calls }, { role: 'user' as const, content: results }];
  assert.match(
    JSON.stringify((await client.messages.create({ ...ask, messages })).content),
    /result of get_weather.*result of get_time/,
  );
  const one = await client.messages.create({ ...ask, tool_choice: { type: 'auto', disable_parallel_tool_use: true } });
  assert.equal(one.content.length, 1);
  const forced = await client.messages.create({
    ...hello,
    tools: [weather, clock],
    tool_choice: { type: 'tool', name: 'get_time' },
  });
  assert.equal(forced.stop_reason, 'tool_use');
});

test('an answer with a JSON schema validates', async () => {
  const schema = {
    type: 'object',
    properties: { n: { type: 'integer', minimum: 3 } },
    required: ['n'],
    additionalProperties: false,
  };
  const answer = await client.messages.create({ ...hello, output_config: { format: { type: 'json_schema', schema } } });
  const { n } = JSON.parse((answer.content[0] as Anthropic.TextBlock).text);
  assert.ok(Number.isInteger(n) && n >= 3);
});

test('stop sequences and max_tokens end the answer with their reasons', async () => {
  const stopped = await client.messages.create({ ...hello, stop_sequences: ['simulated'] });
  assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ['stop_sequence', 'simulated']);
  const cut = await client.messages.create({ ...hello, max_tokens: 3 });
  assert.deepEqual([cut.stop_reason, cut.usage.output_tokens], ['max_tokens', 3]);
});

test('cache marks show in the usage: written at first, read in the next turn', async () => {
  const system = [
    {
      type: 'text' as const,
      text: 'You know many things. '.repeat(10),
      cache_control: { type: 'ephemeral' as const, ttl: '1h' as const },
    },
  ];
  const first = await client.messages.create({ ...hello, system });
  assert.equal(first.usage.cache_creation!.ephemeral_1h_input_tokens, 55);
  const messages = [...hello.messages, { role: 'assistant' as const, content: 'Fine.' }, ...hello.messages];
  const second = await client.messages.create({ ...hello, system, messages });
  assert.deepEqual([second.usage.cache_read_input_tokens, second.usage.cache_creation_input_tokens], [55, 0]);
});

test('tokens are counted as the answer would count them', async () => {
  const { max_tokens: _, ...counted } = hello;
  assert.equal(
    (await client.messages.countTokens(counted)).input_tokens,
    (await client.messages.create(hello)).usage.input_tokens,
  );
});

test('images and documents are named with type and size', async () => {
  const data = Buffer.alloc(9).toString('base64');
  const answer = await client.messages.create({
    ...hello,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data } },
          { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'abc' } },
        ],
      },
    ],
  });
  assert.match(JSON.stringify(answer.content), /an image of type image\/png, 9 bytes.*a document of type text\/plain, 3 bytes/);
});

test('models are listed in the wire of the client', async () => {
  const models = await client.models.list();
  assert.equal(models.data[0]!.type, 'model');
});

test('of two credentials x-api-key wins', async () => {
  assert.equal((await post(hello, { 'x-api-key': 'wrong', authorization: 'Bearer right' })).status, 401);
  assert.equal((await post(hello, { 'x-api-key': 'right', authorization: 'Bearer wrong' })).status, 200);
});

const call = { type: 'tool_use', id: 'toolu_1', name: 'get_time', input: {} };
const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: 'noon' };
const user = { role: 'user', content: 'hi' };
const later = { 'anthropic-version': '2026-10-21' };
const mark = { type: 'text', text: 'x', cache_control: { type: 'ephemeral' } };
const refused: Record<string, readonly [fields: Record<string, unknown>, message: RegExp, headers?: Record<string, string>]> = {
  'an unknown field': [{ stream_options: {} }, /^stream_options: Extra inputs are not permitted$/],
  'a missing max_tokens': [{ max_tokens: undefined }, /^max_tokens: Field required$/],
  'a temperature in the later version': [{ temperature: 1 }, /^temperature: Extra inputs are not permitted$/, later],
  'an unknown block': [
    { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
    /^messages\.0\.content\.0: Input tag 'image_url' found using 'type'/,
  ],
  'an unknown field in a block': [
    { messages: [{ role: 'user', content: [{ type: 'text', text: 'x', foo: 1 }] }] },
    /^messages\.0\.content\.0\.text\.foo: Extra inputs/,
  ],
  'the role tool': [{ messages: [{ role: 'tool', content: 'x' }] }, /^messages\.0\.role: Input should be 'user' or 'assistant'/],
  'a bad tool id': [
    { messages: [user, { role: 'assistant', content: [{ ...call, id: 'call:1' }] }] },
    /tool_use\.id: String should match pattern '\^\[a-zA-Z0-9_-\]\+\$'/,
  ],
  'a call without a result': [
    { messages: [user, { role: 'assistant', content: [call] }, user] },
    /^messages\.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1\./,
  ],
  'a result after text': [
    {
      messages: [user, { role: 'assistant', content: [call] }, { role: 'user', content: [{ type: 'text', text: 'x' }, result] }],
    },
    /without `tool_result` blocks immediately after/,
  ],
  'a result without a call': [
    { messages: [{ role: 'user', content: [result] }] },
    /^messages\.0\.content\.0: unexpected `tool_use_id`/,
  ],
  'an empty text': [
    { messages: [{ role: 'user', content: [{ type: 'text', text: '' }] }] },
    /text content blocks must be non-empty/,
  ],
  'five cache marks': [
    { messages: [{ role: 'user', content: Array(5).fill(mark) }] },
    /A maximum of 4 blocks with cache_control may be provided\. Found 5\./,
  ],
  'a budget above max_tokens': [
    { thinking: { type: 'enabled', budget_tokens: 9000 } },
    /`max_tokens` must be greater than `thinking\.budget_tokens`/,
  ],
  'an assistant document in the later version': [
    {
      messages: [
        user,
        { role: 'assistant', content: [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'x' } }] },
        user,
      ],
    },
    /`document` blocks are not permitted/,
    later,
  ],
  'a version that does not exist': [{}, /is not a valid version/, { 'anthropic-version': '2024-01-01' }],
};
for (const [name, [fields, message, headers]] of Object.entries(refused))
  test(`Anthropic refuses ${name} in its own words`, async () => {
    const answer = await post({ ...hello, ...fields }, headers);
    const body = (await answer.json()) as { type: string; error: { type: string; message: string }; request_id: string };
    assert.equal(answer.status, 400);
    assert.equal(body.type, 'error');
    assert.equal(body.error.type, 'invalid_request_error');
    assert.match(body.error.message, message);
    assert.match(body.request_id, /^req_/);
  });
