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
  directRoute,
  patient,
  price,
  provider,
  providerSecret,
  route,
  tenantKey,
  yamlOf,
} from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { json, startUpstream, type Upstream } from '#test/support/upstream.ts';

const LIMITED = 'sk-test-limited-2f1d9c4be87a4f0fa6de9b1c5d3e7f8';
const POOR = 'sk-test-poor-2f1d9c4be87a4f0fa6de9b1c5d3e7f80';
const bedrockModels = [
  'amazon.titan-embed-text-v1',
  'amazon.titan-embed-text-v2:0',
  'amazon.nova-2-multimodal-embeddings-v1:0',
  'cohere.embed-english-v3',
  'eu.cohere.embed-v4:0',
];
const embeds = { capabilities: ['Embeddings'] };
/** As no encoder of ours would write it. */
const ODD_REPLY =
  '{"data": [{"embedding":[1.50, -0e0],"index":0}] ,\n "usage":{"prompt_tokens":7,"total_tokens":7},"extra":"\u2028"}';
const strict = { parameters: { dropUnsupported: false } };
const perSearch = { perRequest: '0.002' };

function yaml(hosted: string, engine: string, exact: string): string {
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
    provider(
      'bedrock',
      'Bedrock',
      hosted,
      [
        ...bedrockModels.map(upstreamName => ({ name: upstreamName, ...embeds })),
        { name: 'cohere.rerank-v3-5:0', capabilities: ['Rerank'], price: perSearch },
        { name: 'amazon.rerank-v1:0', capabilities: ['Rerank'], price: perSearch },
      ],
      strict,
    ),
    provider('gemini', 'Gemini', hosted, [{ name: 'gemini-embedding-001', ...embeds }], strict),
    provider(
      'vertex',
      'Gemini',
      hosted,
      ['text-embedding-005', 'gemini-embedding-2'].map(name => ({ name, ...embeds })),
      {
        gemini: { baseURL: hosted, vertex: { project: 'p-1', location: 'europe-west4' } },
        auth: { secretRef: { name: 'provider-key', key: 'key' }, header: { name: 'Authorization', prefix: 'Bearer ' } },
      },
    ),
    provider(
      'cohere',
      'OpenAICompatible',
      hosted,
      [
        { name: 'embed-v4.0', ...embeds },
        { name: 'embed-english-v3.0', ...embeds },
        { name: 'rerank-v4.0-pro', capabilities: ['Rerank'], price: perSearch },
      ],
      { openAICompatible: { baseURL: `${hosted}/compatibility/v1`, vendor: 'Cohere' }, ...strict },
    ),
    provider('lenient', 'OpenAICompatible', hosted, [{ name: 'lenient', upstreamName: 'embed-english-v3.0', ...embeds }], {
      openAICompatible: { baseURL: `${hosted}/compatibility/v1`, vendor: 'Cohere' },
    }),
    directRoute('exact', ['exact']),
    directRoute('small', ['openai']),
    directRoute('deployed', ['azure']),
    directRoute('own', ['vllm']),
    directRoute('ranks', ['compatible']),
    directRoute('own-ranks', ['vllm']),
    directRoute('omni-moderation-latest', ['openai']),
    directRoute('talker', ['openai']),
    directRoute('claude', ['anthropic']),
    directRoute('moves', ['openai', 'compatible']),
    directRoute('retried', ['openai'], { retries: { attempts: 2, backoff: { base: '1ms', max: '5ms' } } }),
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
/** Engines are asked for their metrics meanwhile. */
const lastAsked = (simulator: Simulator) => simulator.requests().findLast(({ method }) => method === 'POST')!;
const lastBody = (simulator: Simulator) => lastAsked(simulator).body as Record<string, unknown>;
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
      assert.equal(lastAsked(model === 'own' ? engine : hosted).path, path);
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

describe('embeddings of providers with a form of their own', () => {
  const several: readonly (readonly [model: string, size: number, path: RegExp])[] = [
    ['bedrock/cohere.embed-english-v3', 1024, /^\/model\/cohere\.embed-english-v3\/invoke$/],
    ['bedrock/eu.cohere.embed-v4:0', 1536, /^\/model\/eu\.cohere\.embed-v4%3A0\/invoke$/],
    ['gemini/gemini-embedding-001', 3072, /^\/v1beta\/models\/gemini-embedding-001:batchEmbedContents$/],
    ['vertex/text-embedding-005', 3072, /\/locations\/europe-west4\/publishers\/google\/models\/text-embedding-005:predict$/],
    ['cohere/embed-v4.0', 1536, /^\/v2\/embed$/],
  ];
  const single: typeof several = [
    ['bedrock/amazon.titan-embed-text-v1', 1536, /titan-embed-text-v1\/invoke$/],
    ['bedrock/amazon.titan-embed-text-v2:0', 1024, /titan-embed-text-v2%3A0\/invoke$/],
    ['bedrock/amazon.nova-2-multimodal-embeddings-v1:0', 3072, /nova-2-multimodal-embeddings-v1%3A0\/invoke$/],
    ['vertex/gemini-embedding-2', 3072, /gemini-embedding-2:embedContent$/],
  ];
  const client = () => new OpenAI({ apiKey: clientKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 });

  for (const [model, size, path] of [...several, ...single])
    test(`${model}: the same numbers in base64 and as a list`, async () => {
      const input = several.some(([name]) => name === model) ? ['one text', 'another text'] : 'one text';
      const packed = await client().embeddings.create({ model, input });
      const plain = await client().embeddings.create({ model, input, encoding_format: 'float' });
      assert.match(lastAsked(hosted).path, path);
      assert.equal(packed.data.length, Array.isArray(input) ? input.length : 1);
      for (const [at, { embedding, index }] of packed.data.entries()) {
        assert.equal(index, at);
        assert.equal(embedding.length, size);
        assert.deepEqual(embedding, plain.data[at]!.embedding);
      }
      const told = await embeddings({ model, input });
      // The Gemini API tells no usage of it: what it cost is known when it was counted.
      assert.equal(cost(told) > 0, !model.startsWith('gemini/'), String(cost(told)));
    });

  for (const [model] of single)
    test(`${model}: several texts are refused by name`, async () => {
      const { status, json } = await embeddings({ model, input: ['a', 'b'] });
      assert.equal(status, 400);
      assert.deepEqual([json().error.code, json().error.param], ['unsupported_parameter', 'input']);
    });

  for (const [model] of [...several, ...single])
    test(`${model}: tokens are refused by name`, async () => {
      const { status, json } = await embeddings({ model, input: [[1, 2]] });
      assert.equal(status, 400);
      assert.equal(json().error.code, 'unsupported_parameter');
      assert.match(json().error.param, /^input/);
    });

  test('have the size that is asked for, where models know several', async () => {
    for (const model of [
      'bedrock/amazon.titan-embed-text-v2:0',
      'bedrock/eu.cohere.embed-v4:0',
      'gemini/gemini-embedding-001',
      'cohere/embed-v4.0',
      'vertex/gemini-embedding-2',
    ]) {
      const answered = await embeddings({ model, input: 'x', dimensions: 512 });
      assert.equal(answered.json().data[0].embedding.length, 512, model);
    }
    for (const model of ['bedrock/amazon.titan-embed-text-v1', 'bedrock/cohere.embed-english-v3', 'cohere/embed-english-v3.0']) {
      const { status, json } = await embeddings({ model, input: 'x', dimensions: 512 });
      assert.deepEqual([status, json().error.param], [400, 'dimensions'], model);
    }
    const left = await embeddings({ model: 'lenient/lenient', input: 'x', dimensions: 512 });
    assert.equal(left.status, 200, left.text);
    assert.equal(left.headers.get('x-tollgate-dropped'), 'dimensions');
  });

  test('are for what the client says', async () => {
    const said = [
      ['cohere/embed-v4.0', 'input_type', 'search_query'],
      ['gemini/gemini-embedding-001', 'taskType', 'RETRIEVAL_QUERY'],
    ] as const;
    for (const [model, field, value] of said) {
      assert.equal((await embeddings({ model, input: 'x', input_type: 'search_query' })).status, 200);
      assert.ok(JSON.stringify(lastBody(hosted)).includes(`"${field}":"${value}"`), model);
    }
    const { json } = await embeddings({ model: 'gemini/gemini-embedding-001', input: 'x', input_type: 'for fun' });
    assert.equal(json().error.param, 'input_type');
  });

  test('are metered at one microdollar a token, as the provider counts them', async () => {
    const answered = await embeddings({ model: 'bedrock/amazon.titan-embed-text-v2:0', input: 'sixteen letters.' });
    assert.deepEqual([answered.json().usage.prompt_tokens, tokensPaid(answered)], [4, 4]);
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

  test('is translated for who has a form of its own, and counts by the search', async () => {
    for (const model of ['cohere/rerank-v4.0-pro', 'bedrock/cohere.rerank-v3-5:0', 'bedrock/amazon.rerank-v1:0']) {
      const answered = await post(`${gateway.url}/v1/rerank`, {
        model,
        query,
        documents: documents.map(text => ({ text })),
        return_documents: true,
        top_n: 2,
      });
      assert.equal(answered.status, 200, answered.text);
      const { results } = answered.json();
      assert.deepEqual(
        results.map((one: { index: number; document: { text: string } }) => [one.index, one.document.text]),
        [1, 2].map(index => [index, documents[index]]),
      );
      const many = Array.from({ length: 201 }, (_, i) => `document ${i}`);
      const dear = await post(`${gateway.url}/v2/rerank`, { model, query, documents: many });
      assert.equal(cost(dear), 0.006, 'three times a hundred documents, begun');
    }
  });

  test('passes through to Cohere where it is in its form', async () => {
    const body = `{"query": ${JSON.stringify(query)}, "documents":["a"] ,"model":"cohere/rerank-v4.0-pro"}`;
    const answered = await post(`${gateway.url}/v2/rerank`, body);
    assert.equal(answered.status, 200, answered.text);
    assert.deepEqual(Object.keys(lastBody(hosted)), ['query', 'documents', 'model']);
    assert.equal(answered.json().meta.api_version.version, '2');
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

test('what a provider does not tell is counted by the gateway, for the ledger', async () => {
  const before = await spentOn('gemini-embedding-001');
  assert.equal((await embeddings({ model: 'gemini/gemini-embedding-001', input: ['one two three', 'four'] })).status, 200);
  const spent = await until('the row is in the ledger', async () => {
    const now = await spentOn('gemini-embedding-001');
    return now.rows > before.rows && now;
  });
  assert.ok(spent.cost > before.cost);
});

async function spentOn(model: string): Promise<{ rows: number; cost: number }> {
  const { json } = await get(`${gateway.url}/cost/report?group_by=model`, { key: gateway.masterKey });
  const of = json().groups.find((group: Record<string, unknown>) => group.model === model);
  return { rows: of?.estimated_rows ?? 0, cost: of?.cost_usd ?? 0 };
}

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
