// The real Anthropic SDK, this major (API version 2026-10-21, bearer token) and the one before (2023-06-01, x-api-key), against every
// provider type.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import AnthropicPrevious from 'anthropic-sdk-previous';
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

let stage: Stage;
before(async () => {
  stage = await openStage();
});
after(() => stage?.close());

type Sdk = { readonly name: string; readonly create: () => Anthropic; readonly samples: boolean };

// The two majors differ in nothing that is used here; the older one's types are taken for the newer's.
const sdks: readonly Sdk[] = [
  {
    name: '@anthropic-ai/sdk',
    samples: false,
    create: () => new Anthropic({ baseURL: stage.url, apiKey: clientKey, maxRetries: 0 }),
  },
  {
    name: '@anthropic-ai/sdk (previous major)',
    samples: true,
    create: () => new AnthropicPrevious({ baseURL: stage.url, apiKey: clientKey, maxRetries: 0 }) as unknown as Anthropic,
  },
];

type Params = Anthropic.MessageCreateParamsNonStreaming;
const says = (content: string): Anthropic.MessageParam[] => [{ role: 'user', content }];
const tools: Anthropic.Tool[] = [
  { name: 'get_weather', description: 'Weather of a city', input_schema: weatherSchema as unknown as Anthropic.Tool.InputSchema },
  { name: 'get_time', input_schema: { type: 'object', properties: {} } },
];

for (const sdk of sdks) {
  for (const target of targets) describe(`${sdk.name} to ${target.name}`, () => suite(sdk, target));
}

