// A machine whose clock is set back: what waits for a while waits no longer for it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Answered, chat, chatPath, get, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { json, startUpstream, type Upstream } from '#test/support/upstream.ts';
import { openaiReply } from '#test/support/wires.ts';

let first: Upstream;
let second: Upstream;
let gateway: Gateway;
before(async () => {
  [first, second] = [await startUpstream(json(500, {})), await startUpstream(json(200, openaiReply('From the second.')))];
  const backends = ['first', 'second'].map(name => ({ name, providerRef: { name }, model: 'm' }));
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      provider('first', 'OpenAI', first.url, ['m'], { circuitBreaker: { cooldown: '1500ms', maxCooldown: '1500ms' } }),
      provider('second', 'OpenAI', second.url, ['m']),
      route('r', 'r', backends, { retries: { attempts: 0 } }),
    ),
    nodeArguments: ['--import', './test/support/clock-set-back.ts'],
  });
});
after(async () => {
  await gateway?.stop();
  await Promise.all([first?.close(), second?.close()]);
});

const ask = (): Promise<Answered> => post(gateway.url + chatPath, chat('r'));
/** A request's id begins with the time of day, in milliseconds. */
const timeOf = ({ headers }: Answered): number =>
  Number.parseInt(headers.get('x-request-id')!.replaceAll('-', '').slice(0, 12), 16);

test('a breaker that is open when the clock is set back by an hour closes after its cooldown, and opens again when it must', async () => {
  for (let i = 0; i < 5; i++) assert.equal((await ask()).status, 200);
  process.kill(gateway.pid, 'SIGUSR2');
  await until('the clock is set back', async () => timeOf(await ask()) < Date.now() - 3_000_000);
  const { unhealthy_endpoints } = (await get(`${gateway.url}/health`, { key: gateway.masterKey })).json();
  assert.equal(unhealthy_endpoints.length, 1);
  const { state, open_until } = unhealthy_endpoints[0].tollgate.breaker;
  assert.ok(state !== 'open' || Date.parse(open_until) < Date.now() - 3_000_000, 'in the time of this machine');
  first.answer(json(200, openaiReply('From the first.')));
  await until('the first is asked again', async () => (await ask()).headers.get('x-tollgate-provider') === 'default/first');
  first.answer(json(500, {}));
  first.asked.length = 0;
  for (let i = 0; i < 12; i++) assert.equal((await ask()).status, 200);
  assert.ok(first.asked.length >= 5 && first.asked.length < 10, `${first.asked.length} of 12`);
});
