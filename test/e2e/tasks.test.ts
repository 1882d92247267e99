// Strategy Semantic from outside: what is asked decides which backend answers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { chatPath, get, messagesPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { price, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';

let simulator: Simulator;
let gateway: Gateway;
const names = ['large', 'small', 'medium'];
const backends = names.map(name => ({ name, providerRef: { name: 'openai' }, model: name, priority: 0 }));
const tasks = [
  { name: 'coding', examples: ['write a function that sorts a list', 'fix the bug in this code'], backend: 'large' },
  { name: 'greeting', examples: ['hello', 'good morning, how are you?'], backend: 'small' },
];
const semantic = { tasks, otherwise: 'medium' };

before(async () => {
  simulator = await startSimulator();
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      provider('openai', 'OpenAI', simulator.origin, [
        ...names.map(name => ({ name, upstreamName: 'gpt-4o' })),
        { name: 'vectors', upstreamName: 'embed-1', capabilities: ['Embeddings'], price },
      ]),
      route('assistant', 'assistant', backends, { strategy: 'Semantic', semantic }),
      route('elsewhere', 'elsewhere', backends, {
        strategy: 'Semantic',
        semantic: { ...semantic, embedding: { providerRef: { name: 'openai' }, model: 'vectors' } },
      }),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await simulator?.close();
});

const ask = (model: string, content: string) =>
  post(`${gateway.url}${chatPath}`, {
    model,
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content },
    ],
  });
const servedBy = ({ headers }: { headers: Headers }) => headers.get('x-tollgate-model');

describe('the backend of the nearest task answers', () => {
  const rows = [
    ['Write a function that sorts a list of numbers', 'large'],
    ['Please fix the bug in this code: print(1', 'large'],
    ['Good morning, how are you today?', 'small'],
    ['Which mountains of Peru are the highest?', 'medium'],
  ] as const;
  for (const [prompt, backend] of rows)
    test(`${prompt}: ${backend}`, async () => {
      for (let i = 0; i < 3; i++) assert.equal(servedBy(await ask('assistant', prompt)), backend);
      const body = { model: 'assistant', max_tokens: 50, messages: [{ role: 'user', content: prompt }] };
      assert.equal(servedBy(await post(`${gateway.url}${messagesPath}`, body)), backend, 'in the other dialect');
    });

  test('and the decision says which task that was', async () => {
    const { headers } = await ask('assistant', 'fix the bug in this code');
    const decision = (await get(`${gateway.internalUrl}/debug/decisions/${headers.get('x-request-id')}`)).json();
    assert.equal(decision.task.name, 'coding');
    assert.ok(decision.task.similarity > 0.99);
  });

  test('by the vectors of a provider, and the one for all else while that is away', async () => {
    assert.equal(servedBy(await ask('elsewhere', 'fix the bug in this code')), 'large');
    simulator.addFault({ fault: '500', match: { path: '/v1/embeddings' } });
    assert.equal(servedBy(await ask('elsewhere', 'fix this bug in the code')), 'medium');
    simulator.reset();
  });
});
