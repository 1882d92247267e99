// The waterfall from outside: which backends a failure leads to, what bounds it, what waits, and what the client gets in the end.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chat, chatPath, get, message, messagesPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { patient, provider, providerSecret, type Resource, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { json, type Script, startUpstream, type Upstream } from '#test/support/upstream.ts';
import { openaiReply } from '#test/support/wires.ts';

const BACKENDS = ['one', 'two', 'long', 'safe', 'small'];
const EIGHT = Array.from({ length: 8 }, (_, i) => `many-${i}`);
const once = { retries: { attempts: 0 } };

let upstream: Upstream;
let gateway: Gateway;
/** What each model answers; all else: a good answer that names the model. */
let scripts: Record<string, Script> = {};

const breaker = (cooldown: string) => ({ circuitBreaker: { consecutiveFailures: 2, cooldown } });
const to = (...names: readonly string[]) => names.map(name => ({ name, providerRef: { name }, model: name }));
const alone = (name: string, spec: Record<string, unknown>, more: Record<string, unknown> = once): Resource[] => [
  provider(name, 'OpenAI', upstream.url, [name], spec),
  route(name, name, to(name), more),
];

before(async () => {
  upstream = await startUpstream((response, asked) => {
    const { model } = JSON.parse(asked.body.toString());
    return (scripts[model] ?? json(200, openaiReply(model)))(response, asked);
  });
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      [...BACKENDS, ...EIGHT].map(name => provider(name, 'OpenAI', upstream.url, [name], patient)),
      route('classes', 'classes', to('one', 'two', 'long', 'safe'), {
        ...once,
        fallback: {
          on: ['Exhausted', 'ContextLengthExceeded', 'ContentFiltered'],
          contextLengthExceeded: ['long'],
          contentFiltered: ['safe'],
        },
      }),
      route('plain', 'plain', to('one', 'two'), once),
      route('smaller', 'smaller', [...to('one'), { ...to('small')[0], downgrade: true }], {
        ...once,
        fallback: { allowDowngrade: true },
      }),
      route('many', 'many', to(...EIGHT), {
        retries: { attempts: 10, backoff: { base: '1ms', max: '2ms' }, budgetPercent: 100 },
      }),
      alone('open', breaker('30s')),
      alone('soon', breaker('400ms')),
      provider('stood-in', 'OpenAI', upstream.url, ['stood-in'], breaker('30s')),
      route('stood-in', 'stood-in', to('stood-in', 'two'), once),
      alone('worded', breaker('30s'), { ...once, catchAllAnswer: { message: 'Please come back later.', status: 529 } }),
      ...(['Deny', 'Warn'] as const).map(onExceeded =>
        route(`spent-${onExceeded.toLowerCase()}`, `spent-${onExceeded.toLowerCase()}`, to('one', 'two'), {
          ...once,
          fallback: { costGuard: { onExceeded, budgetPerHour: '0.003' } },
        }),
      ),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});
beforeEach(() => {
  scripts = {};
  upstream.asked.length = 0;
});

const send = (model: string, rest: Record<string, unknown> = {}) => post(gateway.url + chatPath, chat(model, rest));
const askedFor = () => upstream.asked.map(({ body }) => JSON.parse(body.toString()).model);
const down = json(500, { error: { message: 'No.', type: 'server_error' } });
const late: Script = async response => {
  await sleep(200);
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(openaiReply('two')));
};
const tooLong = json(400, { error: { message: 'Too long.', type: 'invalid_request_error', code: 'context_length_exceeded' } });
const filtered = json(400, { error: { message: 'Filtered.', type: null, code: 'content_filter' } });

describe('a failure leads', () => {
  test('of the provider to the next backend', async () => {
    scripts = { one: down };
    const { status, headers } = await send('classes');
    assert.deepEqual([status, askedFor(), headers.get('x-tollgate-fallback')], [200, ['one', 'two'], 'true']);
  });
  test('of the context length to the backends that are named for it alone', async () => {
    scripts = { one: tooLong };
    assert.equal((await send('classes')).status, 200);
    assert.deepEqual(askedFor(), ['one', 'long']);
  });
  test('of content to the backends that are named for it, where the route says so', async () => {
    scripts = { one: filtered };
    assert.equal((await send('classes')).status, 200);
    assert.deepEqual(askedFor(), ['one', 'safe']);
    upstream.asked.length = 0;
    assert.equal((await send('plain')).status, 400);
    assert.deepEqual(askedFor(), ['one']);
  });
  test('of the caller nowhere', async () => {
    scripts = { one: json(400, { error: { message: 'No such thing.', type: 'invalid_request_error' } }) };
    assert.equal((await send('classes')).status, 400);
    assert.deepEqual(askedFor(), ['one']);
  });
  test('to a smaller model in the end, where the route allows that', async () => {
    scripts = { one: down };
    assert.equal((await send('smaller')).status, 200);
    assert.deepEqual(askedFor(), ['one', 'small']);
  });
});

