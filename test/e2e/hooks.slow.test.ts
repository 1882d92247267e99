// Hooks seen from outside: a real server of checks that allows, denies, changes, is slow, dead or talks nonsense; the built-in check; whole
// answers, streams and answers from the cache, in several dialects.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Decision } from '#dataplane/decisions.ts';
import { type Answered, chat, chatPath, get, message, messagesPath, post } from '#test/support/client.ts';
import { metricsOf } from '#test/support/fleet.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { freePort } from '#test/support/ports.ts';
import { clientKey, provider, providerSecret, type Resource, route, secret, tenantKey, yamlOf } from '#test/support/resources.ts';
import { answerText, isTerminated, messagesIn } from '#test/support/sse.ts';
import { until, within } from '#test/support/until.ts';
import { json, type Script, startUpstream, type Upstream } from '#test/support/upstream.ts';

type Hook = Record<string, unknown>;
let upstream: Upstream;
let checks: Upstream;
let gateway: Gateway;

const onRoute = (name: string, hooks: readonly Hook[], more: object = {}): Resource =>
  route(name, name, [{ name: 'm', providerRef: { name: 'oa' }, model: name }], { hooks, retries: { attempts: 0 }, ...more });
const http = (more: object = {}) => ({ url: `${checks.url}/check`, timeout: '30s', onFailure: 'Deny', ...more });
const beforeHook = (more: object = {}): Hook => ({ name: 'policy', when: 'Before', http: http(more) });
const afterHook = (more: object = {}, http_: object = {}): Hook => ({
  name: 'answers',
  when: 'After',
  http: http(http_),
  ...more,
});
const sensitive = (when: string, action: string, more: object = {}, hook: object = {}): Hook => ({
  name: `data-${when}-${action}`.toLowerCase(),
  when,
  sensitiveData: { action, ...more },
  ...hook,
});

before(async () => {
  [upstream, checks] = [await startUpstream(says('')), await startUpstream(allow)];
  const nobody = await freePort();
  const routes = [
    onRoute('before', [
      beforeHook({ headers: [{ name: 'Authorization', value: 'Bearer ', secretRef: { name: 'hook', key: 'key' } }] }),
    ]),
    onRoute('hurried', [beforeHook({ timeout: '300ms' })]),
    onRoute('hurried-lenient', [beforeHook({ timeout: '300ms', onFailure: 'Allow' })]),
    onRoute('lenient', [beforeHook({ onFailure: 'Allow' })]),
    onRoute('small', [beforeHook({ maxBodyBytes: 1024 })]),
    onRoute('dead', [beforeHook({ url: `http://127.0.0.1:${nobody}/` })]),
    onRoute('secretless', [beforeHook({ headers: [{ name: 'X-Key', secretRef: { name: 'none', key: 'key' } }] })]),
    onRoute('observed', [
      { name: 'watcher', when: 'Before', mode: 'Observe', http: { url: `${checks.url}/watch`, timeout: '30s' } },
      { name: 'listener', when: 'After', mode: 'Observe', http: { url: `${checks.url}/listen`, timeout: '30s' } },
    ]),
    onRoute('masked', [sensitive('Before', 'Mask', { restore: true }), beforeHook()]),
    onRoute('both-ways', [
      sensitive('Before', 'Mask', { restore: true, kinds: ['Email'] }),
      sensitive('Before', 'Mask', { kinds: ['CreditCard'] }, { name: 'cards' }),
      sensitive('After', 'Mask'),
      beforeHook(),
    ]),
    onRoute('forbidden', [sensitive('Before', 'Deny', { kinds: ['CreditCard', 'APIKey'] })]),
    onRoute('after', [afterHook()]),
    onRoute('held', [afterHook({ holdStream: true })]),
    onRoute('windows', [afterHook({}, { window: 64 })]),
    onRoute('after-lenient', [afterHook({}, { onFailure: 'Allow', timeout: '300ms' })]),
    onRoute('masked-answers', [sensitive('After', 'Mask')]),
    onRoute('forbidden-answers', [sensitive('After', 'Deny')]),
    onRoute('held-answers', [sensitive('After', 'Deny', {}, { holdStream: true })]),
    onRoute('kept', [sensitive('Before', 'Mask', { restore: true }), afterHook()], {
      cache: { mode: 'Exact', onlyDeterministic: false, replay: 'Instant' },
    }),
  ];
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      secret('hook', 'hook-secret'),
      tenantKey(),
      provider(
        'oa',
        'OpenAICompatible',
        upstream.url,
        routes.map(({ metadata: { name } }) => ({ name, capabilities: ['Chat', 'Tools', 'JSONSchema', 'Embeddings', 'Rerank'] })),
      ),
      provider('openai', 'OpenAI', upstream.url, ['responding', { name: 'vectors', capabilities: ['Embeddings'] }]),
      route('sorted', 'sorted', [{ name: 'm', providerRef: { name: 'oa' }, model: 'masked' }], {
        hooks: [sensitive('Before', 'Mask', { restore: true })],
        strategy: 'Semantic',
        semantic: {
          tasks: [{ name: 'writing', examples: ['write to'], backend: 'm' }],
          otherwise: 'm',
          embedding: { providerRef: { name: 'openai' }, model: 'vectors' },
        },
      }),
      routes,
      route('responding', 'responding', [{ name: 'm', providerRef: { name: 'openai' } }], {
        hooks: [sensitive('Before', 'Mask', { restore: true })],
      }),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await Promise.all([upstream?.close(), checks?.close()]);
});
beforeEach(() => {
  upstream.answer(says('Hello.'));
  checks.answer(allow);
  upstream.asked.length = 0;
  checks.asked.length = 0;
});

