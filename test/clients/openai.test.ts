// The real OpenAI SDK, this major and the one before, against every provider type.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import OpenAIPrevious from 'openai-previous';
import { clientKey } from '#test/support/resources.ts';
import {
  assertDropped,
  openStage,
  pdf,
  personSchema,
  png,
  type Stage,
  type Target,
  targets,
  weatherSchema,
} from '#test/support/stage.ts';

type Messages = OpenAI.Chat.ChatCompletionMessageParam[];

let stage: Stage;
before(async () => {
  stage = await openStage();
});
after(() => stage?.close());

// The two majors differ in nothing that is used here; the older one's types are taken for the newer's.
const sdks: readonly [name: string, create: () => OpenAI][] = [
  ['openai', () => new OpenAI({ baseURL: `${stage.url}/v1`, apiKey: clientKey, maxRetries: 0 })],
  [
    'openai (previous major)',
    () => new OpenAIPrevious({ baseURL: `${stage.url}/v1`, apiKey: clientKey, maxRetries: 0 }) as unknown as OpenAI,
  ],
];

const says = (content: string): Messages => [
  { role: 'system', content: 'You are brief.' },
  { role: 'user', content },
];
const tools: OpenAI.Chat.ChatCompletionTool[] = [
  { type: 'function', function: { name: 'get_weather', description: 'Weather of a city', parameters: weatherSchema } },
  {
    type: 'function',
    function: { name: 'get_time', parameters: { type: 'object', properties: {}, additionalProperties: false } },
  },
];

for (const [sdk, create] of sdks) {
  for (const target of targets) describe(`${sdk} to ${target.name}`, () => suite(create, target));
}

