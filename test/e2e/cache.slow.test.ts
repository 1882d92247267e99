// The cache of answers from outside, with the real SDKs: the same words are answered once, in either dialect and in either form, by the
// tenant they were asked by, and at no cost; nothing that is not a whole answer is kept.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import {
  type CacheStage,
  openCacheStage,
  otherTenantKey,
  poorKey,
  rareKey,
  sameTenantKey,
  shyKey,
  upstreamCalls,
} from '#test/support/cache-stage.ts';
import { ask, chatPath, get, messagesPath, post } from '#test/support/client.ts';
import { clientKey } from '#test/support/resources.ts';
import { answerText, isTerminated } from '#test/support/sse.ts';
import { until } from '#test/support/until.ts';

let stage: CacheStage;
const url = () => stage.gateways[0]!.url;
before(async () => {
  stage = await openCacheStage();
});
after(() => stage?.close());

const says = (content: string) => [{ role: 'user' as const, content }];
const send = (model: string, content: string, more: Record<string, unknown> = {}, key = clientKey) =>
  post(`${url()}${chatPath}`, { model, messages: says(content), ...more }, { key });
const sendMessage = (model: string, content: string, more: Record<string, unknown> = {}) =>
  post(`${url()}${messagesPath}`, { model, max_tokens: 100, messages: says(content), ...more });
const cacheOf = ({ headers }: { headers: Headers }) => headers.get('x-tollgate-cache');

/** How many requests reached the upstream meanwhile. */
async function callsOf<T>(run: () => Promise<T>): Promise<[calls: number, result: T]> {
  const before = upstreamCalls(stage);
  const result = await run();
  return [upstreamCalls(stage) - before, result];
}

/** Asks until it hits: an answer is kept a moment after its client has it. */
const hit = (request: () => ReturnType<typeof send>) =>
  until('it is kept', async () => {
    const answer = await request();
    return cacheOf(answer) === 'hit' && answer;
  });