const allow = json(200, { verdict: 'allow' });
const deny = json(200, { verdict: 'deny', reason: 'Not on a Sunday.' });
const usage = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };

/** A model whose answer comes in these pieces where it is streamed. */
function says(...pieces: readonly string[]): Script {
  return (response, { body }) => {
    const { model, stream } = JSON.parse(body.toString());
    const common = { id: 'chatcmpl-1', created: 1, model };
    if (!stream) {
      const choice = { index: 0, message: { role: 'assistant', content: pieces.join('') }, finish_reason: 'stop' };
      return json(200, { ...common, object: 'chat.completion', choices: [choice], usage })(response, {
        path: '',
        headers: {},
        body,
      });
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(streamOf(model, pieces));
  };
}

function streamOf(model: string, pieces: readonly string[], finish = true): string {
  const frame = (more: object) => {
    const chunk = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model, ...more };
    return `data: ${JSON.stringify(chunk)}\n\n`;
  };
  const choice = (delta: object, reason: string | null = null) =>
    frame({ choices: [{ index: 0, delta, finish_reason: reason }] });
  const words = [choice({ role: 'assistant', content: '' }), ...pieces.map(content => choice({ content }))].join('');
  return finish ? `${words}${choice({}, 'stop')}${frame({ choices: [], usage })}data: [DONE]\n\n` : words;
}

const ask = (model: string, content = 'Say hello.', more: object = {}) =>
  post(gateway.url + chatPath, chat(model, { messages: [{ role: 'user', content }], ...more }));
const stream = (model: string, content = 'Say hello.', more: object = {}) => ask(model, content, { stream: true, ...more });
const sentUpstream = () => upstream.asked.map(({ body }) => JSON.parse(body.toString()));
const toldHooks = () => checks.asked.map(({ body }) => JSON.parse(body.toString()));
const contentOf = (answer: Answered): string => answer.json().choices[0].message.content;
const errorOf = (answer: Answered) => answer.json().error;
const decisionOf = ({ headers }: Answered): Promise<Decision> =>
  until('the request is remembered', async () => {
    const found = await get(`${gateway.internalUrl}/debug/decisions/${headers.get('x-request-id')}`);
    const decision = found.json() as Decision;
    return decision.outcome ? decision : false;
  });