function suite({ create, samples }: Sdk, target: Target): void {
  const { model, thinker } = target;
  const asking = (content: string, rest: Partial<Params> = {}): Params => ({
    model,
    max_tokens: 500,
    system: 'You are brief.',
    messages: says(content),
    ...rest,
  });

  test('chat: an answer with usage, cost and where it came from', async () => {
    const { data, response } = await create().messages.create(asking('Tell me of tolls.')).withResponse();
    assert.match(textOf(data), /Tell me of tolls\./);
    assert.equal(data.type, 'message');
    assert.equal(data.stop_reason, 'end_turn');
    const { input_tokens, output_tokens } = data.usage;
    assert.ok(input_tokens > 0 && output_tokens > 0);
    // Prices of these models: 1 microdollar a token in, 2 out; cached tokens cost as much here.
    const read = (data.usage.cache_read_input_tokens ?? 0) + (data.usage.cache_creation_input_tokens ?? 0);
    assert.equal(
      Math.round(Number(response.headers.get('x-tollgate-cost-usd')) * 1e9),
      (input_tokens + read) * 1000 + output_tokens * 2000,
    );
    assert.match(response.headers.get('x-tollgate-provider') ?? '', new RegExp(target.type, 'i'));
  });

  test('streaming: the events are well formed and fold to the same answer', async () => {
    const client = create();
    const whole = await client.messages.create(asking('Count the tolls.'));
    const stream = client.messages.stream(asking('Count the tolls.'));
    const kinds: string[] = [];
    for await (const event of stream) kinds.push(event.type);
    const final = await stream.finalMessage();
    assert.equal(textOf(final), textOf(whole));
    assert.equal(final.stop_reason, 'end_turn');
    assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
    assert.equal(final.usage.input_tokens, whole.usage.input_tokens);
    assert.equal(kinds[0], 'message_start');
    assert.equal(kinds.at(-1), 'message_stop');
    assert.ok(kinds.filter(kind => kind === 'content_block_delta').length > 3);
  });

  test('tools: parallel calls, streamed, their results, and an answer that uses them', async () => {
    const client = create();
    const asked = asking('Use get_weather and get_time, both.', { tools });
    const first = await client.messages.stream(asked).finalMessage();
    assert.equal(first.stop_reason, 'tool_use');
    const calls = callsIn(first);
    assert.deepEqual(
      calls.map(call => call.name),
      ['get_weather', 'get_time'],
    );
    assert.ok(
      ['celsius', 'fahrenheit'].includes(String((calls[0]!.input as Record<string, unknown>).unit)),
      JSON.stringify(calls[0]),
    );
    assert.deepEqual(calls[1]!.input, {});
    const second = await client.messages.create({
      ...asked,
      messages: [...asked.messages, turnOf(first), results(calls, 'noon')],
    });
    assert.equal(second.stop_reason, 'end_turn');
    assert.match(textOf(second), /get_time returned: noon/);
    const whole = await client.messages.create(asked);
    assert.deepEqual(callsIn(whole).map(withoutId), calls.map(withoutId), 'not streamed: the same calls');
  });

  test('tools: parallel calls can be switched off, and a tool can be forced or forbidden', async () => {
    const client = create();
    const both = 'Use get_weather and get_time, both.';
    const { data: single, response } = await client.messages
      .create(asking(both, { tools, tool_choice: { type: 'auto', disable_parallel_tool_use: true } }))
      .withResponse();
    if (target.lacks?.includes('parallel_tool_calls')) assertDropped(response, 'parallel_tool_calls');
    else assert.equal(callsIn(single).length, 1);
    const forced = await client.messages.create(asking('Hello.', { tools, tool_choice: { type: 'tool', name: 'get_time' } }));
    assert.deepEqual(
      callsIn(forced).map(call => call.name),
      ['get_time'],
    );
    const any = await client.messages.create(asking('Hello.', { tools, tool_choice: { type: 'any' } }));
    assert.equal(callsIn(any).length, 1);
    const none = await client.messages.create(asking(both, { tools, tool_choice: { type: 'none' } }));
    assert.equal(callsIn(none).length, 0);
  });

  test('tools: an error result is passed on as one', async () => {
    const client = create();
    const asked = asking('Use get_weather for Kiel.', { tools });
    const first = await client.messages.create(asked);
    const failed: Anthropic.MessageParam = {
      role: 'user',
      content: callsIn(first).map(({ id }) => ({
        type: 'tool_result' as const,
        tool_use_id: id,
        is_error: true,
        content: [{ type: 'text' as const, text: 'no such city' }],
      })),
    };
    const second = await client.messages.create({ ...asked, messages: [...asked.messages, turnOf(first), failed] });
    assert.match(textOf(second), /no such city/);
  });

  test('vision: the model sees the image with its type and size', async () => {
    const reply = await create().messages.create(
      asking('', {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
              { type: 'text', text: 'What is this?' },
            ],
          },
        ],
      }),
    );
    assert.match(textOf(reply), new RegExp(`image of type image/png, ${Buffer.from(png, 'base64').length} bytes`));
  });

  test('documents: the model sees a PDF, or the answer says that it did not', async () => {
    const sent = create().messages.create(
      asking('', {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'document', title: 'a', source: { type: 'base64', media_type: 'application/pdf', data: pdf } },
              { type: 'text', text: 'Read this.' },
            ],
          },
        ],
      }),
    );
    // Its own messages have none, and what passes through is not made smaller.
    if (target.type === 'VLLM') return assert.rejects(sent, (error: { status?: number }) => error.status === 400);
    const { data: reply, response } = await sent.withResponse();
    if (target.takesDocuments) assert.match(textOf(reply), /document of type application\/pdf/);
    else assert.ok(response.headers.get('x-tollgate-dropped'), 'what was left out is named');
  });

  test('JSON schema: the answer is of that shape, whole and streamed', async () => {
    const client = create();
    const asked = asking('Invent a person.', { output_config: { format: { type: 'json_schema', schema: personSchema } } });
    if (target.lacks?.includes('response_format'))
      return assertDropped(await client.messages.create(asked).asResponse(), 'response_format');
    for (const reply of [await client.messages.create(asked), await client.messages.stream(asked).finalMessage()]) {
      const person = JSON.parse(textOf(reply));
      assert.deepEqual(Object.keys(person).sort(), ['age', 'name', 'tags']);
    }
  });

  test('thinking: shown where the target shows it, and it survives the round trip with tools', async () => {
    const client = create();
    const asked = asking('Think, then use get_weather.', {
      model: thinker,
      max_tokens: 4000,
      thinking: { type: 'enabled', budget_tokens: 1024 },
      tools,
    });
    const first = await client.messages.stream(asked).finalMessage();
    assert.equal(callsIn(first).length, 1);
    const thoughts = first.content.filter(block => block.type === 'thinking');
    if (target.showsThinking) assert.ok(thoughts.length === 1 && thoughts[0]!.thinking.length > 0, JSON.stringify(first.content));
    const second = await client.messages.create({
      ...asked,
      messages: [...asked.messages, turnOf(first), results(callsIn(first), 'rain')],
    });
    assert.match(textOf(second), /get_weather returned: rain/);
  });

  test('prompt-cache marks reach a target that knows them and disturb no other', async () => {
    const client = create();
    const asked = asking('Remember.', {
      system: [{ type: 'text', text: 'A long preamble. '.repeat(800), cache_control: { type: 'ephemeral' } }],
      tools: [{ ...tools[0]!, cache_control: { type: 'ephemeral', ttl: '1h' } }],
    });
    const reply = await client.messages.create(asked);
    assert.ok(textOf(reply).length > 0);
    if (target.type === 'Anthropic') assert.ok((reply.usage.cache_creation_input_tokens ?? 0) > 0, JSON.stringify(reply.usage));
  });

  test('stop sequences end the answer, max tokens cut it', async () => {
    const client = create();
    const stopped = await client.messages.create(asking('Go on.', { stop_sequences: ['You said'] }));
    assert.ok(!textOf(stopped).includes('You said'));
    // Only Anthropic's and vLLM's wires tell a stop sequence from an end.
    if (target.wire === 'anthropic')
      assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ['stop_sequence', 'You said']);
    const cut = await client.messages.create(asking('Go on.', { max_tokens: 4 }));
    assert.equal(cut.stop_reason, 'max_tokens');
    assert.equal(cut.usage.output_tokens, 4);
  });

  test('sampling parameters work for clients whose API version has them', {
    skip: !samples && 'this major does not send them',
  }, async () => {
    const reply = await create().messages.create({
      ...asking('Vary.'),
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
    } as Params);
    assert.ok(textOf(reply).length > 0);
  });

  test('a conversation that another provider began goes on here', async () => {
    const client = create();
    const other = targets.find(candidate => candidate.wire !== target.wire)!;
    const asked = asking('Think, then use get_weather.', {
      model: other.thinker,
      max_tokens: 4000,
      thinking: { type: 'enabled', budget_tokens: 1024 },
      tools,
    });
    const first = await client.messages.create(asked);
    const messages = [...asked.messages, turnOf(first), results(callsIn(first), 'rain')];
    const second = await client.messages.create({ ...asked, model: thinker, messages });
    assert.match(textOf(second), /get_weather returned: rain/);
  });

  test('count_tokens counts where the provider does', async () => {
    const asked = { model, messages: says('How long is this?') };
    const thought = { type: 'thinking' as const, thinking: 'Hm.', signature: 'tollgate-unsigned' };
    const foreign = { role: 'assistant' as const, content: [thought, { type: 'text' as const, text: 'So.' }] };
    const longer = { model, messages: [...asked.messages, foreign, ...asked.messages] };
    if (target.wire === 'anthropic')
      for (const body of [asked, longer]) assert.ok((await create().messages.countTokens(body)).input_tokens > 0);
    else {
      const counted = await create()
        .messages.countTokens(asked)
        .catch((error: unknown) => error as Error & { status?: number });
      if (counted instanceof Error) assert.equal(counted.status, 501, counted.message);
      else assert.ok(counted.input_tokens > 0);
    }
  });
}

const textOf = (reply: Anthropic.Message): string =>
  reply.content.map(block => (block.type === 'text' ? block.text : '')).join('');
const callsIn = (reply: Anthropic.Message): Anthropic.ToolUseBlock[] => reply.content.filter(block => block.type === 'tool_use');
const turnOf = (reply: Anthropic.Message): Anthropic.MessageParam => ({ role: 'assistant', content: reply.content });
const withoutId = ({ name, input }: Anthropic.ToolUseBlock) => ({ name, input });

const results = (calls: readonly Anthropic.ToolUseBlock[], content: string): Anthropic.MessageParam => ({
  role: 'user',
  content: calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content })),
});
