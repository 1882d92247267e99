// Embeddings, rerank and moderations from outside: through the same loop as conversations, asked by the clients that people use.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { embed, embedMany } from 'ai';
import { CohereClient, CohereClientV2 } from 'cohere-ai';
import OpenAI from 'openai';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { ask, get, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import {
  clientKey,
  patient,
  price,
  provider,
  providerSecret,
  type Resource,
  route,
  tenantKey,
  yamlOf,
} from '#test/support/resources.ts';
import { json, startUpstream, type Upstream } from '#test/support/upstream.ts';

const LIMITED = 'sk-test-limited-2f1d9c4be87a4f0fa6de9b1c5d3e7f8';
const POOR = 'sk-test-poor-2f1d9c4be87a4f0fa6de9b1c5d3e7f80';
const embeds = { capabilities: ['Embeddings'] };
/** As no encoder of ours would write it. */
const ODD_REPLY =
  '{"data": [{"embedding":[1.50, -0e0],"index":0}] ,\n "usage":{"prompt_tokens":7,"total_tokens":7},"extra":"\u2028"}';
const perSearch = { perRequest: '0.002' };

function yaml(hosted: string, engine: string, exact: string): string {
  const direct = (name: string, backends: readonly string[], spec: Record<string, unknown> = {}): Resource =>
    route(
      name,
      name,
      backends.map(backend => ({ name: backend, providerRef: { name: backend }, model: name })),
      { retries: { attempts: 0 }, ...spec },
    );
  return yamlOf(
    providerSecret,
    provider(
      'openai',
      'OpenAI',
      hosted,
      [
        { name: 'small', upstreamName: 'text-embedding-3-small', ...embeds },
        { name: 'moves', upstreamName: 'text-embedding-3-small!429', ...embeds },
        { name: 'retried', upstreamName: 'text-embedding-3-small', ...embeds },
        { name: 'omni-moderation-latest', capabilities: ['Moderation'] },
        { name: 'talker', upstreamName: 'gpt-4o' },
      ],
      patient,
    ),
    provider('azure', 'AzureOpenAI', hosted, [{ name: 'deployed', upstreamName: 'text-embedding-3-small', ...embeds }]),
    provider('compatible', 'OpenAICompatible', hosted, [
      { name: 'ranks', upstreamName: 'jina-reranker-v3', capabilities: ['Rerank'] },
      { name: 'moves', upstreamName: 'text-embedding-3-small', ...embeds },
    ]),
    provider('vllm', 'VLLM', engine, [
      { name: 'own', upstreamName: 'tiny', ...embeds },
      { name: 'own-ranks', upstreamName: 'ranker', capabilities: ['Rerank'], price: perSearch },
    ]),
    provider('anthropic', 'Anthropic', hosted, [{ name: 'claude', capabilities: ['Embeddings'], price }]),
    provider('exact', 'OpenAI', exact, [{ name: 'exact', upstreamName: 'upstream-name', ...embeds }]),
    direct('exact', ['exact']),
    direct('small', ['openai']),
    direct('deployed', ['azure']),
    direct('own', ['vllm']),
    direct('ranks', ['compatible']),
    direct('own-ranks', ['vllm']),
    direct('omni-moderation-latest', ['openai']),
    direct('talker', ['openai']),
    direct('claude', ['anthropic']),
    direct('moves', ['openai', 'compatible']),
    direct('retried', ['openai'], { retries: { attempts: 2, backoff: { base: '1ms', max: '5ms' } } }),
    route('chat-only', 'only-chat', [{ name: 'openai', providerRef: { name: 'openai' }, model: 'small' }], {
      match: [{ model: { type: 'Exact', value: 'only-chat' }, operations: ['Chat'] }],
    }),
    tenantKey(),
    tenantKey('limited', LIMITED, { tenant: 'limited', limits: { tpm: 100 } }),
    tenantKey('poor', POOR, { tenant: 'poor', budgets: [{ name: 'all', amount: '0.000100', period: 'Total' }] }),
  );
}

let hosted: Simulator;
let engine: Simulator;
let gateway: Gateway;
let upstream: Upstream;
before(async () => {
  hosted = await startSimulator();
  engine = await startSimulator({ wire: 'vllm', models: ['tiny', 'ranker'] });
  upstream = await startUpstream(json(200, ODD_REPLY));
  gateway = await startGateway({ yaml: yaml(hosted.origin, engine.origin, upstream.url) });
});
after(async () => {
  await gateway?.stop();
  await hosted?.close();
  await engine?.close();
  await upstream?.close();
});

const embeddings = (body: Record<string, unknown>, key = clientKey) => post(`${gateway.url}/v1/embeddings`, body, { key });
const cost = ({ headers }: { headers: Headers }): number => Number(headers.get('x-litellm-response-cost'));
const lastBody = (simulator: Simulator) => simulator.requests().at(-1)!.body as Record<string, unknown>;
/** At a price of one microdollar a token. */
const tokensPaid = (answered: { headers: Headers }): number => Math.round(cost(answered) * 1e6);

describe('embeddings', () => {
  test('pass through byte by byte, but for the name of the model', async () => {
    const input = 'Z\u2028wei "Zeilen"';
    const body = `{ "input" : ${JSON.stringify(input)}, "model":"exact" , "user":"u-1" }`;
    const answered = await post(`${gateway.url}/v1/embeddings`, body);
    assert.equal(answered.status, 200, answered.text);
    assert.equal(upstream.asked.at(-1)!.body.toString(), body.replace('"exact"', '"upstream-name"'));
    assert.equal(answered.text, ODD_REPLY);
    assert.equal(tokensPaid(answered), 7);
  });

  test('are given to the SDK of OpenAI, which asks for base64, as numbers that it asks for itself', async () => {
    const client = new OpenAI({ apiKey: clientKey, baseURL: `${gateway.url}/v1` });
    const input = ['first text', 'second text'];
    const packed = await client.embeddings.create({ model: 'small', input, dimensions: 256 });
    assert.equal(lastBody(hosted).encoding_format, 'base64');
    const plain = await client.embeddings.create({ model: 'small', input, dimensions: 256, encoding_format: 'float' });
    for (const [at, { embedding }] of packed.data.entries()) {
      assert.equal(embedding.length, 256);
      assert.deepEqual(embedding, plain.data[at]!.embedding);
    }
    const tokens = await client.embeddings.create({ model: 'small', input: [[1, 2, 3], [4]] });
    assert.equal(tokens.usage.prompt_tokens, 4);
  });

  test('are given to the AI SDK, one and many', async () => {
    const ai = createOpenAI({ apiKey: clientKey, baseURL: `${gateway.url}/v1` });
    const model = ai.textEmbeddingModel('small');
    const { embedding, usage } = await embed({ model, value: 'sunny day at the beach' });
    assert.equal(embedding.length, 1536);
    assert.ok(usage.tokens > 0);
    const many = await embedMany({ model, values: ['one', 'two', 'three'] });
    assert.equal(many.embeddings.length, 3);
  });

  for (const [model, path] of [
    ['deployed', '/openai/deployments/text-embedding-3-small/embeddings?api-version=2024-10-21'],
    ['own', '/v1/embeddings'],
  ] as const)
    test(`are asked of ${model} where it has them`, async () => {
      const answered = await embeddings({ model, input: ['a', 'b'] });
      assert.equal(answered.status, 200, answered.text);
      assert.equal(answered.json().data.length, 2);
      assert.equal((model === 'own' ? engine : hosted).requests().at(-1)!.path, path);
    });

  test('are retried and fall back as conversations do', async () => {
    const moved = await embeddings({ model: 'moves', input: 'hello' });
    assert.equal(moved.status, 200, moved.text);
    assert.equal(moved.headers.get('x-tollgate-provider'), 'default/compatible');
    assert.equal(moved.headers.get('x-tollgate-fallback'), 'true');
    hosted.addFault({ fault: '500', match: { path: '/v1/embeddings', times: 2 } });
    const retried = await embeddings({ model: 'retried', input: 'hello' });
    assert.equal(retried.status, 200, retried.text);
    assert.equal(retried.headers.get('x-tollgate-attempts'), '3');
    const mocked = await embeddings({ model: 'small', input: 'x', mock_testing_fallbacks: true });
    assert.ok(mocked.status >= 500, mocked.text);
  });

  test('count in limits and budgets, by what they have of input', async () => {
    const long = 'word '.repeat(400);
    assert.equal((await embeddings({ model: 'small', input: 'short' }, LIMITED)).status, 200);
    const limited = await embeddings({ model: 'small', input: long }, LIMITED);
    assert.equal(limited.status, 429, limited.text);
    assert.equal((await embeddings({ model: 'small', input: 'short' }, POOR)).status, 200);
    const refused = await embeddings({ model: 'small', input: long }, POOR);
    assert.equal(refused.status, 402, refused.text);
    assert.equal(refused.json().error.code, 'budget_exceeded');
  });

  test('that are cut, or are none, are errors and no answers', async () => {
    for (const fault of ['html', 'reset', 'length-long', 'empty-body']) {
      hosted.addFault({ fault, match: { path: '/v1/embeddings', times: 1 } });
      const answered = await embeddings({ model: 'small', input: 'hello' });
      assert.ok(answered.status >= 500, `${fault}: ${answered.status} ${answered.text}`);
      assert.ok(answered.json().error.code, fault);
    }
    const bad = [
      '{"data":[{"embedding":[0.1',
      '{"usage":{}}',
      '[]',
      '{"data":[1]} x',
      '{"error":{"message":"Overloaded.","type":"server_error"}}',
    ];
    for (const body of bad) {
      upstream.answer(json(200, body));
      assert.ok((await embeddings({ model: 'exact', input: 'hello' })).status >= 500, body);
    }
  });
});

describe('bad requests are refused with the name of the field', () => {
  const rows: readonly [sentence: string, path: string, body: Record<string, unknown>, param: string][] = [
    ['no input', '/v1/embeddings', { model: 'small' }, 'input'],
    ['an empty list', '/v1/embeddings', { model: 'small', input: [] }, 'input'],
    ['a number', '/v1/embeddings', { model: 'small', input: 7 }, 'input'],
    ['no model', '/v1/embeddings', { input: 'x' }, 'model'],
    ['a stream', '/v1/embeddings', { model: 'small', input: 'x', stream: true }, 'stream'],
    ['no query', '/v1/rerank', { model: 'ranks', documents: ['x'] }, 'query'],
    ['no documents', '/v2/rerank', { model: 'ranks', query: 'x', documents: [] }, 'documents'],
    ['nothing to judge', '/v1/moderations', {}, 'input'],
    ['a model that has none', '/v1/embeddings', { model: 'anthropic/claude', input: 'x' }, 'model'],
  ];
  for (const [sentence, path, body, param] of rows)
    test(`${path}: ${sentence}`, async () => {
      const { status, json } = await post(gateway.url + path, body);
      assert.equal(status, 400);
      assert.equal(json().error.param, param);
    });

  test('a model that cannot is told by what it lacks', async () => {
    const { status, json } = await embeddings({ model: 'talker', input: 'x' });
    assert.equal(status, 400);
    assert.match(json().error.message, /Embeddings/);
  });
  test('a route for other operations does not match', async () => {
    assert.equal((await embeddings({ model: 'only-chat', input: 'x' })).status, 404);
  });
  test("what the provider refuses is told in the provider's words", async () => {
    const { status, json } = await embeddings({ model: 'small', input: 'x', dimensions: 9999 });
    assert.equal(status, 400);
    assert.match(json().error.message, /dimensions/);
  });
  test('a path takes POST', async () => {
    assert.equal((await get(`${gateway.url}/v1/embeddings`)).status, 405);
  });
  test('a key is needed', async () => {
    const { status } = await ask(`${gateway.url}/v1/embeddings`, { method: 'POST', body: '{}' });
    assert.equal(status, 401);
  });
});

describe('rerank', () => {
  const documents = ['Bread', 'Paris is the capital of France', 'the capital'];
  const query = 'What is the capital of France?';

  test('is given to clients of Cohere, of both versions, by vLLM and by who speaks as Jina', async () => {
    const options = { token: clientKey, environment: gateway.url };
    for (const model of ['own-ranks', 'ranks']) {
      const first = await new CohereClient(options).rerank({ model, query, documents });
      const second = await new CohereClientV2(options).rerank({ model, query, documents, topN: 2 });
      assert.deepEqual(
        first.results.map(({ index }) => index),
        [1, 2, 0],
      );
      assert.deepEqual(
        second.results.map(({ index }) => index),
        [1, 2],
      );
    }
  });

  test('costs by the request where its price says so, and by its tokens else', async () => {
    const perRequest = await post(`${gateway.url}/rerank`, { model: 'own-ranks', query, documents });
    assert.equal(cost(perRequest), 0.002);
    const perToken = await post(`${gateway.url}/v1/rerank`, { model: 'ranks', query, documents });
    assert.equal(tokensPaid(perToken), perToken.json().usage.total_tokens);
  });

  test('reserves for the query with each document', async () => {
    const many = Array.from({ length: 40 }, (_, i) => `d${i}`);
    const refused = await post(
      `${gateway.url}/v1/rerank`,
      { model: 'ranks', query: 'why '.repeat(50), documents: many },
      { key: POOR },
    );
    assert.equal(refused.status, 402, refused.text);
    assert.equal(refused.json().message, refused.json().error.message, 'for clients of Cohere and of OpenAI');
  });
});

test('moderations are judged by the model of OpenAI, named or not, and count by an estimate', async () => {
  const client = new OpenAI({ apiKey: clientKey, baseURL: `${gateway.url}/v1` });
  const judged = await client.moderations.create({ input: ['I will kill you', 'Nice day'] });
  assert.deepEqual(
    judged.results.map(({ flagged }) => flagged),
    [true, false],
  );
  const named = await post(`${gateway.url}/v1/moderations`, { model: 'omni-moderation-latest', input: 'Nice day' });
  assert.equal(named.status, 200, named.text);
});