describe('a hook before the request', () => {
  test('that allows: it is told who asks what, with its secret; the bytes go on as they came', async () => {
    const body = `{ "model":"before", "messages":[{"role":"user","content":"a\\u0041\u2028"}],"unknown": 1.0 , "metadata":{"team":"red"}}`;
    const answer = await post(gateway.url + chatPath, body);
    assert.equal(answer.status, 200, answer.text);
    const [told] = toldHooks();
    assert.equal(checks.asked[0]!.path, '/check');
    assert.equal(checks.asked[0]!.headers.authorization, 'Bearer hook-secret');
    const { requestId, body: sent, ...about } = told;
    assert.equal(requestId, answer.headers.get('x-request-id'));
    assert.deepEqual(sent, JSON.parse(body));
    assert.ok(checks.asked[0]!.body.toString().includes(body), 'the very bytes');
    assert.deepEqual(about, {
      hook: 'policy',
      when: 'Before',
      tenant: 'acme',
      key: { name: 'default/client', alias: 'client' },
      route: 'default/before',
      model: 'before',
      operation: 'Chat',
      dialect: 'openai-chat',
      stream: false,
      tags: { team: 'red' },
    });
    assert.ok(upstream.asked[0]!.body.toString().includes('"content":"a\\u0041\u2028"}],"unknown": 1.0'));
    assert.deepEqual(
      (await decisionOf(answer)).hooks?.map(({ hook, outcome }) => [hook, outcome]),
      [['policy', 'allow']],
    );
  });

  test('that denies: nothing is sent, and each client is told in its dialect', async () => {
    checks.answer(deny);
    const metric = async () =>
      (await metricsOf(gateway))('tollgate_hook_calls_total', 'route="default/before",hook="policy",outcome="deny"');
    const earlier = (await metric()) ?? 0;
    const paths = [
      [chatPath, chat('before')],
      [chatPath, chat('before', { stream: true })],
      [messagesPath, message('before')],
      ['/v1/responses', { model: 'before', input: 'Say hello.', store: false }],
      ['/v1beta/models/before:generateContent', { contents: [{ role: 'user', parts: [{ text: 'Say hello.' }] }] }],
      ['/v1/embeddings', { model: 'before', input: 'Say hello.' }],
    ] as const;
    for (const [path, body] of paths) {
      const answer = await post(gateway.url + path, body);
      assert.equal(answer.status, 400, `${path}: ${answer.text}`);
      assert.equal(errorOf(answer).message, 'Not on a Sunday.', path);
    }
    const [openAI, anthropic] = [await ask('before'), await post(gateway.url + messagesPath, message('before'))];
    assert.deepEqual([errorOf(openAI).code, errorOf(openAI).type], ['denied_by_hook', 'invalid_request_error']);
    assert.deepEqual([anthropic.json().type, errorOf(anthropic).type], ['error', 'invalid_request_error']);
    assert.equal(upstream.asked.length, 0);
    assert.equal((await metric()) ?? 0, earlier + paths.length + 2);
    const { outcome, hooks, attempts } = await decisionOf(openAI);
    assert.deepEqual([outcome?.failure, attempts], ['denied_by_hook', []]);
    assert.deepEqual(
      hooks?.map(one => [one.hook, one.when, one.outcome]),
      [['policy', 'Before', 'deny']],
    );
    assert.ok(!gateway.logs().includes('Sunday'), 'what a hook says may be content: it is not in the log');
  });

  test('that replaces: the backend gets the new request', async () => {
    checks.answer(json(200, { verdict: 'replace', body: chat('before', { messages: [{ role: 'user', content: 'Be kind.' }] }) }));
    assert.equal((await ask('before', 'Be rude.')).status, 200);
    assert.deepEqual(sentUpstream()[0].messages, [{ role: 'user', content: 'Be kind.' }]);
  });

  test('that replaces by what is no such request: nothing is sent, and the hook is named', async () => {
    for (const [body, says] of [
      [{ model: 'before', messages: 'none' }, /messages/],
      [chat('held'), /for another model/],
      [chat('before', { stream: true }), /another form/],
      [{}, /model/],
    ] as const) {
      checks.answer(json(200, { verdict: 'replace', body }));
      const answer = await ask('before', 'x', { temperature: 0 });
      if (answer.status === 200) continue;
      assert.equal(answer.status, 503, answer.text);
      assert.equal(errorOf(answer).code, 'hook_failed');
      assert.match(errorOf(answer).message, /'policy'/);
      assert.match(errorOf(answer).message, says);
    }
  });

  const nonsense: readonly (readonly [what: string, script: Script, outcome: string])[] = [
    ['no JSON', json(200, 'allow'), 'bad_verdict'],
    ['an unknown verdict', json(200, { verdict: 'perhaps' }), 'bad_verdict'],
    ['a list', json(200, '[]'), 'bad_verdict'],
    ['a reason that is none', json(200, { verdict: 'deny', reason: { a: 1 } }), 'bad_verdict'],
    ['words for a request', json(200, { verdict: 'replace', texts: ['a'] }), 'bad_verdict'],
    ['nothing', json(200, ''), 'bad_verdict'],
    ['another status', json(500, { verdict: 'allow' }), 'refused'],
    ['no content', response => void response.writeHead(204).end(), 'refused'],
    ['a redirect', (response, { path }) => void response.writeHead(307, { location: path }).end(), 'refused'],
    ['a cut connection', response => void response.destroy(), 'unreachable'],
    [
      'more than anybody reads',
      response => void response.writeHead(200).end(`{"verdict":"allow","x":"${'x'.repeat(5_000_000)}"}`),
      'too_large',
    ],
    ['silence', () => {}, 'timeout'],
    ['a drip', response => void response.writeHead(200).write('{"verdict":'), 'timeout'],
  ];
  for (const [what, script, outcome] of nonsense)
    test(`that says ${what} has failed: the request is denied or allowed, as the hook declares`, async () => {
      checks.answer(script);
      const [strict, lenient] = outcome === 'timeout' ? ['hurried', 'hurried-lenient'] : ['before', 'lenient'];
      const denied = await ask(strict);
      assert.deepEqual([denied.status, errorOf(denied).code], [503, 'hook_failed'], denied.text);
      assert.equal(upstream.asked.length, 0);
      assert.equal((await ask(lenient)).status, 200);
      assert.equal(upstream.asked.length, 1);
      assert.deepEqual(
        (await decisionOf(denied)).hooks?.map(one => one.outcome),
        [outcome],
      );
    });

  test('that is away, lacks its secret, or may not see so large a body has failed', async () => {
    for (const [model, outcome, content] of [
      ['dead', 'unreachable', 'x'],
      ['secretless', 'unusable', 'x'],
      ['small', 'too_large', 'x'.repeat(2000)],
    ] as const) {
      const answer = await ask(model, content);
      assert.deepEqual([answer.status, errorOf(answer).code], [503, 'hook_failed'], model);
      assert.deepEqual(
        (await decisionOf(answer)).hooks?.map(one => one.outcome),
        [outcome],
      );
    }
    assert.equal((await ask('small')).status, 200);
    assert.equal(upstream.asked.length, 1);
  });

  test('takes no more time than the request has', async () => {
    checks.answer(() => {});
    const answer = await within(25_000, 'its own limit', ask('before', 'x', { timeout: 0.3 }));
    assert.equal(errorOf(answer).code, 'hook_failed');
  });

  test('cannot look into a form: it is not passed on', async () => {
    const form = new FormData();
    form.set('model', 'before');
    form.set('file', new Blob(['RIFF']), 'a.wav');
    const response = await fetch(`${gateway.url}/v1/audio/transcriptions`, {
      method: 'POST',
      body: form,
      headers: { authorization: `Bearer ${clientKey}` },
    });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /cannot look into a form/);
  });
});