describe('the same words', () => {
  test('are answered by the upstream once, then from the cache at no cost, and the ledger says so', async () => {
    const [calls, [first, second]] = await callsOf(async () => [
      await send('exact', 'Why tolls?'),
      await send('exact', 'Why tolls?'),
    ]);
    assert.deepEqual([first!.status, cacheOf(first!), second!.status, cacheOf(second!)], [200, 'miss', 200, 'hit']);
    assert.equal(calls, 1);
    const [one, two] = [first!.json(), second!.json()];
    const wordsOf = ({ choices, usage, model }: ReturnType<typeof first.json>) => {
      const [{ message, finish_reason }] = choices;
      return [message.role, message.content, finish_reason, usage.prompt_tokens, usage.completion_tokens, model];
    };
    assert.deepEqual(wordsOf(two), wordsOf(one));
    assert.notEqual(two.id, one.id);
    const head = Object.fromEntries(second!.headers);
    assert.equal(Number(head['x-tollgate-cost-usd']), 0);
    assert.equal(head['x-tollgate-similarity'], '1');
    assert.equal(head['x-litellm-semantic-similarity'], '1');
    assert.ok(head['x-litellm-cache-key']);
    assert.deepEqual(
      [head['x-tollgate-attempts'], head['x-tollgate-provider'], head['x-tollgate-model']],
      ['0', 'default/openai', 'exact'],
    );
    const cost = one.usage.prompt_tokens * 1000 + one.usage.completion_tokens * 2000;
    const report = await until('the report has both', async () => {
      const answer = await get(`${url()}/cost/report?group_by=model`, { key: stage.gateways[0]!.masterKey });
      const group = answer.json().groups?.find((g: { model: string }) => g.model === 'exact');
      return group?.requests === 2 && group;
    });
    assert.deepEqual(
      [report.cache_hits, report.cache_hit_rate, report.cost_nano_usd, Math.round(report.cost_saved_by_cache_usd * 1e9)],
      [1, 0.5, cost, cost],
    );
  });

  test('are answered streamed or whole, whichever way they were asked first', async () => {
    const client = new OpenAI({ baseURL: `${url()}/v1`, apiKey: clientKey, maxRetries: 0 });
    const streamed = await send('exact', 'Streamed first?', { stream: true, stream_options: { include_usage: true } });
    assert.ok(isTerminated(streamed.text));
    const whole = await hit(() => send('exact', 'Streamed first?'));
    const body = whole.json();
    assert.equal(body.choices[0].message.content, answerText(streamed.text));
    assert.ok(body.usage.completion_tokens > 0);
    const again = await client.chat.completions
      .create({ model: 'exact', messages: says('Streamed first?'), stream: true, stream_options: { include_usage: true } })
      .withResponse();
    assert.equal(again.response.headers.get('x-tollgate-cache'), 'hit');
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of again.data) chunks.push(chunk);
    assert.equal(chunks.map(chunk => chunk.choices[0]?.delta.content ?? '').join(''), body.choices[0].message.content);
    assert.equal(chunks.filter(chunk => chunk.choices[0]?.finish_reason === 'stop').length, 1);
    assert.deepEqual(chunks.at(-1)!.usage, body.usage);
    assert.ok(chunks.length > 3, 'in pieces');
    const plain = await send('exact', 'Streamed first?', { stream: true });
    assert.ok(!plain.text.includes('"usage"'), 'nobody asked for the usage');
  });

  test('are shared by the dialects, and both SDKs read what was kept for the other', async () => {
    const anthropic = new Anthropic({ baseURL: url(), apiKey: clientKey, maxRetries: 0 });
    const openai = new OpenAI({ baseURL: `${url()}/v1`, apiKey: clientKey, maxRetries: 0 });
    const asked = { model: 'claude', max_tokens: 100, messages: says('Who pays a toll?') };
    const first = await sendMessage('claude', 'Who pays a toll?');
    assert.equal(cacheOf(first), 'miss');
    const text = first.json().content[0].text;
    const other = await hit(() => send('claude', 'Who pays a toll?', { max_tokens: 100 }));
    assert.equal(other.json().choices[0].message.content, text);
    const streamed = await openai.chat.completions
      .stream({ ...asked, stream_options: { include_usage: true } })
      .finalChatCompletion();
    assert.equal(streamed.choices[0]!.message.content, text);
    const { data, response } = await anthropic.messages.create(asked).withResponse();
    assert.equal(response.headers.get('x-tollgate-cache'), 'hit');
    const { usage } = first.json();
    assert.deepEqual([data.usage.input_tokens, data.usage.output_tokens], [usage.input_tokens, usage.output_tokens]);
    const message = await anthropic.messages.stream(asked).finalMessage();
    assert.equal(message.content[0]!.type === 'text' && message.content[0]!.text, text);
    assert.deepEqual(
      [message.stop_reason, message.usage.input_tokens, message.usage.output_tokens],
      ['end_turn', usage.input_tokens, usage.output_tokens],
    );
  });

  test("are the tenant's own, or the key's where the route says so, and apart where its metadata is", async () => {
    await hit(() => send('exact', 'A secret of ours'));
    assert.equal(cacheOf(await send('exact', 'A secret of ours', {}, sameTenantKey)), 'hit');
    assert.equal(cacheOf(await send('exact', 'A secret of ours', {}, otherTenantKey)), 'miss');
    await hit(() => send('private', 'Mine alone'));
    assert.equal(cacheOf(await send('private', 'Mine alone', {}, sameTenantKey)), 'miss');
    const of = (customer: string) => ({ metadata: { customer, other: 'x' } });
    await hit(() => send('split', 'What do I owe?', of('1')));
    assert.equal(cacheOf(await send('split', 'What do I owe?', of('2'))), 'miss');
    assert.equal(cacheOf(await send('split', 'What do I owe?', { metadata: { customer: '1', other: 'y' } })), 'hit');
    assert.equal(cacheOf(await send('split', 'What do I owe?', { tags: ['customer=3'] })), 'miss');
    assert.equal(cacheOf(await send('split', 'What do I owe?', { tags: ['customer=4'] })), 'miss');
  });

  test('are apart where the header or the fallbacks of a request change who answers, or how', async () => {
    const beta = (headers: Record<string, string>) =>
      post(`${url()}${messagesPath}`, { model: 'claude', max_tokens: 100, messages: says('Beta?') }, { headers });
    await hit(() => beta({}));
    assert.equal(cacheOf(await beta({ 'anthropic-beta': 'context-management-2025-06-27' })), 'miss');
    await hit(() => send('exact', 'Who answers?', { fallbacks: ['plain'] }));
    assert.equal(cacheOf(await send('exact', 'Who answers?')), 'miss');
  });

  test('show no similarity to a key that may not see it', async () => {
    await hit(() => send('exact', 'Shy?', {}, shyKey));
    const { headers } = await send('exact', 'Shy?', {}, shyKey);
    assert.equal(headers.get('x-tollgate-cache'), 'hit');
    assert.deepEqual([headers.get('x-tollgate-similarity'), headers.get('x-litellm-semantic-similarity')], [null, null]);
  });

  test('are free for a key whose budget is spent, and count in its limits of requests', async () => {
    const body = { max_tokens: 60 };
    await hit(() => send('exact', 'Is a hit free?', body, poorKey));
    const spent = await until('the budget is spent', async () => {
      const answer = await send('exact', `And ${performance.now()}?`, body, poorKey);
      return answer.status === 402 && answer;
    });
    assert.equal(cacheOf(spent), 'miss');
    const free = await send('exact', 'Is a hit free?', body, poorKey);
    assert.deepEqual([free.status, cacheOf(free)], [200, 'hit']);
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await send('exact', 'How often?', {}, rareKey)).status);
    assert.deepEqual(statuses, [200, 200, 200, 429]);
  });

  for (const stream of [false, true])
    test(`one call more is made for all that wait where the first client leaves, ${stream ? 'streamed' : 'whole'}`, async () => {
      stage.simulator.addFault({ fault: 'slow-first-token', match: { times: 1 } });
      const content = `Left by the first, ${stream}`;
      const leaving = new AbortController();
      const before = upstreamCalls(stage);
      const [calls, answers] = await callsOf(async () => {
        const body = { model: 'exact', messages: says(content), stream };
        const first = assert.rejects(post(`${url()}${chatPath}`, body, { signal: leaving.signal }));
        await until('the first is under way', () => upstreamCalls(stage) > before);
        const others = Array.from({ length: 20 }, () => send('exact', content, { stream }));
        setTimeout(() => leaving.abort(), 200);
        await first;
        return Promise.all(others);
      });
      stage.simulator.reset();
      assert.deepEqual([calls, answers.filter(answer => cacheOf(answer) === 'hit').length], [2, 19]);
    });

  test('50 at one time make one call', async () => {
    stage.simulator.addFault({ fault: 'slow-first-token', match: { times: 1 } });
    const [calls, answers] = await callsOf(() => Promise.all(Array.from({ length: 50 }, () => send('exact', 'All at once!'))));
    assert.deepEqual([calls, new Set(answers.map(({ status }) => status))], [1, new Set([200])]);
    assert.equal(answers.filter(answer => cacheOf(answer) === 'hit').length, 49);
  });
});

