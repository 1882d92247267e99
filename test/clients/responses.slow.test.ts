// The real OpenAI SDK and the AI SDK over the Responses API: passed through where a provider speaks it, translated where it does not, and
// with what a provider keeps.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import Anthropic from '@anthropic-ai/sdk';
import { generateText, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import * as z from 'zod';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { clientKey, patient, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { png, weatherSchema } from '#test/support/stage.ts';
import { until } from '#test/support/until.ts';

const strangerKey = 'sk-test-99999999999999999999999999999999';
const capabilities = ['Chat', 'Tools', 'Vision', 'JSONSchema', 'Reasoning'];

/** By the name of their model: who speaks Responses, who is translated to, and who speaks nothing else. */
const models = {
  native: 'gpt-5-mini',
  azure: 'gpt-5',
  engine: 'tiny',
  messages: 'claude-opus-5',
  strict: 'claude-sonnet-4-5',
  chat: 'llama-3.3-70b',
  only: 'gpt-5-pro',
} as const;
type Kind = keyof typeof models;

let hosted: Simulator;
let engine: Simulator;
let gateway: Gateway;

before(async () => {
  hosted = await startSimulator();
  engine = await startSimulator({ wire: 'vllm', models: ['tiny'] });
  const of = (kind: Kind, type: Parameters<typeof provider>[1], spec: Record<string, unknown> = {}) => {
    const model = { name: kind, upstreamName: models[kind], capabilities };
    const base = type === 'VLLM' ? engine.origin : hosted.origin;
    return [
      provider(kind, type, base, [model], { ...patient, ...spec }),
      route(kind, kind, [kind], { retries: { attempts: 0 } }),
    ];
  };
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      tenantKey('stranger', strangerKey, { tenant: 'stranger' }),
      of('native', 'OpenAI'),
      of('azure', 'AzureOpenAI', { azureOpenAI: { endpoint: hosted.origin } }),
      of('engine', 'VLLM', { probes: { interval: '60s', staleAfter: '10m' } }),
      of('messages', 'Anthropic'),
      of('strict', 'Anthropic', { parameters: { dropUnsupported: false } }),
      of('chat', 'OpenAICompatible'),
      of('only', 'OpenAI'),
      route('mixed', 'mixed', [
        { name: 'messages', providerRef: { name: 'messages' }, model: 'messages' },
        { name: 'native', providerRef: { name: 'native' }, model: 'native' },
      ]),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await hosted?.close();
  await engine?.close();
});

const sdk = (apiKey = clientKey) => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, maxRetries: 0 });
const weather = { type: 'function', name: 'get_weather', parameters: weatherSchema, strict: true } as const;

async function refusal(promise: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof OpenAI.APIError, String(error));
    return error;
  }
  return assert.fail('it was not refused');
}

