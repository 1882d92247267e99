// What of a request decides which backend takes it: what it needs, what it may cost, where it runs, whose session it is.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Answered, chat, chatPath, message, messagesPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';

const to = (model: string, more: Record<string, unknown> = {}) => ({
  name: model,
  providerRef: { name: 'oa' },
  model,
  priority: 0,
  ...more,
});
const inOrder = (...models: string[]) => models.map((model, priority) => to(model, { priority }));
const model = (name: string, more: Record<string, unknown> = {}) => ({
  name,
  upstreamName: 'gpt-4o',
  capabilities: ['Chat', 'Tools', 'Vision', 'JSONSchema'],
  ...more,
});
const priced = (usd: string) => ({ price: { inputPerMTok: usd, outputPerMTok: usd } });
const four = ['fair', 'dear', 'cheap', 'large'];

let simulator: Simulator;
let gateway: Gateway;
before(async () => {
  simulator = await startSimulator();
  const models = [
    model('text', { capabilities: ['Chat'] }),
    model('unsaid', { capabilities: undefined }),
    model('narrow', { contextWindow: 1000 }),
    model('large', priced('2')),
    model('cheap', priced('1')),
    model('fair', priced('4')),
    model('dear', priced('6')),
  ];
  gateway = await startGateway({
    env: { TOLLGATE_REGION: 'eu', TOLLGATE_ZONE: 'eu-b' },
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      provider('oa', 'OpenAI', simulator.origin, models),
      provider('near', 'OpenAI', simulator.origin, ['here'], { locality: { region: 'eu', zone: 'eu-b' } }),
      provider('failing', 'OpenAI', simulator.origin, ['failing'], {
        circuitBreaker: { consecutiveFailures: 2, cooldown: '30s' },
      }),
      provider('far', 'OpenAI', simulator.origin, ['there'], { locality: { region: 'us', zone: 'us-a' } }),
      route('able', 'able', inOrder('text', 'large')),
      route('text-alone', 'text-alone', inOrder('text')),
      route('unsaid-alone', 'unsaid-alone', inOrder('unsaid')),
      route('sized', 'sized', inOrder('narrow', 'large')),
      route('narrow-alone', 'narrow-alone', inOrder('narrow')),
      route('guarded', 'guarded', inOrder('cheap', 'dear', 'fair'), { fallback: { costGuard: { maxPriceRatio: '5' } } }),
      route('smaller', 'smaller', [to('large'), to('cheap', { downgrade: true })], { fallback: { allowDowngrade: true } }),
      route(
        'cheapest',
        'cheapest',
        four.map(name => to(name)),
        { strategy: 'LowestCost' },
      ),
      route(
        'sticky',
        'sticky',
        four.map(name => to(name)),
        { affinity: { header: 'x-session-id' } },
      ),
      route('slow', 'slow', [to('fair'), { name: 'here', providerRef: { name: 'near' }, model: 'here', priority: 0 }], {
        strategy: 'LowestLatency',
      }),
      route('broken', 'broken', [
        { name: 'failing', providerRef: { name: 'failing' }, model: 'failing' },
        to('fair', { priority: 1 }),
      ]),
      route('broken-alone', 'broken-alone', [{ name: 'failing', providerRef: { name: 'failing' }, model: 'failing' }], {
        catchAllAnswer: { message: 'Back soon.', status: 529 },
      }),
      route(
        'nearest',
        'nearest',
        [
          { name: 'there', providerRef: { name: 'far' }, model: 'there', priority: 0 },
          { name: 'here', providerRef: { name: 'near' }, model: 'here', priority: 0 },
        ],
        { strategy: 'Nearest' },
      ),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await simulator?.close();
});
beforeEach(() => simulator.reset());

const seenBy = ({ status, headers, json }: Answered): string =>
  status === 200 ? headers.get('x-tollgate-model')! : `${status} ${json().error.code ?? json().error.type}`;
const asked = async (body: Record<string, unknown>, headers: Record<string, string> = {}, path = chatPath) =>
  seenBy(await post(gateway.url + path, body, { headers }));

const image = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }] }];
const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }];
const schema = { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } };
const long = [{ role: 'user', content: 'words and words '.repeat(1000) }];

const cases: readonly [sentence: string, body: Record<string, unknown>, seen: string][] = [
  ['text goes to a model that can do no more', chat('able'), 'text'],
  ['an image goes to a model that sees', chat('able', { messages: image }), 'large'],
  ['tools go to a model that calls them', chat('able', { tools }), 'large'],
  ['a schema goes to a model that keeps to it', chat('able', { response_format: schema }), 'large'],
  ['an image that nobody takes is refused', chat('text-alone', { messages: image }), '400 unsupported_parameter'],
  ['an image is sent to a model of which nothing was said', chat('unsaid-alone', { messages: image }), 'unsaid'],
  ['a short prompt goes to a small context', chat('sized'), 'narrow'],
  ['a long prompt goes to a large context', chat('sized', { messages: long }), 'large'],
  ['a long answer goes to a large context', chat('sized', { max_tokens: 2000 }), 'large'],
  ['a prompt that fits nowhere is refused', chat('narrow-alone', { messages: long }), '400 context_length_exceeded'],
  ['a fallback that is too dear is not made', chat('guarded', { mock_testing_fallbacks: true }), 'fair'],
  ['a smaller model is the last resort where it may be', chat('smaller', { mock_testing_fallbacks: true }), 'cheap'],
  ['the cheapest model is asked', chat('cheapest'), 'cheap'],
  ['the nearest provider is asked', chat('nearest'), 'here'],
];
describe('a request', () => {
  for (const [sentence, body, seen] of cases)
    test(sentence, async () => {
      assert.equal(await asked(body), seen);
    });
  test('of Messages with an image goes to a model that sees', async () => {
    const source = { type: 'base64', media_type: 'image/png', data: 'AAAA' };
    const body = message('able', { messages: [{ role: 'user', content: [{ type: 'image', source }] }] });
    assert.equal(await asked(body, {}, messagesPath), 'large');
  });
});

test('a session stays with its backend, and sessions spread', async () => {
  const homes = new Set<string>();
  for (let session = 0; session < 12; session++) {
    const of = () => asked(chat('sticky'), { 'x-session-id': `session-${session}` });
    const home = await of();
    for (let i = 0; i < 4; i++) assert.equal(await of(), home);
    homes.add(home);
  }
  assert.ok(homes.size > 1, `all went to ${[...homes]}`);
});

test('the fastest backend is asked once both are known', async () => {
  simulator.addFault({ fault: 'slow-first-token;ms=400', match: { model: 'here' } });
  const seen: string[] = [];
  for (let i = 0; i < 60; i++) seen.push(await asked(chat('slow')));
  assert.ok(seen.includes('here'), 'it was tried');
  assert.deepEqual(new Set(seen.slice(-10)), new Set(['fair']));
});

test('a backend whose breaker is open is not asked, and one that stands alone says when to come again', async () => {
  simulator.addFault({ fault: '500', match: { model: 'failing' } });
  for (let i = 0; i < 3; i++) assert.equal(await asked(chat('broken')), 'fair');
  simulator.reset();
  assert.equal(await asked(chat('broken')), 'fair');
  const alone = await post(gateway.url + chatPath, chat('broken-alone'));
  assert.deepEqual([alone.status, alone.json().error.message], [529, 'Back soon.']);
  const seconds = Number(alone.headers.get('retry-after'));
  assert.ok(seconds > 20 && seconds <= 30, `${seconds}`);
  assert.ok(simulator.requests().every(({ model }) => model !== 'failing'));
});