describe('words that mean the same', () => {
  const decisionOf = async ({ headers }: { headers: Headers }) =>
    (await get(`${stage.gateways[0]!.internalUrl}/debug/decisions/${headers.get('x-request-id')}`)).json().cache;

  test('are answered from the cache; words that differ in what they ask for never are, at any threshold', async () => {
    const first = await hit(() => send('meaning', 'What is the capital of France?'));
    const again = await send('meaning', 'Tell me the capital of France');
    assert.equal(cacheOf(again), 'hit');
    assert.equal(again.json().choices[0].message.content, first.json().choices[0].message.content);
    const similarity = Number(again.headers.get('x-tollgate-similarity'));
    assert.ok(similarity >= 0.8 && similarity <= 1, `${similarity}`);
    assert.deepEqual([(await decisionOf(again)).tier, (await decisionOf(again)).similarity > 0.8], ['semantic', true]);
    for (const threshold of ['0', '0.5', '0.8'])
      for (const other of ['What is the capital of Italy?', 'Tell me the capital of Italy']) {
        const body = { model: 'meaning', messages: says(other), cache: { 'no-store': true, similarity: Number(threshold) } };
        const answer = await post(`${url()}${chatPath}`, body, { headers: { 'x-tollgate-cache-threshold': threshold } });
        assert.equal(cacheOf(answer), 'miss', `${other} at ${threshold}`);
      }
  });

  test('are told apart by a guard that can be asked for', async () => {
    await hit(() => send('meaning', 'Convert 5 km to miles'));
    const answer = await send('meaning', 'Convert 6 km to miles');
    assert.equal(cacheOf(answer), 'miss');
    const [refused] = (await decisionOf(answer)).refused;
    assert.ok(refused.similarity > 0.8 && refused.entry && refused.guard, JSON.stringify(refused));
    assert.ok(!JSON.stringify(await decisionOf(answer)).includes('miles'), 'nothing of what was said');
    const { text } = await get(`${url()}/metrics`, { key: '' });
    assert.match(text, new RegExp(`tollgate_cache_refusals_total\\{route="default/meaning",guard="${refused.guard}"\\} [1-9]`));
  });

  test('are the same only as far as the request allows: it may be stricter than its route', async () => {
    await hit(() => send('meaning', 'How do I repair a bicycle?'));
    const asked = (more: Record<string, unknown>, headers: Record<string, string> = {}) =>
      post(`${url()}${chatPath}`, { model: 'meaning', messages: says('How do I fix a bicycle?'), ...more }, { headers });
    assert.equal(cacheOf(await asked({ cache: { similarity: 1, 'no-store': true } })), 'miss');
    assert.equal(cacheOf(await asked({ cache: { 'no-store': true } }, { 'x-tollgate-cache-threshold': '0.999' })), 'miss');
    assert.equal(cacheOf(await asked({ cache: { 'no-store': true } })), 'hit');
  });

  test("are found by the vectors of a provider, which are rows of the gateway's own", async () => {
    const vectorCalls = () => stage.simulator.requests().filter(({ path }) => path.endsWith('/embeddings')).length;
    await hit(() => send('elsewhere', 'How do I repair a bicycle?'));
    assert.equal(vectorCalls(), 1, 'one vector for the miss, none for the same words again');
    const again = await send('elsewhere', 'How do I fix a bicycle?');
    assert.deepEqual([cacheOf(again), Number(again.headers.get('x-tollgate-similarity')) < 1], ['hit', true]);
    const report = await until('the rows are there', async () => {
      const answer = await get(`${url()}/cost/report?group_by=tenant`, { key: stage.gateways[0]!.masterKey });
      const own = answer.json().groups?.find((group: { tenant: string }) => group.tenant === 'tollgate');
      return own?.attempts === 2 && own;
    });
    const words = 'How do I repair a bicycle?How do I fix a bicycle?';
    assert.ok(report.prompt_tokens > 0 && report.prompt_tokens <= words.length && report.completion_tokens === 0);
    assert.equal(report.cost_nano_usd, report.prompt_tokens * 1000);
  });

  test('are not found while the provider of vectors is away or slow: that costs a moment, and nothing else', async () => {
    await hit(() => send('elsewhere', 'How do I buy a car?'));
    for (const fault of ['500', 'headers-then-silence', 'empty-body']) {
      stage.simulator.addFault({ fault, match: { path: '/v1/embeddings', times: 1 } });
      const answer = await send('elsewhere', 'How do I purchase a car?', { cache: { 'no-store': true } });
      assert.deepEqual([answer.status, cacheOf(answer)], [200, 'miss'], fault);
      stage.simulator.reset();
    }
    assert.equal(cacheOf(await send('elsewhere', 'How do I purchase a car?')), 'hit');
  });

  test('are no match in a conversation, beside another system prompt, or for another tenant', async () => {
    const turns = (system: string, ...more: { role: string; content: string }[]) => ({
      model: 'meaning',
      messages: [{ role: 'system', content: system }, ...more],
    });
    const asks = (body: object, key = clientKey) => post(`${url()}${chatPath}`, body, { key });
    await hit(() => asks(turns('Be brief.', says('What is the capital of Spain?')[0]!)));
    const same = says('Tell me the capital of Spain')[0]!;
    assert.equal(cacheOf(await asks(turns('Be brief.', same))), 'hit');
    assert.equal(cacheOf(await asks(turns('Be long.', same))), 'miss');
    assert.equal(cacheOf(await asks(turns('Be brief.', same), otherTenantKey)), 'miss');
    const chat = [...says('Hi'), { role: 'assistant', content: 'Hello.' }];
    await hit(() => asks(turns('Be brief.', ...chat, says('What is the capital of Spain?')[0]!)));
    assert.equal(cacheOf(await asks(turns('Be brief.', ...chat, same))), 'miss');
  });
});