for (const kind of ['native', 'azure', 'engine', 'messages', 'chat', 'only'] as const)
  describe(`the openai SDK over Responses to ${models[kind]}`, () => {
    test('an answer with usage', async () => {
      const answer = await sdk().responses.create({ model: kind, instructions: 'Be brief.', input: 'Tell me of tolls.' });
      assert.equal(answer.object, 'response');
      assert.equal(answer.status, 'completed');
      assert.match(answer.output_text, /Tell me of tolls\./);
      const { input_tokens, output_tokens, total_tokens } = answer.usage!;
      assert.ok(input_tokens > 0 && output_tokens > 0);
      assert.equal(total_tokens, input_tokens + output_tokens);
    });

    test('a stream has all events in their order, and the pieces are the answer', async () => {
      const stream = sdk().responses.stream({ model: kind, input: 'Count the tolls.' });
      const types: string[] = [];
      const numbers: number[] = [];
      for await (const event of stream) {
        types.push(event.type);
        numbers.push(event.sequence_number);
      }
      const last = await stream.finalResponse();
      assert.match(last.output_text, /Count the tolls\./);
      assert.deepEqual(numbers, [...numbers.keys()]);
      const order = [...new Set(types)];
      assert.deepEqual(order.slice(0, 5), [
        'response.created',
        'response.in_progress',
        'response.output_item.added',
        'response.content_part.added',
        'response.output_text.delta',
      ]);
      assert.equal(types.at(-1), 'response.completed');
      assert.ok(last.usage && last.usage.output_tokens > 0);
    });

    test('a call, its result, and the answer after it', async () => {
      const input: OpenAI.Responses.ResponseInput = [{ role: 'user', content: 'Use get_weather for Paris.' }];
      const first = await sdk().responses.create({ model: kind, input, tools: [weather], store: false });
      const call = first.output.find(item => item.type === 'function_call');
      assert.ok(call);
      assert.ok('city' in JSON.parse(call.arguments));
      const output = { type: 'function_call_output', call_id: call.call_id, output: '22 degrees' } as const;
      const second = await sdk().responses.create({
        model: kind,
        input: [...input, ...first.output, output] as OpenAI.Responses.ResponseInput,
        tools: [weather],
        store: false,
      });
      assert.match(second.output_text, /22 degrees/);
    });

    test('a picture, and an answer that is cut', async () => {
      const content = [
        { type: 'input_text', text: 'What is it?' },
        { type: 'input_image', image_url: `data:image/png;base64,${png}`, detail: 'auto' },
      ] as const;
      const answer = await sdk().responses.create({ model: kind, input: [{ role: 'user', content: [...content] }] });
      assert.match(answer.output_text, /image of type image\/png/);
      const cut = await sdk().responses.create({ model: kind, input: 'Say more. [[tokens=200]]', max_output_tokens: 16 });
      assert.deepEqual([cut.status, cut.incomplete_details?.reason], ['incomplete', 'max_output_tokens']);
    });

    test('an answer by a schema', async () => {
      const person = z.object({ name: z.string(), age: z.number() });
      const answer = await sdk().responses.parse({
        model: kind,
        input: 'Ada, 36.',
        text: { format: zodTextFormat(person, 'person') },
      });
      assert.deepEqual(Object.keys(answer.output_parsed ?? {}), ['name', 'age']);
    });

    test('thinking comes back, sealed, in the next turn', async () => {
      const ask = {
        model: kind,
        reasoning: { effort: 'low', summary: 'auto' },
        include: ['reasoning.encrypted_content'],
      } as const;
      const input: OpenAI.Responses.ResponseInput = [{ role: 'user', content: 'Think about it.' }];
      const first = await sdk().responses.create({ ...ask, include: [...ask.include], input, store: false });
      const again = [...input, ...first.output, { role: 'user', content: 'And now?' }] as OpenAI.Responses.ResponseInput;
      const second = await sdk().responses.create({ ...ask, include: [...ask.include], input: again, store: false });
      assert.match(second.output_text, /And now\?/);
      assert.equal(
        first.output.some(item => item.type === 'reasoning'),
        kind !== 'chat',
      );
    });

    test('an unknown model is a 404 of OpenAI', async () => {
      const error = await refusal(sdk().responses.create({ model: `${kind}-x`, input: 'Hi' }));
      assert.deepEqual([error.status, error.code], [404, 'model_not_found']);
    });
  });