test('hooks that observe are told beside the request, and nobody waits for them', async () => {
  checks.answer(() => {});
  const answer = await within(25_000, 'nobody waits for hooks that never answer', ask('observed', 'Hi?'));
  assert.equal(contentOf(answer), 'Hello.');
  const streamed = await within(25_000, 'nor at streams', stream('observed'));
  assert.equal(answerText(streamed.text), 'Hello.');
  await until('both were told of both', () => checks.asked.length === 4);
  const [watched] = toldHooks().filter(({ hook }) => hook === 'watcher');
  assert.equal(watched.body.messages[0].content, 'Hi?');
  for (const { when, answer: told } of toldHooks().filter(({ hook }) => hook === 'listener')) {
    assert.equal(when, 'After');
    assert.deepEqual([told.texts.map((one: { text: string }) => one.text), told.isLast], [['Hello.'], true]);
  }
});

const MAIL = 'jo@example.com';
const CARD = '4111 1111 1111 1111';

describe('secrets and personal data', () => {
  test('are masked on the way in, for hooks as well, and come back in the answer', async () => {
    upstream.answer((response, asked) => {
      const [{ content }] = JSON.parse(asked.body.toString()).messages;
      return says(`You said: ${content}`)(response, asked);
    });
    const answer = await ask('masked', `I am ${MAIL}, again ${MAIL}, and pay with ${CARD}.`);
    const masked = 'I am [EMAIL_1], again [EMAIL_1], and pay with [CREDIT_CARD_1].';
    assert.equal(sentUpstream()[0].messages[0].content, masked);
    assert.equal(toldHooks()[0].body.messages[0].content, masked);
    assert.equal(contentOf(answer), `You said: I am ${MAIL}, again ${MAIL}, and pay with ${CARD}.`);
  });

  test('come back in a stream wherever that cuts the placeholder; arguments of tools stay JSON', async () => {
    const key = '-----BEGIN PRIVATE KEY-----\nMII"x\n-----END PRIVATE KEY-----';
    for (let cut = 1; cut < 12; cut++) {
      upstream.answer(says('To [EMA', 'IL_1', ']', ': done '.slice(0, cut), '[EMAIL_9] '.slice(cut)));
      const answer = await stream('masked', `Write to ${MAIL}`);
      assert.equal(answerText(answer.text), `To ${MAIL}${': done '.slice(0, cut)}${'[EMAIL_9] '.slice(cut)}`);
      assert.ok(isTerminated(answer.text));
    }
    upstream.answer((response, { body }) => {
      const { model } = JSON.parse(body.toString());
      const call = { id: 'call_1', type: 'function', function: { name: 'send', arguments: '{"key":"[PRIVATE_KEY_1]"}' } };
      const choice = { index: 0, message: { role: 'assistant', content: null, tool_calls: [call] }, finish_reason: 'tool_calls' };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ id: 'x', object: 'chat.completion', created: 1, model, choices: [choice], usage }));
    });
    const answer = await ask('masked', `Send ${key}`);
    const [{ message: said }] = answer.json().choices;
    assert.deepEqual(JSON.parse(said.tool_calls[0].function.arguments), { key });
  });

  test('come back in the documents of a ranking', async () => {
    upstream.answer((response, { body }) => {
      const { documents } = JSON.parse(body.toString());
      const results = documents.map((text: string, index: number) => ({ index, relevance_score: 0.5, document: { text } }));
      json(200, { id: 'r', model: 'm', results, usage: { total_tokens: 9 } })(response, { path: '', headers: {}, body });
    });
    const documents = [`Write to ${MAIL}`, 'Nobody'];
    const answer = await post(`${gateway.url}/v1/rerank`, { model: 'masked', query: 'Who?', documents, return_documents: true });
    assert.deepEqual(sentUpstream()[0].documents, ['Write to [EMAIL_1]', 'Nobody']);
    assert.deepEqual(
      answer.json().results.map((result: { document: { text: string } }) => result.document.text),
      documents,
    );
  });

  test('are masked before a model is asked what a request is about', async () => {
    upstream.answer((response, asked) => {
      const { input } = JSON.parse(asked.body.toString());
      const vectors = () => [input].flat().map((_: string, index: number) => ({ index, embedding: [0.5, 0.5] }));
      if (asked.path.endsWith('/embeddings')) return json(200, { object: 'list', data: vectors(), usage })(response, asked);
      return says(`Hello ${MAIL}`)(response, asked);
    });
    for (const text of [`Write to ${MAIL}`, 'Write to nobody']) {
      const answer = await ask('sorted', text);
      assert.equal(answer.status, 200, answer.text);
    }
    const embedded = upstream.asked.filter(({ path }) => path.endsWith('/embeddings')).map(({ body }) => body.toString());
    assert.ok(embedded.some(body => body.includes('[EMAIL_1]')) && embedded.some(body => body.includes('nobody')));
    assert.ok(!upstream.asked.some(({ body }) => body.includes(MAIL)));
  });

  test('may stand in tokens, which are not let through', async () => {
    for (const [path, field] of [
      ['embeddings', 'input'],
      ['completions', 'prompt'],
    ] as const)
      for (const tokens of [
        [1, 2],
        [[1, 2], [3]],
        ['words', [1, 2]],
      ]) {
        const answer = await post(`${gateway.url}/v1/${path}`, { model: 'forbidden', [field]: tokens });
        assert.deepEqual([answer.status, errorOf(answer).code, errorOf(answer).param], [400, 'unsupported_parameter', field]);
      }
    assert.equal(upstream.asked.length, 0);
  });

  test('that another request had are not taken for those of one that goes on with it', async () => {
    const responses = async (more: object) => {
      const answer = await post(`${gateway.url}/v1/responses`, { model: 'responding', ...more });
      assert.equal(answer.status, 200, answer.text);
      return answer.json();
    };
    const answered = (text: string) =>
      json(200, {
        ...{ id: `resp_${text.length}`, object: 'response', created_at: 1, model: 'responding', status: 'completed' },
        output: [{ type: 'message', id: 'm', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text }] }],
        usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
      });
    upstream.answer(answered('First [EMAIL_1].'));
    const first = await responses({ input: `I am ${MAIL}` });
    assert.equal(first.output[0].content[0].text, `First ${MAIL}.`);
    upstream.answer(answered('Then [EMAIL_1].'));
    const second = await responses({ input: 'Now ann@example.com', previous_response_id: first.id });
    assert.equal(second.output[0].content[0].text, 'Then [EMAIL_1].');
    assert.match(sentUpstream()[1].input, /^Now \[EMAIL_[0-9A-F]{6}_1\]$/);
  });

  test('that the model knew by itself stay masked, as does what is not to come back; tags tell hooks nothing more', async () => {
    upstream.answer(says('[EMAIL_1] [CREDIT_CARD_1] ann@example.com'));
    const answer = await ask('both-ways', `${MAIL} ${CARD}`, { metadata: { owner: MAIL } });
    assert.equal(contentOf(answer), `${MAIL} [CREDIT_CARD_1] [EMAIL_2]`);
    assert.deepEqual(toldHooks()[0].tags, { owner: '[EMAIL_1]' });
    assert.ok(!checks.asked[0]!.body.toString().includes(MAIL));
  });

  test('without any, not a byte is changed, in either direction', async () => {
    const body = `{ "model":"masked" ,"messages":[{"role":"user","content":"\\u0041 b\u2028"}], "stream":true}`;
    const sent = streamOf('masked', ['Hel', 'lo [', 'x] you']);
    upstream.answer(response => void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(sent));
    const answer = await post(gateway.url + chatPath, body);
    assert.ok(
      upstream.asked[0]!.body.toString().includes(`"messages":[{"role":"user","content":"\\u0041 b\u2028"}], "stream":true`),
    );
    const withoutUsage = messagesIn(sent).filter(({ data }) => !data.includes('"choices":[]'));
    assert.deepEqual(messagesIn(answer.text), withoutUsage);
  });

  test('are denied where the route says so, named by kind alone', async () => {
    const answer = await ask('forbidden', `My card is ${CARD} and my mail ${MAIL}`);
    assert.deepEqual([answer.status, errorOf(answer).code], [400, 'denied_by_hook']);
    assert.match(errorOf(answer).message, /the number of a credit card/);
    assert.ok(!answer.text.includes('4111') && !answer.text.includes('e-mail'));
    assert.equal(upstream.asked.length, 0);
    assert.equal((await ask('forbidden', `Only my mail, ${MAIL}`)).status, 200);
    assert.ok(!gateway.logs().includes('4111'));
  });

  test('are masked on the way out: whole, in streams cut anywhere, in each dialect', async () => {
    const text = `It is ${MAIL} and ${CARD}, ok`;
    const masked = 'It is [EMAIL_1] and [CREDIT_CARD_1], ok';
    upstream.answer(says(text));
    assert.equal(contentOf(await ask('masked-answers')), masked);
    for (const pieces of [
      text.split(''),
      text.split(' ').map((word, i) => (i > 0 ? ` ${word}` : word)),
      [text],
      text.split(/(?=@|1)/),
    ]) {
      upstream.answer(says(...pieces));
      const [openAI, anthropic] = [
        await stream('masked-answers'),
        await post(gateway.url + messagesPath, message('masked-answers', { stream: true })),
      ];
      assert.equal(answerText(openAI.text), masked);
      assert.equal(answerText(anthropic.text), masked);
      assert.ok(isTerminated(openAI.text) && isTerminated(anthropic.text));
      const responses = await post(`${gateway.url}/v1/responses`, {
        model: 'masked-answers',
        input: 'x',
        stream: true,
        store: false,
      });
      assert.ok(!responses.text.includes('jo@') && !responses.text.includes('4111 1111'), responses.text);
      assert.ok(responses.text.includes(masked), 'the whole text of the last events is masked alike');
      const gemini = await post(`${gateway.url}/v1beta/models/masked-answers:streamGenerateContent?alt=sse`, {
        contents: [{ role: 'user', parts: [{ text: 'x' }] }],
      });
      const parts = messagesIn(gemini.text).map(({ data }) => JSON.parse(data).candidates?.[0]?.content?.parts?.[0]?.text ?? '');
      assert.equal(parts.join(''), masked);
      // In AWS's binary frames.
      const converse = await post(`${gateway.url}/model/masked-answers/converse-stream`, {
        messages: [{ role: 'user', content: [{ text: 'x' }] }],
      });
      const texts = [...converse.text.matchAll(/"text":"([^"]*)"/g)].map(([, text]) => text);
      assert.equal(texts.join(''), masked);
    }
  });

  test('tell nothing through the probabilities of their tokens', async () => {
    upstream.answer((response, { body }) => {
      const { model } = JSON.parse(body.toString());
      const logprobs = { content: [{ token: 'jo@', logprob: 0, bytes: null, top_logprobs: [] }] };
      const choice = { index: 0, message: { role: 'assistant', content: MAIL }, logprobs, finish_reason: 'stop' };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ id: 'x', object: 'chat.completion', created: 1, model, choices: [choice], usage }));
    });
    const [choice] = (await ask('masked-answers', 'x', { logprobs: true })).json().choices;
    assert.deepEqual([choice.message.content, choice.logprobs], ['[EMAIL_1]', null]);
    checks.answer(json(200, { verdict: 'replace', texts: ['Nobody.'] }));
    const [other] = (await ask('after', 'x', { logprobs: true })).json().choices;
    assert.deepEqual([other.message.content, other.logprobs], ['Nobody.', null]);
  });

  test('break a stream off that has begun, and it ends as none that is whole; one that is held is refused', async () => {
    upstream.answer(says('Your number is ', '4111 1111', ' 1111 1111', '. Bye'));
    for (const path of [chatPath, messagesPath]) {
      const body = path === chatPath ? chat : message;
      const response = await fetch(gateway.url + path, {
        method: 'POST',
        body: JSON.stringify(body('forbidden-answers', { stream: true })),
        headers: { authorization: `Bearer ${clientKey}` },
      });
      let text = '';
      await assert.rejects(async () => {
        for await (const chunk of response.body!) text += Buffer.from(chunk).toString();
      }, 'the connection is cut');
      assert.ok(!text.includes('4111') && !text.includes('Bye') && !isTerminated(text), text);
      assert.match(text, /the number of a credit card/);
    }
    const held = await stream('held-answers');
    assert.deepEqual([held.status, errorOf(held).code], [400, 'denied_by_hook']);
    const whole = await ask('forbidden-answers');
    assert.deepEqual([whole.status, errorOf(whole).code], [400, 'denied_by_hook']);
    upstream.answer(says('All ', 'is well'));
    assert.equal(answerText((await stream('held-answers')).text), 'All is well');
  });
});