describe('a request', () => {
  test('leaves the cache, in part or wholly', async () => {
    await hit(() => send('exact', 'Controls?'));
    assert.equal(cacheOf(await send('exact', 'Controls?', { cache: { 'no-cache': true } })), 'bypass');
    assert.equal(cacheOf(await send('exact', 'Controls?', { cache: { namespace: 'n' } })), 'miss');
    assert.equal(cacheOf(await send('exact', 'Unkept?', { cache: { 'no-store': true } })), 'miss');
    assert.equal(cacheOf(await send('exact', 'Unkept?')), 'miss');
    await hit(() => send('exact', 'Short-lived?', { cache: { ttl: 0.2 } }));
    await until(
      'it is too old',
      async () => cacheOf(await send('exact', 'Short-lived?', { cache: { 'no-store': true } })) === 'miss',
    );
    await hit(() => send('exact', 'Old?'));
    assert.equal(cacheOf(await send('exact', 'Old?', { cache: { 's-maxage': 0, 'no-store': true } })), 'miss');
  });

  test('that samples is none for a route of the deterministic', async () => {
    assert.equal(cacheOf(await send('strictly', 'Sampled')), 'bypass');
    await hit(() => send('strictly', 'Sampled', { temperature: 0 }));
  });

  test('of a route without a cache has nothing to do with it', async () => {
    const answer = await send('plain', 'Plain');
    assert.deepEqual([answer.status, cacheOf(answer)], [200, 'bypass']);
  });

  test('of a route in shadow is told from, and not served', async () => {
    const [calls] = await callsOf(() => send('shadow', 'In the shade'));
    assert.equal(calls, 1);
    const id = await until('it would have hit', async () => {
      const { headers } = await send('shadow', 'In the shade');
      assert.equal(headers.get('x-tollgate-cache'), 'miss');
      const decision = (await get(`${stage.gateways[0]!.internalUrl}/debug/decisions/${headers.get('x-request-id')}`)).json();
      return decision.cache?.entry && decision.cache;
    });
    assert.deepEqual([id.shadow, id.tier, id.state], [true, 'exact', 'miss']);
  });
});

