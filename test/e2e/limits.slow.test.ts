// A minute of a limit, waited for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chat, chatPath, post } from '#test/support/client.ts';
import { startFleet, withoutStores } from '#test/support/fleet.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';

test('requests a minute over three processes: the 101st is refused, and passes after its Retry-After, not before', {
  skip: withoutStores,
}, async () => {
  const fleet = await startFleet({
    yaml: origin =>
      yamlOf(
        providerSecret,
        provider('oa', 'OpenAI', origin, [{ name: 'm', upstreamName: 'gpt-4o' }]),
        route('m', 'm', ['oa']),
        tenantKey('client', undefined, { limits: { rpm: 100 } }),
      ),
  });
  try {
    const ask = () => post(fleet.next().url + chatPath, chat('m'));
    for (let i = 0; i < 100; i++) assert.equal((await ask()).status, 200, `${i}`);
    const refused = await ask();
    assert.equal(refused.status, 429);
    const ms = Number(refused.headers.get('retry-after-ms'));
    const at = performance.now();
    await sleep(ms - 2_500);
    assert.equal((await ask()).status, 429);
    await sleep(Number(refused.headers.get('retry-after')) * 1000 - (performance.now() - at));
    assert.equal((await ask()).status, 200);
  } finally {
    await fleet.close();
  }
});