describe('what a provider keeps', () => {
  for (const kind of ['native', 'azure'] as const) {
    test(`${models[kind]}: a response is gone on with, read, listed, and deleted`, async () => {
      const { responses } = sdk();
      const first = await responses.create({ model: kind, input: `Remember ${kind}.` });
      const second = await responses.create({ model: kind, previous_response_id: first.id, input: 'What was it?' });
      assert.equal(second.previous_response_id, first.id);
      assert.equal((await responses.retrieve(first.id)).output_text, first.output_text);
      const { data } = await responses.inputItems.list(first.id);
      assert.ok(JSON.stringify(data).includes(`Remember ${kind}.`));
      await responses.delete(first.id);
      for (const gone of [
        responses.retrieve(first.id),
        responses.create({ model: kind, previous_response_id: first.id, input: 'Hi' }),
      ])
        assert.equal((await refusal(gone)).status, 404);
    });

    test(`${models[kind]}: another tenant is told the same as of what never was`, async () => {
      const { id } = await sdk().responses.create({ model: kind, input: 'My secret.' });
      const { responses } = sdk(strangerKey);
      const told = async (named: string) => {
        const errors = [
          await refusal(responses.retrieve(named)),
          await refusal(responses.delete(named)),
          await refusal(responses.inputItems.list(named) as unknown as Promise<unknown>),
          await refusal(responses.cancel(named)),
          await refusal(responses.create({ model: kind, previous_response_id: named, input: 'Hi' })),
        ];
        return errors.map(({ status, message }) => [status, message.replaceAll(named, 'ID')]);
      };
      const of = await told(id);
      assert.deepEqual(of, await told(`${id}x`));
      assert.deepEqual(
        of.map(([status]) => status),
        [404, 404, 404, 404, 404],
      );
      assert.ok(await sdk().responses.retrieve(id));
    });
  }

  test('a stream is kept too, and its items can be referred to', async () => {
    const { responses } = sdk();
    const stream = responses.stream({ model: 'native', input: 'Say it.' });
    const first = await stream.finalResponse();
    const [message] = first.output;
    const second = await responses.create({
      model: 'native',
      input: [
        { type: 'item_reference', id: message!.id! },
        { role: 'user', content: 'Again?' },
      ],
    });
    assert.match(second.output_text, /Again\?/);
    const stolen = sdk(strangerKey).responses.create({
      model: 'native',
      input: [
        { type: 'item_reference', id: message!.id! },
        { role: 'user', content: 'Again?' },
      ],
    });
    assert.equal((await refusal(stolen)).status, 404);
  });

  test('a request that names it goes nowhere else, whatever comes first in its route', async () => {
    const { responses } = sdk();
    const first = await responses.create({ model: 'native', input: 'Hello.' });
    const { data, response } = await responses
      .create({ model: 'mixed', previous_response_id: first.id, input: 'Hi' })
      .withResponse();
    assert.match(response.headers.get('x-tollgate-provider') ?? '', /native/);
    assert.equal(data.previous_response_id, first.id);
    const elsewhere = await refusal(responses.create({ model: 'messages', previous_response_id: first.id, input: 'Hi' }));
    assert.deepEqual([elsewhere.status, elsewhere.param], [400, 'previous_response_id']);
  });

  test('a translated answer is kept nowhere, and says so', async () => {
    const { responses } = sdk();
    const answer = await responses.create({ model: 'messages', input: 'Hello.' });
    assert.equal((answer as unknown as { store: boolean }).store, false);
    assert.equal((await refusal(responses.retrieve(answer.id))).status, 404);
    const asked = await refusal(responses.create({ model: 'strict', input: 'Hello.', store: true }));
    assert.deepEqual([asked.status, asked.code, asked.param], [400, 'unsupported_parameter', 'store']);
  });

  test('in the background: the reply comes at once, the answer later, its cost once', async () => {
    const { responses } = sdk();
    const begun = await responses.create({ model: 'native', input: 'Take your time.', background: true });
    assert.equal(begun.status, 'queued');
    const done = await until('the answer', async () => {
      const now = await responses.retrieve(begun.id);
      return now.status === 'completed' && now;
    });
    assert.match(done.output_text, /Take your time\./);
    const { input_tokens, output_tokens } = done.usage!;
    const row = await until('its row', async () => {
      const answer = await fetch(`${gateway.url}/spend/logs?summarize=false`, {
        headers: { authorization: `Bearer ${gateway.masterKey}` },
      });
      const rows = (await answer.json()) as { prompt_tokens: number; completion_tokens: number; response_id?: string }[];
      return rows.filter(one => one.prompt_tokens === input_tokens && one.completion_tokens === output_tokens)[0];
    });
    assert.ok(row);
  });

  test('what is no such call is refused by its method', async () => {
    const answer = await fetch(`${gateway.url}/v1/responses/resp_1`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${clientKey}` },
    });
    assert.equal(answer.status, 405);
    const nobody = await fetch(`${gateway.url}/v1/responses/resp_1`);
    assert.equal(nobody.status, 401);
  });
});

describe('built-in tools and others of this dialect alone', () => {
  test('pass through, and are refused by name elsewhere', async () => {
    const tools = [{ type: 'web_search' } as const];
    assert.equal((await sdk().responses.create({ model: 'native', input: 'Hi', tools })).status, 'completed');
    const error = await refusal(sdk().responses.create({ model: 'strict', input: 'Hi', tools }));
    assert.deepEqual([error.status, error.code, error.param], [400, 'unsupported_parameter', 'tools[0]']);
    const { response } = await sdk().responses.create({ model: 'messages', input: 'Hi', tools }).withResponse();
    assert.equal(response.headers.get('x-tollgate-dropped'), 'tools[0]');
  });
});

describe('models that only speak Responses', () => {
  test('answer clients of chat completions', async () => {
    const stream = sdk().chat.completions.stream({
      model: 'only',
      messages: [{ role: 'user', content: 'Use get_weather for Paris.' }],
      tools: [{ type: 'function', function: { name: 'get_weather', parameters: weatherSchema } }],
    });
    const [choice] = (await stream.finalChatCompletion()).choices;
    assert.equal(choice!.finish_reason, 'tool_calls');
    const [call] = choice!.message.tool_calls ?? [];
    assert.ok(call?.type === 'function' && call.function.name === 'get_weather');
  });

  test('answer clients of messages, with thinking that comes back', async () => {
    const client = new Anthropic({ baseURL: gateway.url, apiKey: clientKey, maxRetries: 0 });
    const ask = { model: 'only', max_tokens: 4096, thinking: { type: 'enabled', budget_tokens: 2048 } } as const;
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'Think.' }];
    const first = await client.messages.stream({ ...ask, messages }).finalMessage();
    assert.deepEqual(
      first.content.map(block => block.type),
      ['thinking', 'text'],
    );
    const next = [...messages, { role: 'assistant', content: first.content }, { role: 'user', content: 'More.' }] as const;
    await client.messages.create({ ...ask, messages: next as unknown as Anthropic.MessageParam[] });
    const sent = hosted.requests().at(-1)!.body as { input: { type?: string; encrypted_content?: string }[] };
    assert.ok(sent.input.some(item => item.type === 'reasoning' && item.encrypted_content?.startsWith('gAAAAA')));
  });
});

describe('the AI SDK, which speaks Responses by itself', () => {
  const getWeather = tool({
    description: 'Weather of a city',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `sunny in ${city}`,
  });

  for (const kind of ['native', 'messages', 'only'] as const)
    test(`${models[kind]}: whole, streamed, and with a tool`, async () => {
      const openai = createOpenAI({ baseURL: `${gateway.url}/v1`, apiKey: clientKey });
      const model = openai(kind);
      const whole = await generateText({ model, prompt: 'Say a word.', maxRetries: 0 });
      assert.match(whole.text, /Say a word\./);
      const streamed = streamText({ model, prompt: 'Say two.', maxRetries: 0 });
      assert.match(await streamed.text, /Say two\./);
      const { steps, text } = await generateText({
        model,
        prompt: 'Use get_weather for Paris.',
        tools: { get_weather: getWeather },
        stopWhen: ({ steps }) => steps.length >= 2,
        maxRetries: 0,
      });
      assert.equal(steps.length, 2);
      assert.match(text, /sunny in/);
    });
});