describe('what is no whole answer is not kept:', () => {
  const cases: readonly (readonly [what: string, model: string, content: string, more: Record<string, unknown>])[] = [
    ['one that was cut short', 'exact', 'Long one [[tokens=50]]', { max_tokens: 3 }],
    ['a call of a tool', 'exact', 'Use get_weather', { tools: [{ type: 'function', function: { name: 'get_weather' } }] }],
    ['several answers', 'exact', 'Several', { n: 2 }],
  ];
  for (const [what, model, content, more] of cases)
    test(what, async () => {
      for (let i = 0; i < 3; i++) assert.notEqual(cacheOf(await send(model, content, more)), 'hit');
    });

  const faults: readonly (readonly [what: string, fault: string, stream: boolean, status: number | undefined])[] = [
    ['an error', '500', false, 502],
    ['a stream that broke off', 'cut-reset', true, undefined],
    ['a stream that ended without a finish', 'cut-clean', true, undefined],
    ['an error in a stream', 'error-event', true, undefined],
    ['an answer that was filtered', 'content-filter-output', false, 200],
    ['a stream that was filtered', 'content-filter-output', true, 200],
  ];
  for (const [what, fault, stream, status] of faults)
    test(what, async () => {
      stage.simulator.addFault({ fault, match: { times: 1 } });
      // A stream that breaks off is an error to whoever reads it.
      const first = await send('exact', `After ${what}?`, { stream }).catch(() => undefined);
      assert.equal(first?.status, status);
      assert.equal(cacheOf(await send('exact', `After ${what}?`, { stream })), 'miss');
      stage.simulator.reset();
    });

  test('one that its client left', async () => {
    stage.simulator.addFault({ fault: 'slow-first-token', match: { times: 1 } });
    const left = post(
      `${url()}${chatPath}`,
      { model: 'exact', messages: says('Left?'), stream: true },
      { signal: AbortSignal.timeout(100) },
    );
    await assert.rejects(left);
    assert.equal(cacheOf(await send('exact', 'Left?')), 'miss');
  });

  test('but a call of a tool is where the route keeps them', async () => {
    const tools = [{ type: 'function', function: { name: 'get_weather' } }];
    const first = await send('calls', 'Use get_weather', { tools });
    const again = await hit(() => send('calls', 'Use get_weather', { tools }));
    assert.deepEqual(again.json().choices[0].message.tool_calls, first.json().choices[0].message.tool_calls);
    const streamed = await send('calls', 'Use get_weather', { tools, stream: true });
    assert.match(streamed.text, /"finish_reason":"tool_calls"/);
  });
});