function suite(create: () => OpenAI, target: Target): void {
  const { model, thinker } = target;

  test('chat: an answer with usage, cost and where it came from', async () => {
    const { data, response } = await create()
      .chat.completions.create({ model, messages: says('Tell me of tolls.') })
      .withResponse();
    const [choice] = data.choices;
    assert.match(choice!.message.content ?? '', /Tell me of tolls\./);
    assert.equal(choice!.finish_reason, 'stop');
    assert.equal(data.object, 'chat.completion');
    const { prompt_tokens, completion_tokens, total_tokens } = data.usage!;
    assert.ok(prompt_tokens > 0 && completion_tokens > 0);
    assert.equal(total_tokens, prompt_tokens + completion_tokens);
    // Prices of these models: 1 microdollar a token in, 2 out.
    const nanoUsd = prompt_tokens * 1000 + completion_tokens * 2000;
    assert.equal(Math.round(Number(response.headers.get('x-tollgate-cost-usd')) * 1e9), nanoUsd);
    assert.match(response.headers.get('x-tollgate-provider') ?? '', new RegExp(target.type, 'i'));
    assert.equal(response.headers.get('x-tollgate-model'), model);
  });

  test('streaming: the pieces are the same answer, with one finish', async () => {
    const client = create();
    const whole = await client.chat.completions.create({ model, messages: says('Count the tolls.') });
    const pieces: OpenAI.Chat.ChatCompletionChunk[] = [];
    for await (const piece of await client.chat.completions.create({ model, messages: says('Count the tolls.'), stream: true }))
      pieces.push(piece);
    assert.ok(pieces.length > 3);
    assert.equal(pieces.map(piece => piece.choices[0]?.delta.content ?? '').join(''), whole.choices[0]!.message.content);
    assert.deepEqual(
      pieces.flatMap(piece => piece.choices.flatMap(choice => choice.finish_reason ?? [])),
      ['stop'],
    );
    assert.ok(
      pieces.every(piece => !piece.usage),
      'no usage that nobody asked for',
    );
    assert.equal(new Set(pieces.map(piece => piece.id).filter(Boolean)).size, 1, 'one id');
  });

  test('streaming: usage comes last where it is asked for, and is that of the whole answer', async () => {
    const client = create();
    const whole = await client.chat.completions.create({ model, messages: says('Count again.') });
    const stream = await client.chat.completions.create({
      model,
      messages: says('Count again.'),
      stream: true,
      stream_options: { include_usage: true },
    });
    let last: OpenAI.Chat.ChatCompletionChunk | undefined;
    for await (const piece of stream) last = piece;
    assert.deepEqual(last!.choices, []);
    assert.equal(last!.usage?.prompt_tokens, whole.usage!.prompt_tokens);
    assert.equal(last!.usage?.completion_tokens, whole.usage!.completion_tokens);
  });

  test('tools: a call, its result, and an answer that uses it', async () => {
    const client = create();
    const messages = says('Use get_weather for Kiel.');
    const first = await client.chat.completions.create({ model, messages, tools });
    const { message, finish_reason } = first.choices[0]!;
    assert.equal(finish_reason, 'tool_calls');
    assert.deepEqual(calledNames(message), ['get_weather']);
    assertWeather(argumentsOf(message)[0]);
    const second = await client.chat.completions.create({
      model,
      tools,
      messages: [...messages, message, ...results(message, 'fourteen degrees')],
    });
    assert.equal(second.choices[0]!.finish_reason, 'stop');
    assert.match(second.choices[0]!.message.content ?? '', /get_weather returned: fourteen degrees/);
  });

  test('tools: parallel calls, streamed, and their results in another turn', async () => {
    const client = create();
    const messages = says('Use get_weather and get_time, both.');
    const stream = client.chat.completions.stream({ model, messages, tools });
    const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0]!;
    assert.equal(finish_reason, 'tool_calls');
    assert.deepEqual(calledNames(message), ['get_weather', 'get_time']);
    assert.equal(new Set(message.tool_calls!.map(call => call.id)).size, 2);
    assertWeather(argumentsOf(message)[0]);
    assert.deepEqual(argumentsOf(message)[1], {});
    const sent = { role: 'assistant' as const, content: message.content, tool_calls: message.tool_calls!.map(plainCall) };
    const next = await client.chat.completions.create({
      model,
      tools,
      messages: [...messages, sent, ...results(message, 'noon')],
    });
    assert.match(next.choices[0]!.message.content ?? '', /get_time returned: noon/);
  });

  test('tools: parallel calls can be switched off, and a tool can be forced or forbidden', async () => {
    const client = create();
    const both = says('Use get_weather and get_time, both.');
    const serial = { model, messages: both, tools, parallel_tool_calls: false };
    const { data: single, response } = await client.chat.completions.create(serial).withResponse();
    if (target.lacks?.includes('parallel_tool_calls')) assertDropped(response, 'parallel_tool_calls');
    else assert.equal(single.choices[0]!.message.tool_calls?.length, 1);
    const forced = await client.chat.completions.create({
      model,
      messages: says('Hello.'),
      tools,
      tool_choice: { type: 'function', function: { name: 'get_time' } },
    });
    assert.deepEqual(calledNames(forced.choices[0]!.message), ['get_time']);
    const required = await client.chat.completions.create({ model, messages: says('Hello.'), tools, tool_choice: 'required' });
    assert.equal(required.choices[0]!.message.tool_calls?.length, 1);
    const none = await client.chat.completions.create({ model, messages: both, tools, tool_choice: 'none' });
    assert.equal(none.choices[0]!.message.tool_calls, undefined);
  });

  test('vision: the model sees the image with its type and size', async () => {
    const reply = await create().chat.completions.create({
      model,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
          ],
        },
      ],
    });
    assert.match(
      reply.choices[0]!.message.content ?? '',
      new RegExp(`image of type image/png, ${Buffer.from(png, 'base64').length} bytes`),
    );
  });

  test('documents: the model sees a PDF', async () => {
    const reply = await create().chat.completions.create({
      model,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Read this.' },
            { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${pdf}` } },
          ],
        },
      ],
    });
    assert.match(reply.choices[0]!.message.content ?? '', /document of type application\/pdf/);
  });

  test('JSON schema: the answer is of that shape, whole and streamed', async () => {
    const client = create();
    const asked = {
      model,
      messages: says('Invent a person, as JSON.'),
      response_format: { type: 'json_schema', json_schema: { name: 'person', strict: true, schema: personSchema } },
    } as const;
    if (target.lacks?.includes('response_format'))
      return assertDropped(await client.chat.completions.create(asked).asResponse(), 'response_format');
    const whole = await client.chat.completions.create(asked);
    assertPerson(JSON.parse(whole.choices[0]!.message.content ?? ''));
    const streamed = await client.chat.completions.stream(asked).finalContent();
    assertPerson(JSON.parse(streamed ?? ''));
  });

  test('thinking: tokens spent on it are reported where the target shows them, and the answer comes after', async () => {
    const reply = await create().chat.completions.create({
      model: thinker,
      messages: says('Think first.'),
      reasoning_effort: 'low',
      max_completion_tokens: 8000,
    });
    assert.match(reply.choices[0]!.message.content ?? '', /Think first\./);
    if (target.countsThinking !== false)
      assert.ok((reply.usage!.completion_tokens_details?.reasoning_tokens ?? 0) > 0, JSON.stringify(reply.usage));
  });

  test('stop sequences end the answer, max tokens cut it', async () => {
    const client = create();
    const stopped = await client.chat.completions.create({ model, messages: says('Go on.'), stop: ['You said'] });
    assert.ok(!stopped.choices[0]!.message.content!.includes('You said'));
    assert.equal(stopped.choices[0]!.finish_reason, 'stop');
    const cut = await client.chat.completions.create({ model, messages: says('Go on.'), max_tokens: 4 });
    assert.equal(cut.choices[0]!.finish_reason, 'length');
    assert.equal(cut.usage!.completion_tokens, 4);
  });

  test('logprobs come where the target has them, and are left out where it has none', async () => {
    const asked = { model, messages: says('Be sure.'), logprobs: true, top_logprobs: 2 } as const;
    const client = create();
    const whole = await client.chat.completions.create(asked);
    const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
    for (const reply of [whole, streamed]) {
      const tokens = reply.choices[0]!.logprobs?.content;
      if (!target.hasLogprobs) assert.equal(tokens ?? null, null);
      else assert.equal(tokens!.map(({ token }) => token).join(''), reply.choices[0]!.message.content);
    }
  });

  test('sampling parameters and unknown settings of the client do not fail where the target lacks them', async () => {
    const reply = await create().chat.completions.create({
      model,
      messages: says('Vary.'),
      temperature: 0.5,
      top_p: 0.9,
      seed: 7,
      frequency_penalty: 0.1,
      user: 'u-1',
    });
    assert.ok(reply.choices[0]!.message.content);
  });
}

type Message = OpenAI.Chat.ChatCompletionMessage;

const plainCall = (call: OpenAI.Chat.ChatCompletionMessageToolCall): OpenAI.Chat.ChatCompletionMessageFunctionToolCall => {
  assert.ok(call.type === 'function');
  return { id: call.id, type: 'function', function: { name: call.function.name, arguments: call.function.arguments } };
};
const calledNames = (message: Message) => message.tool_calls?.map(call => plainCall(call).function.name);
const argumentsOf = (message: Message): Record<string, unknown>[] =>
  message.tool_calls!.map(call => JSON.parse(plainCall(call).function.arguments));
const results = (message: Message, content: string): Messages =>
  message.tool_calls!.map(({ id }) => ({ role: 'tool', tool_call_id: id, content }));

function assertWeather(found: Record<string, unknown> | undefined): void {
  assert.equal(typeof found?.city, 'string');
  assert.ok(['celsius', 'fahrenheit'].includes(String(found?.unit)), JSON.stringify(found));
}

function assertPerson(found: Record<string, unknown>): void {
  assert.deepEqual(Object.keys(found).sort(), ['age', 'name', 'tags']);
  assert.ok(Number.isInteger(found.age) && Array.isArray(found.tags), JSON.stringify(found));
}
