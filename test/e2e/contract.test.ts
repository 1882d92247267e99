// The contract with the outside (ARCHITECTURE.md): statuses, bodies, headers and paths that others rely on.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Answered, chat, chatPath, get, message, messagesPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { clientKey, provider, providerKey, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { type Asked, json, type Script, startUpstream, type Upstream } from '#test/support/upstream.ts';
import { anthropicReply, openaiReply } from '#test/support/wires.ts';

const narrowKey = 'sk-narrow-5f0d7e2c9b8a46d1a3c4e5f60718293a';
const suspendedKey = 'sk-suspended-77aa66bb55cc44dd33ee22ff1100';
const expiredKey = 'sk-expired-0a1b2c3d4e5f60718293a4b5c6d7e8f9';

let upstream: Upstream;
let gateway: Gateway;

const usual: Script = (response, asked) =>
  json(200, asked.path.includes('messages') ? anthropicReply('Hello.') : openaiReply('Hello.'), {
    'x-request-id': 'upstream-1',
  })(response, asked);

before(async () => {
  upstream = await startUpstream(usual);
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      provider('oa', 'OpenAI', upstream.url, ['gpt-a', 'gpt-only-direct']),
      provider('an', 'Anthropic', upstream.url, [{ name: 'claude-a', upstreamName: 'claude-upstream' }]),
      route('gpt-route', 'gpt-a', ['oa', { name: 'an', providerRef: { name: 'an' }, model: 'claude-a' }]),
      route('claude-route', 'claude-a', ['an']),
      route('wild', '', [{ name: 'oa', providerRef: { name: 'oa' }, model: 'gpt-a' }], {
        match: [{ model: { type: 'Prefix', value: 'wild-' } }],
      }),
      tenantKey(),
      tenantKey('narrow', narrowKey, { models: { allow: ['claude-*'] } }),
      tenantKey('suspended', suspendedKey, { suspended: true }),
      tenantKey('expired', expiredKey, { expiresAt: '2020-01-01T00:00:00Z' }),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

/** What the upstream was asked by one request of a client. */
async function upstreamRequest(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ asked: Asked; answered: Answered }> {
  const seen = upstream.asked.length;
  const answered = await post(gateway.url + path, body, { headers });
  assert.equal(answered.status, 200, answered.text);
  assert.equal(upstream.asked.length, seen + 1, 'exactly one upstream call');
  return { asked: upstream.asked[seen]!, answered };
}

const dialects = [
  { dialect: 'OpenAI', path: chatPath, body: chat, model: 'gpt-a', wrap: (error: unknown) => ({ error }) },
  {
    dialect: 'Anthropic',
    path: messagesPath,
    body: message,
    model: 'claude-a',
    wrap: (error: unknown) => ({ type: 'error', error }),
  },
] as const;

for (const { dialect, path, body, model } of dialects) {
  describe(`refusals in the dialect of ${dialect}`, () => {
    const refused = async (sent: unknown, key: string | undefined = clientKey, headers: Record<string, string> = {}) => {
      const seen = upstream.asked.length;
      const answered = await post(gateway.url + path, sent, { key: key ?? '', headers });
      assert.equal(upstream.asked.length, seen, 'no upstream was asked');
      assert.match(answered.headers.get('content-type') ?? '', /^application\/json/);
      const parsed = answered.json();
      assert.equal(
        parsed.request_id ?? parsed.error.request_id,
        answered.headers.get('x-request-id'),
        'the body names the request',
      );
      assert.equal(parsed.type, dialect === 'Anthropic' ? 'error' : undefined);
      assert.equal(typeof parsed.error.message, 'string');
      return { status: answered.status, error: parsed.error as Record<string, unknown>, answered };
    };

    test('401 is the same for no key, an unknown, a malformed and an expired one', async () => {
      const keys = ['', 'sk-unknown-00000000000000000000000000000000', 'x', `sk-${'a'.repeat(3000)}`, "' OR 1=1 --", expiredKey];
      const answers = [];
      for (const key of keys) answers.push(await refused(body(model), key));
      const shown = answers.map(({ status, error, answered }) => {
        const names = [...answered.headers.keys()].filter(name => name !== 'date').sort();
        return { status, error: { ...error, request_id: undefined } as Record<string, unknown>, names };
      });
      assert.equal(shown[0]!.status, 401);
      assert.equal(shown[0]!.error.type, 'authentication_error');
      for (const other of shown) assert.deepEqual(other, shown[0]);
    });

    test('403 for a suspended key', async () => {
      const { status, error } = await refused(body(model), suspendedKey);
      assert.deepEqual([status, error.type], [403, 'permission_error']);
    });

    test('403 for a model the key may not use, 404 for one that does not exist', async () => {
      const forbidden = await refused(body('gpt-a'), narrowKey);
      assert.deepEqual([forbidden.status, forbidden.error.type], [403, 'permission_error']);
      const unknown = await refused(body('no-such-model'));
      assert.equal(unknown.status, 404);
      assert.equal(unknown.error.type, dialect === 'Anthropic' ? 'not_found_error' : 'invalid_request_error');
      assert.match(String(unknown.error.message), /no-such-model|no such model/i);
    });

    const wrong: readonly [what: string, sent: unknown][] = [
      ['no JSON', '{"model": '],
      ['an empty body', ''],
      ['a JSON array', '[]'],
      ['no model', { messages: [] }],
      ['a model that is no string', { model: 7, messages: [] }],
      ['stream that is no boolean', { ...body(model), stream: 'yes' }],
    ];
    for (const [what, sent] of wrong) {
      test(`400 for ${what}`, async () => {
        const { status, error } = await refused(sent);
        assert.deepEqual([status, error.type], [400, 'invalid_request_error']);
      });
    }

    test('405 for GET where only POST is known', async () => {
      const { status, json } = await get(gateway.url + path);
      assert.equal(status, 405);
      assert.equal(json().type, dialect === 'Anthropic' ? 'error' : undefined, 'in the dialect of the path');
    });
  });
}

test('a path nobody knows is 404 with a body of the same shape', async () => {
  const answered = await get(`${gateway.url}/v1/nothing-here`);
  assert.equal(answered.status, 404);
  assert.equal(answered.json().error.code, 'not_found');
});

describe('health and metrics', () => {
  for (const path of ['/health/liveliness', '/health/liveness', '/health/readiness']) {
    test(`${path} answers 200 without a key`, async () => {
      assert.equal((await get(gateway.url + path, { key: '' })).status, 200);
    });
  }

  test('/metrics of both listeners speaks the Prometheus text format', async () => {
    for (const base of [gateway.url, gateway.internalUrl]) {
      const { status, text } = await get(`${base}/metrics`, { key: '' });
      assert.equal(status, 200);
      assert.match(text, /^# TYPE /m);
    }
  });

  test('what clients ask for makes no label: models have the names of the configuration', async () => {
    for (const model of ['wild-one', 'wild-two']) await post(gateway.url + chatPath, chat(model));
    const { text } = await get(`${gateway.internalUrl}/metrics`);
    assert.match(text, /tollgate_tokens_total\{provider="default\/oa",model="gpt-a"/);
    assert.ok(!text.includes('wild-'));
  });

  for (const path of ['/livez', '/readyz', '/configz']) {
    test(`${path} is on the internal listener only`, async () => {
      assert.equal((await get(gateway.internalUrl + path, { key: '' })).status, 200);
      assert.equal((await get(gateway.url + path)).status, 404);
    });
  }

  test('no secret shows in /configz, /metrics or the logs', async () => {
    await post(gateway.url + chatPath, chat('gpt-a', { messages: [{ role: 'user', content: 'canary-prompt-93847' }] }));
    const texts = [
      gateway.logs(),
      ...(await Promise.all(['/configz', '/metrics'].map(async path => (await get(gateway.internalUrl + path)).text))),
    ];
    for (const text of texts) {
      for (const canary of [clientKey, providerKey, narrowKey, 'canary-prompt-93847']) assert.ok(!text.includes(canary), canary);
    }
  });
});

describe('models', () => {
  const idsFor = async (key: string) =>
    (await get(`${gateway.url}/v1/models`, { key })).json().data.map((model: { id: string }) => model.id) as string[];

  test('/v1/models lists what this key may use, and needs a key', async () => {
    const ids = await idsFor(clientKey);
    for (const id of ['gpt-a', 'claude-a']) assert.ok(ids.includes(id), id);
    const narrow = await idsFor(narrowKey);
    assert.ok(narrow.includes('claude-a') && !narrow.some(id => id.includes('gpt')), String(narrow));
    assert.equal((await get(`${gateway.url}/v1/models`, { key: '' })).status, 401);
  });

  test('/v1/models/<name> is one of them, also with a slash in its name', async () => {
    for (const path of [
      '/v1/models/gpt-a',
      '/v1/models/oa/gpt-only-direct',
      '/v1/models/oa%2Fgpt-only-direct',
      '/models/gpt-a',
    ]) {
      const { status, text, json } = await get(gateway.url + path);
      assert.equal(status, 200, text);
      assert.equal(json().id, path.includes('direct') ? 'oa/gpt-only-direct' : 'gpt-a');
    }
    for (const [name, key] of [
      ['gpt-a', narrowKey],
      ['unknown', clientKey],
      ['%zz', clientKey],
    ] as const) {
      const { status, json } = await get(`${gateway.url}/v1/models/${name}`, { key });
      assert.deepEqual([status, json().error.code], [404, 'model_not_found']);
    }
  });

  test('/model/info says the price and no credential', async () => {
    const { status, text, json } = await get(`${gateway.url}/model/info`);
    assert.equal(status, 200);
    const found = json().data.find((entry: { model_name: string }) => entry.model_name === 'gpt-a');
    assert.equal(found.model_info.input_cost_per_token, 0.000001);
    assert.equal(found.model_info.output_cost_per_token, 0.000002);
    assert.ok(!text.includes(providerKey));
  });

  test('<provider>/<model> goes straight to the provider where the key allows the model', async () => {
    const { asked } = await upstreamRequest(chatPath, chat('oa/gpt-only-direct'));
    assert.equal(JSON.parse(asked.body.toString()).model, 'gpt-only-direct');
    assert.equal((await post(gateway.url + chatPath, chat('oa/gpt-only-direct'), { key: narrowKey })).status, 403);
  });
});

describe('the answer', () => {
  for (const { dialect, path, body, model } of dialects) {
    test(`carries the gateway's headers (${dialect})`, async () => {
      const { answered } = await upstreamRequest(path, body(model));
      const header = (name: string) => answered.headers.get(name);
      assert.match(
        header('x-request-id') ?? '',
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        'a UUIDv7 of our own',
      );
      assert.match(header('x-tollgate-route') ?? '', dialect === 'OpenAI' ? /gpt-route/ : /claude-route/);
      assert.match(header('x-tollgate-provider') ?? '', dialect === 'OpenAI' ? /oa/ : /an/);
      assert.equal(header('x-tollgate-model'), model);
      assert.equal(header('x-tollgate-attempts'), '1');
      assert.equal(header('x-tollgate-fallback'), 'false');
      assert.equal(header('x-tollgate-cache'), 'bypass');
      // 9 tokens in at 1 microdollar, 3 out at 2.
      assert.equal(Number(header('x-tollgate-cost-usd')), 0.000015);
      assert.equal(Number(header('x-litellm-response-cost')), 0.000015);
      assert.ok(Number(header('x-tollgate-overhead-ms')) >= 0);
      assert.equal(header('x-litellm-call-id'), header('x-request-id'));
    });
  }

  test('comes from the same place at /chat/completions', async () => {
    const { answered } = await upstreamRequest('/chat/completions', chat('gpt-a'));
    assert.equal(answered.json().choices[0].message.content, 'Hello.');
  });

  test('of another dialect is translated, with the model as the upstream named it', async () => {
    const { asked, answered } = await upstreamRequest(chatPath, chat('claude-a', { max_tokens: 10 }));
    assert.equal(asked.path, '/v1/messages');
    assert.equal(JSON.parse(asked.body.toString()).model, 'claude-upstream');
    const reply = answered.json();
    assert.equal(reply.object, 'chat.completion');
    assert.equal(reply.model, 'claude-scripted');
    assert.equal(reply.choices[0].message.content, 'Hello.');
    assert.deepEqual([reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens], [9, 3, 12]);
  });
});

describe('credentials', () => {
  const headers: readonly [name: string, value: string][] = [
    ['authorization', `Bearer ${clientKey}`],
    ['authorization', `bearer ${clientKey}`],
    ['x-api-key', clientKey],
    ['api-key', clientKey],
    ['x-goog-api-key', clientKey],
  ];
  for (const [name, value] of headers) {
    test(`${name}: ${value.split(' ').length > 1 ? value.split(' ')[0] : 'the key'} is accepted, and no upstream sees it`, async () => {
      const seen = upstream.asked.length;
      for (const { path, body, model } of dialects) {
        const answered = await post(gateway.url + path, body(model), { key: '', headers: { [name]: value } });
        assert.equal(answered.status, 200, answered.text);
      }
      for (const asked of upstream.asked.slice(seen)) assert.ok(!JSON.stringify(asked.headers).includes(clientKey));
    });
  }

  test("the upstream gets the provider's key where its wire wants it", async () => {
    const openai = await upstreamRequest(chatPath, chat('gpt-a'));
    assert.equal(openai.asked.headers.authorization, `Bearer ${providerKey}`);
    const anthropic = await upstreamRequest(messagesPath, message('claude-a'));
    assert.equal(anthropic.asked.headers['x-api-key'], providerKey);
    assert.equal(anthropic.asked.headers.authorization, undefined);
  });

  test('hop-by-hop, forwarding, organisation and cookie headers of a client reach no upstream', async () => {
    const { asked } = await upstreamRequest(chatPath, chat('gpt-a'), {
      'x-forwarded-for': '203.0.113.9',
      forwarded: 'for=203.0.113.9',
      'openai-organization': 'org-of-the-client',
      cookie: 'session=1',
      'x-tollgate-tags': 'a,b',
      'x-litellm-tags': 'c',
      'x-session-id': 's-1',
      'proxy-authorization': 'Basic eA==',
    });
    const names = [
      'x-forwarded-for',
      'forwarded',
      'openai-organization',
      'cookie',
      'x-tollgate-tags',
      'x-litellm-tags',
      'x-session-id',
    ];
    for (const name of [...names, 'proxy-authorization']) assert.equal(asked.headers[name], undefined, name);
  });

  test('an empty dedicated header counts as absent: SDKs that were given an empty key send both', async () => {
    const { status } = await post(gateway.url + chatPath, chat('gpt-a'), { headers: { 'x-api-key': '' } });
    assert.equal(status, 200);
  });

  test('a fallback that is another name of a backend that failed is not tried', async () => {
    upstream.answer(json(503, { error: { message: 'overloaded' } }));
    const seen = upstream.asked.length;
    const body = chat('wild-one', { fallbacks: ['wild-two', 'oa/gpt-a'], num_retries: 0 });
    const { status } = await post(gateway.url + chatPath, body);
    upstream.answer(usual);
    assert.equal(status, 503);
    assert.equal(upstream.asked.length - seen, 1);
  });
});

describe('request controls', () => {
  const controls = {
    tags: ['team-a'],
    cache: { 'no-cache': true, ttl: 60 },
    num_retries: 1,
    timeout: 30,
    fallbacks: ['claude-a'],
    disable_fallbacks: false,
    mock_testing_fallbacks: false,
    mock_testing_content_policy_fallbacks: false,
    mock_testing_context_window_fallbacks: false,
  };

  for (const [what, path, sent] of [
    ['the same dialect', chatPath, chat('gpt-a')],
    ['another dialect', chatPath, chat('claude-a', { max_tokens: 10 })],
    ['the same dialect (Anthropic)', messagesPath, message('claude-a')],
    ['another dialect (Anthropic)', messagesPath, message('gpt-a')],
  ] as const) {
    test(`never reach an upstream of ${what}`, async () => {
      const { asked } = await upstreamRequest(path, { ...sent, ...controls });
      const body = JSON.parse(asked.body.toString());
      for (const name of Object.keys(controls)) assert.ok(!(name in body), name);
    });
  }

  test('user and metadata pass, without our subkey', async () => {
    const { asked } = await upstreamRequest(chatPath, chat('gpt-a', { user: 'u-1', metadata: { tags: ['x'], order: '7' } }));
    const body = JSON.parse(asked.body.toString());
    assert.equal(body.user, 'u-1');
    assert.deepEqual(body.metadata, { order: '7' });
  });

  test('mock_testing_fallbacks answers from the next backend and says so', async () => {
    const { asked, answered } = await upstreamRequest(chatPath, chat('gpt-a', { max_tokens: 10, mock_testing_fallbacks: true }));
    assert.equal(asked.path, '/v1/messages');
    assert.equal(answered.headers.get('x-tollgate-fallback'), 'true');
    assert.match(answered.headers.get('x-tollgate-provider') ?? '', /an/);
  });

  test('of a wrong type are a 400 that names them', async () => {
    const { status, text } = await post(gateway.url + chatPath, chat('gpt-a', { num_retries: 'many' }));
    assert.equal(status, 400);
    assert.match(text, /num_retries/);
  });
});