describe('an answer that has expired', () => {
  test('is the last stage when no backend is left, and is replaced when one is back', async () => {
    const first = await send('brief', 'Stale?');
    await until('it has expired', async () => cacheOf(await send('brief', 'Stale?', { cache: { 'no-store': true } })) === 'miss');
    stage.simulator.addFault({ fault: '500' });
    for (const stream of [false, true]) {
      const stale = await send('brief', 'Stale?', { stream });
      assert.deepEqual([stale.status, cacheOf(stale)], [200, 'stale']);
      const text = stream ? answerText(stale.text) : stale.json().choices[0].message.content;
      assert.equal(text, first.json().choices[0].message.content);
    }
    assert.equal((await send('brief', 'Never asked before')).status, 503);
    stage.simulator.reset();
    assert.equal(cacheOf(await send('brief', 'Stale?')), 'miss');
  });
});

describe('while an answer that has expired is made anew', () => {
  test('those that ask for it get the old one', async () => {
    const first = await send('brief', 'Renewed?');
    await until(
      'it has expired',
      async () => cacheOf(await send('brief', 'Renewed?', { cache: { 'no-store': true } })) === 'miss',
    );
    stage.simulator.addFault({ fault: 'slow-first-token', match: { times: 1 } });
    const renewing = send('brief', 'Renewed?');
    const old = await until('somebody renews it', async () => {
      const answer = await send('brief', 'Renewed?');
      return cacheOf(answer) === 'stale' && answer;
    });
    assert.equal(old.json().choices[0].message.content, first.json().choices[0].message.content);
    assert.equal(cacheOf(await renewing), 'miss');
    stage.simulator.reset();
  });
});

describe('DELETE /cache', () => {
  const flush = (query: string, key = stage.gateways[0]!.masterKey) =>
    ask(`${url()}/cache${query}`, { method: 'DELETE', headers: { authorization: `Bearer ${key}` } });

  test('forgets a tenant, a route, a tag, or all, and needs the master key', async () => {
    assert.equal((await flush('', clientKey)).status, 403);
    assert.equal((await flush('?model=x')).status, 400);
    const tagged = () => send('exact', 'Tagged', { tags: ['topic=a'] });
    const forgotten = async (query: string, request: () => ReturnType<typeof send>, other: () => ReturnType<typeof send>) => {
      await hit(request);
      await hit(other);
      assert.equal((await flush(query)).status, 200);
      assert.deepEqual([cacheOf(await request()), cacheOf(await other())], ['miss', query === '' ? 'miss' : 'hit'], query);
    };
    const here = () => send('exact', 'Here');
    await forgotten('?tenant=other', () => send('exact', 'There', {}, otherTenantKey), here);
    await forgotten('?route=default/exact', here, () => send('private', 'Elsewhere'));
    await forgotten('?tag=topic:a', tagged, here);
    await forgotten('', here, tagged);
  });

  test('is for answers under way as well: who asks after it gets a new one', async () => {
    stage.simulator.addFault({ fault: 'slow-first-token', match: { times: 1 } });
    const before = upstreamCalls(stage);
    const old = send('exact', 'Under way?');
    await until('it is under way', () => upstreamCalls(stage) > before);
    assert.equal((await flush('')).status, 200);
    assert.equal(cacheOf(await send('exact', 'Under way?')), 'miss');
    await old;
    assert.equal(upstreamCalls(stage) - before, 2);
    stage.simulator.reset();
  });
});