/** A stream that breaks: what came of it. */
async function broken(model: string): Promise<string> {
  const response = await fetch(gateway.url + chatPath, {
    method: 'POST',
    body: JSON.stringify(chat(model, { stream: true })),
    headers: { authorization: `Bearer ${clientKey}` },
  });
  let text = '';
  await assert.rejects(async () => {
    for await (const chunk of response.body!) text += Buffer.from(chunk).toString();
  }, `the connection is cut: ${text}`);
  return text;
}

describe('a hook after the answer', () => {
  test('sees all its words, and lets it through as it is', async () => {
    upstream.answer(says('One ', 'two.'));
    assert.equal(contentOf(await ask('after')), 'One two.');
    assert.deepEqual(toldHooks()[0].answer, {
      texts: [{ at: 'choices[0].message.content', text: 'One two.' }],
      isLast: true,
      window: 0,
    });
    const streamed = await stream('held');
    assert.equal(answerText(streamed.text), 'One two.');
    assert.ok(isTerminated(streamed.text));
    assert.deepEqual(toldHooks()[1].answer.texts, [{ at: 'choices[0].delta.content', text: 'One two.' }]);
  });

  test('denies it: the client gets an error, not a word of the answer; what it cost is billed', async () => {
    upstream.answer(says('Hidden ', 'words.'));
    checks.answer(deny);
    for (const answer of [await ask('after'), await stream('held'), await post(gateway.url + messagesPath, message('after'))]) {
      assert.equal(answer.status, 400);
      assert.equal(errorOf(answer).message, 'Not on a Sunday.');
      assert.ok(!answer.text.includes('Hidden'));
    }
    const { attempts, outcome, hooks } = await decisionOf(await ask('after'));
    assert.deepEqual([outcome?.failure, outcome?.status], ['denied_by_hook', 400]);
    assert.deepEqual(
      hooks?.map(one => [one.hook, one.outcome]),
      [['answers', 'deny']],
    );
    assert.deepEqual(
      attempts.map(one => [one.failure, one.prompt_tokens, one.completion_tokens]),
      [[null, 7, 3]],
    );
  });

  test('replaces words, in whole answers and in streams that are held, in each dialect', async () => {
    upstream.answer(says('Rude ', 'words.'));
    checks.answer(json(200, { verdict: 'replace', texts: ['Kind words.'] }));
    assert.equal(contentOf(await ask('after')), 'Kind words.');
    assert.deepEqual((await ask('after')).json().usage, usage);
    assert.equal(answerText((await stream('held')).text), 'Kind words.');
    const anthropic = await post(gateway.url + messagesPath, message('held', { stream: true }));
    assert.equal(answerText(anthropic.text), 'Kind words.');
    const responses = await post(`${gateway.url}/v1/responses`, { model: 'held', input: 'x', stream: true, store: false });
    assert.ok(responses.text.includes('Kind words.') && !responses.text.includes('Rude'), responses.text);
    checks.answer(json(200, { verdict: 'replace', texts: ['one', 'too many'] }));
    assert.equal(errorOf(await ask('after')).code, 'hook_failed');
  });

  test('sees a stream in windows, each before it goes on, with what stood before it', async () => {
    const words = Array.from({ length: 60 }, (_, i) => `word${i} `);
    upstream.answer(says(...words));
    const answer = await stream('windows');
    assert.equal(answerText(answer.text), words.join(''));
    const told = toldHooks().map(one => one.answer);
    assert.ok(told.length > 1 && told[0].texts[0].text.length < 128, 'the first of them is short');
    assert.equal(told.map(({ texts }) => texts[0]?.text ?? '').join(''), words.join(''));
    for (const [i, { texts, window, isLast }] of told.entries()) {
      assert.deepEqual([window, isLast], [i, i === told.length - 1]);
      if (i > 0)
        assert.equal(
          texts[0].before,
          words
            .join('')
            .slice(
              0,
              told.slice(0, i).reduce((n, one) => n + one.texts[0].text.length, 0),
            )
            .slice(-64),
        );
    }
  });

  test('a long stream is checked as it comes and arrives whole, to a client that is slow as well', async () => {
    const words = Array.from({ length: 4000 }, (_, i) => `word${i} ${'x'.repeat(240)} `);
    upstream.answer(says(...words));
    checks.answer(async (response, asked) => {
      await new Promise(resolve => setTimeout(resolve, 5));
      await allow(response, asked);
    });
    for (const model of ['windows', 'held', 'masked-answers']) {
      const response = await fetch(gateway.url + chatPath, {
        method: 'POST',
        body: JSON.stringify(chat(model, { stream: true })),
        headers: { authorization: `Bearer ${clientKey}` },
      });
      const chunks: Uint8Array[] = [];
      for await (const chunk of response.body!) {
        if (chunks.length % 20 === 0) await new Promise(resolve => setTimeout(resolve, 20));
        chunks.push(chunk);
      }
      const text = Buffer.concat(chunks).toString();
      assert.equal(answerText(text), words.join(''), model);
      assert.ok(isTerminated(text));
    }
  });

  test('breaks a stream off: the windows it allowed are there, the others are not, and it does not end as if it were whole', async () => {
    upstream.answer(says(...Array.from({ length: 60 }, (_, i) => `word${i} `)));
    checks.answer((response, asked) => {
      const { texts } = JSON.parse(asked.body.toString()).answer;
      return (texts[0].text.includes('word30') ? deny : allow)(response, asked);
    });
    const text = await broken('windows');
    assert.ok(text.includes('word1 ') && !text.includes('word30') && !text.includes('word59'), text);
    assert.ok(!isTerminated(text) && text.includes('denied_by_hook'));
    checks.answer(response => void response.destroy());
    const failed = await broken('windows');
    assert.ok(!failed.includes('word0') && failed.includes('hook_failed'), failed);
  });

  test('that fails lets the answer through where that is declared', async () => {
    checks.answer(() => {});
    assert.equal(contentOf(await ask('after-lenient')), 'Hello.');
    assert.equal(answerText((await stream('after-lenient')).text), 'Hello.');
  });

  test('a stream that its provider breaks off is broken for the client, held or not', async () => {
    upstream.answer(response => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(streamOf('held', ['Half an ', 'answer'], false), () => response.destroy());
    });
    for (const model of ['held', 'windows', 'masked-answers']) {
      const text = await broken(model);
      assert.ok(!isTerminated(text) && text.includes('"error"'), text);
      assert.ok(model === 'masked-answers' || !text.includes('Half'), 'nobody has allowed it');
    }
  });

  test('an event that is no JSON ends the stream with an error: nobody could look into it', async () => {
    upstream.answer(response => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const unreadable = String.raw`data: {"choices":[{"index":0,"delta":{"content":"\q 4111 1111 1111 1111"}}]}`;
      response.end(`${streamOf('m', ['Half an '], false)}${unreadable}\n\n${streamOf('m', [' answer'])}`);
    });
    for (const model of ['windows', 'masked-answers']) {
      const text = await broken(model);
      assert.ok(!isTerminated(text) && text.includes('"error"') && !text.includes('4111'), text);
    }
    await until('nothing is under way', async () => (await metricsOf(gateway))('tollgate_inflight_requests') === 0);
  });

  test('a client that leaves while a hook thinks leaves nothing behind', async () => {
    checks.answer(() => {});
    const leaving = new AbortController();
    const left = post(gateway.url + chatPath, chat('windows', { stream: true }), { signal: leaving.signal });
    await until('the hook is asked', () => checks.asked.length === 1);
    leaving.abort();
    await assert.rejects(left);
    await until('nothing is under way', async () => (await metricsOf(gateway))('tollgate_inflight_requests') === 0);
  });

  test('what is worked on in the background, or kept in a conversation, would not be seen: it is refused', async () => {
    const responses = (more: object) => post(`${gateway.url}/v1/responses`, { model: 'after', input: 'x', ...more });
    for (const answer of [await responses({ background: true, store: true }), await responses({ conversation: 'conv_1' })]) {
      assert.ok([400, 404].includes(answer.status), answer.text);
      assert.equal(upstream.asked.length, 0);
    }
  });
});

