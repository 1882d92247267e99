// Prompts that are cached without a word of the client, where the provider's resource asks for it: what reaches the provider, and what it bills.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { clientKey, provider, providerSecret, type Resource, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { weatherSchema } from '#test/support/stage.ts';

const models = {
  claude: ['Anthropic', 'claude-sonnet-4-5'],
  nova: ['Bedrock', 'us.amazon.nova-2-lite-v1:0'],
  gpt: ['OpenAI', 'gpt-4o'],
  asked: ['Anthropic', 'claude-sonnet-4-5'],
} as const;

let simulator: Simulator;
let gateway: Gateway;
before(async () => {
  simulator = await startSimulator();
  const resources = Object.entries(models).flatMap(([name, [type, upstreamName]]): Resource[] => [
    provider(name, type, simulator.origin, [{ name, upstreamName }], {
      ...(name !== 'asked' && { parameters: { promptCaching: 'Automatic' } }),
    }),
    route(name, name, [name]),
  ]);
  gateway = await startGateway({ yaml: yamlOf(providerSecret, tenantKey(), resources) });
});
after(async () => {
  await gateway?.stop();
  await simulator?.close();
});

const openai = () => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: clientKey, maxRetries: 0 });
const anthropic = () => new Anthropic({ baseURL: gateway.url, apiKey: clientKey, maxRetries: 0 });
// biome-ignore lint/suspicious/noExplicitAny: looked at field by field
const sent = (): any => simulator.requests().at(-1)!.body;

const tools: OpenAI.ChatCompletionTool[] = [{ type: 'function', function: { name: 'get_weather', parameters: weatherSchema } }];
const question: OpenAI.ChatCompletionMessageParam[] = [
  { role: 'system', content: 'Long. '.repeat(2000) },
  { role: 'user', content: 'Tell me of tolls.' },
];
const mark = { cache_control: { type: 'ephemeral' } };

describe('translated', () => {
  test("Anthropic's models get three marks, and the next turn reads what the first one wrote", async () => {
    const { choices } = await openai().chat.completions.create({ model: 'claude', messages: question, tools });
    const { system, messages, tools: offered } = sent();
    assert.deepEqual([system.at(-1).cache_control, offered.at(-1).cache_control], [mark.cache_control, mark.cache_control]);
    assert.deepEqual(messages.at(-1).content, [{ type: 'text', text: 'Tell me of tolls.', ...mark }]);
    const next = [...question, choices[0]!.message, { role: 'user' as const, content: 'And of bridges?' }];
    const { usage } = await openai().chat.completions.create({ model: 'claude', messages: next, tools });
    assert.ok(usage!.prompt_tokens_details!.cached_tokens! > 0);
    assert.equal(JSON.stringify(sent()).split('"cache_control"').length - 1, 3);
  });

  test("Nova's get cache points, and who caches unasked gets nothing", async () => {
    await openai().chat.completions.create({ model: 'nova', messages: question });
    assert.equal(JSON.stringify(sent()).split('"cachePoint"').length - 1, 2);
    await openai().chat.completions.create({ model: 'gpt', messages: question });
    assert.doesNotMatch(JSON.stringify(sent()), /cache/);
  });

  test('a client that marks by itself is left alone, and so is every other provider', async () => {
    const content = [{ type: 'text' as const, text: 'Hi', prompt_cache_breakpoint: { mode: 'explicit' as const } }];
    await openai().chat.completions.create({ model: 'claude', messages: [question[0]!, { role: 'user', content }], tools });
    assert.equal(JSON.stringify(sent()).split('"cache_control"').length - 1, 1);
    await openai().chat.completions.create({ model: 'asked', messages: question, tools });
    assert.doesNotMatch(JSON.stringify(sent()), /cache_control/);
  });
});

describe("in Anthropic's own dialect", () => {
  const body = { model: 'claude', max_tokens: 100, messages: [{ role: 'user' as const, content: 'Tell me of tolls.' }] };

  test('the messages are those of the client: the mark stands beside them', async () => {
    await anthropic().messages.create(body);
    assert.deepEqual(sent(), { ...body, model: 'claude-sonnet-4-5', ...mark });
  });

  test('a body with a mark, and a count of tokens, pass as they are', async () => {
    const system = [{ type: 'text' as const, text: 'Be brief.', cache_control: { type: 'ephemeral' as const } }];
    await anthropic().messages.create({ ...body, system });
    assert.equal(sent().cache_control, undefined);
    await anthropic().messages.countTokens({ model: 'claude', messages: body.messages });
    assert.equal(sent().cache_control, undefined);
  });
});