test('retries of all backends together have a bound', async () => {
  scripts = Object.fromEntries(EIGHT.map(name => [name, down]));
  assert.equal((await send('many')).status, 502);
  assert.equal(upstream.asked.length, 32);
});

describe('where every backend gets nothing for a while', () => {
  const open = async (model: string) => {
    scripts = { [model]: down };
    for (let i = 0; i < 2; i++) await send(model);
    upstream.asked.length = 0;
  };

  test('the client has a 503 that says when to come again, in its dialect', async () => {
    await open('open');
    const [one, other] = [await send('open'), await post(gateway.url + messagesPath, message('open'))];
    assert.deepEqual([one.status, other.status, upstream.asked.length], [503, 503, 0]);
    const seconds = Number(one.headers.get('retry-after'));
    assert.ok(seconds > 20 && seconds <= 30, `${seconds} s`);
    assert.equal(one.headers.get('x-should-retry'), null);
    assert.equal(one.json().error.code, 'circuit_open');
    assert.equal(other.json().error.type, 'overloaded_error');
  });

  test('of the first priority, the next one stands in, and is counted as the fallback that it is', async () => {
    await open('stood-in');
    const { status, headers, json } = await send('stood-in');
    assert.deepEqual([status, json().model, askedFor()], [200, 'gpt-scripted', ['two']]);
    assert.deepEqual([headers.get('x-tollgate-attempts'), headers.get('x-tollgate-fallback')], ['1', 'true']);
  });

  test('the route may have words of its own for that', async () => {
    await open('worded');
    const { status, json, headers } = await send('worded');
    assert.deepEqual([status, json().error.message], [529, 'Please come back later.']);
    assert.ok(Number(headers.get('retry-after')) > 20);
  });

  test('a recovery that is near is waited for', async () => {
    await open('soon');
    scripts = {};
    const { status } = await send('soon');
    assert.deepEqual([status, upstream.asked.length], [200, 1]);
  });

  test('it is not waited for where the request has little time', async () => {
    await open('soon');
    const { status } = await send('soon', { timeout: 2 });
    assert.deepEqual([status, upstream.asked.length], [503, 0]);
  });
});

describe('fallbacks that have come to their budget of the hour', () => {
  test('are denied: the client has the failure that would have led there', async () => {
    scripts = { one: down };
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await send('spent-deny', { max_tokens: 1000 })).status);
    // 0.002 dollars are expected of each, some 0.00002 are spent.
    assert.deepEqual(statuses, [200, 200, 200, 200]);
    scripts = { one: down, two: late };
    const together = await Promise.all(Array.from({ length: 4 }, () => send('spent-deny', { max_tokens: 1000 })));
    assert.deepEqual(together.map(({ status }) => status).sort(), [200, 502, 502, 502]);
  });

  test('go on with a warning, where the route says Warn', async () => {
    scripts = { one: down, two: late };
    const together = await Promise.all(Array.from({ length: 4 }, () => send('spent-warn', { max_tokens: 1000 })));
    assert.ok(together.every(({ status }) => status === 200));
    assert.match(gateway.logs(), /Fallbacks of route default\/spent-warn have come to their budget of 0\.003 USD an hour/);
  });
});

test('fallbacks are counted by what led there', async () => {
  const { text } = await get(`${gateway.url}/metrics`);
  for (const [route, reason] of [
    ['classes', 'Exhausted'],
    ['classes', 'ContextLengthExceeded'],
    ['classes', 'ContentFiltered'],
    ['soon', 'CircuitOpen'],
  ])
    assert.match(text, new RegExp(`tollgate_fallbacks_total\\{route="default/${route}",reason="${reason}"\\} [1-9]`));
});