test('a model with checks is no fallback that a request brings along', async () => {
  const answer = await ask('masked-answers', 'x', { fallbacks: ['before'] });
  assert.deepEqual([answer.status, errorOf(answer).param], [403, 'fallbacks'], answer.text);
  assert.equal(upstream.asked.length, 0);
});

test('the cache keeps masked questions and what was answered to them: each client has its own data back, and hooks see hits', async () => {
  upstream.answer(says('Wrote to ', '[EMAIL_1].'));
  const first = await ask('kept', 'Write to ann@example.com', { temperature: 0 });
  assert.deepEqual([first.headers.get('x-tollgate-cache'), contentOf(first)], ['miss', 'Wrote to ann@example.com.']);
  const hit = await until('it is kept', async () => {
    const answer = await ask('kept', 'Write to bob@example.com', { temperature: 0 });
    return answer.headers.get('x-tollgate-cache') === 'hit' && answer;
  });
  assert.equal(contentOf(hit), 'Wrote to bob@example.com.');
  const streamed = await stream('kept', 'Write to eve@example.com', { temperature: 0 });
  assert.deepEqual([streamed.headers.get('x-tollgate-cache'), answerText(streamed.text)], ['hit', 'Wrote to eve@example.com.']);
  checks.answer(deny);
  const denied = await ask('kept', 'Write to zoe@example.com', { temperature: 0 });
  assert.deepEqual([denied.status, errorOf(denied).code], [400, 'denied_by_hook']);
});
