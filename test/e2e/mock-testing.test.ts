// LiteLLM's `mock_testing_*`: a request asks for a failure of its first backend, and goes on as if that had happened. What is mocked
// never reaches an upstream.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Answered, chat, chatPath, message, messagesPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';

const names = ['first', 'second', 'safe', 'long'];
const backends = names.map(name => ({ name, providerRef: { name: 'oa' }, model: name }));
const quick = { retries: { attempts: 1, backoff: { base: '1ms', max: '2ms' } } };
const all = ['Exhausted', 'CircuitOpen', 'RateLimited', 'Saturated', 'Timeout', 'ContextLengthExceeded', 'ContentFiltered'];

let simulator: Simulator;
let gateway: Gateway;
before(async () => {
  simulator = await startSimulator();
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      provider(
        'oa',
        'OpenAI',
        simulator.origin,
        names.map(name => ({ name, upstreamName: `gpt-4o-${name}` })),
      ),
      route('plain', 'plain', backends, quick),
      route('alone', 'alone', backends.slice(0, 1), quick),
      route('any', 'any', backends, { ...quick, fallback: { on: all } }),
      route('named', 'named', backends, {
        ...quick,
        fallback: { on: all, contentFiltered: ['safe'], contextLengthExceeded: ['long', 'second'] },
      }),
      route('stopped', 'stopped', backends, { ...quick, fallback: { on: ['RateLimited'] } }),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await simulator?.close();
});
beforeEach(() => simulator.reset());

const MOCKS = {
  failed: 'mock_testing_fallbacks',
  filtered: 'mock_testing_content_policy_fallbacks',
  tooLong: 'mock_testing_context_window_fallbacks',
} as const;
type Mock = keyof typeof MOCKS;

/** Who answers: a model, or the status and class of the failure. */
const cases: readonly { readonly model: string; readonly mock: Mock; readonly rest?: object; readonly seen: string }[] = [
  { model: 'plain', mock: 'failed', seen: 'second' },
  { model: 'plain', mock: 'tooLong', seen: 'second' },
  { model: 'plain', mock: 'filtered', seen: '400 content_filtered' },
  { model: 'any', mock: 'filtered', seen: 'second' },
  { model: 'named', mock: 'failed', seen: 'second' },
  { model: 'named', mock: 'filtered', seen: 'safe' },
  { model: 'named', mock: 'tooLong', seen: 'long' },
  { model: 'stopped', mock: 'failed', seen: '502 upstream_error' },
  { model: 'stopped', mock: 'tooLong', seen: '400 context_length_exceeded' },
  { model: 'plain', mock: 'failed', rest: { disable_fallbacks: true }, seen: '502 upstream_error' },
  { model: 'plain', mock: 'tooLong', rest: { disable_fallbacks: true }, seen: '400 context_length_exceeded' },
  { model: 'alone', mock: 'failed', rest: { fallbacks: ['oa/long'] }, seen: 'long' },
];

const dialects = [
  { name: 'chat', path: chatPath, body: chat },
  { name: 'messages', path: messagesPath, body: message },
] as const;

const seenBy = ({ status, headers, json }: Answered): string =>
  status === 200 ? headers.get('x-tollgate-model')! : `${status} ${json().error.code ?? json().error.type}`;

for (const { name, path, body } of dialects)
  for (const stream of [false, true])
    describe(`${name}, ${stream ? 'streamed' : 'whole'}:`, () => {
      for (const { model, mock, rest, seen } of cases)
        test(`${MOCKS[mock]} of '${model}'${rest ? ` with ${Object.keys(rest)}` : ''} is answered by ${seen}`, async () => {
          const answered = await post(gateway.url + path, body(model, { stream, [MOCKS[mock]]: true, ...rest }));
          const isAnswer = answered.status === 200;
          assert.equal(seenBy(answered), seen);
          const asked = simulator.requests();
          assert.deepEqual(
            asked.map(request => (request.body as { model: string }).model),
            isAnswer ? [`gpt-4o-${seen}`] : [],
          );
          assert.ok(asked.every(request => !JSON.stringify(request.body).includes('mock_testing')));
          assert.equal(answered.headers.get('x-tollgate-fallback'), String(isAnswer));
          assert.equal(answered.headers.get('x-tollgate-attempts'), isAnswer ? '1' : '0');
        });
    });
