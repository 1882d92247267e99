// A fallback that is dearer than the route wants, from the request to the webhook.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatPath, get, post } from '#test/support/client.ts';
import { startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { json, startUpstream } from '#test/support/upstream.ts';

const answered = json(200, {
  id: 'x',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1000, completion_tokens: 0, total_tokens: 1000 },
});

test('a fallback that costs more than maxPriceRatio times its primary is told once, in the log, a metric and the webhook', async () => {
  const fails = await startUpstream(json(400, { error: { code: 'context_length_exceeded', message: 'too long' } }));
  const serves = await startUpstream(answered);
  const hook = await startUpstream(json(200, 'ok'));
  const dear = { name: 'm', price: { inputPerMTok: '6', outputPerMTok: '6' } };
  const gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      provider('cheap', 'OpenAI', fails.url, ['m']),
      provider('dear', 'OpenAI', serves.url, [dear]),
      route('m', 'm', ['cheap', 'dear'], { fallback: { costGuard: { maxPriceRatio: '5', onExceeded: 'Warn' } } }),
      tenantKey(),
    ),
    env: { ALERT_WEBHOOK_URL: `${hook.url}/services/SECRET` },
  });
  try {
    for (let i = 0; i < 3; i++) assert.equal((await post(gateway.url + chatPath, chat('m'))).status, 200);
    await until('the webhook is told', async () => hook.asked.length > 0, 3_000);
    const { text, metadata } = JSON.parse(hook.asked[0]!.body.toString());
    assert.match(
      text,
      /^Route default\/m falls back from default\/cheap\/m to default\/dear\/m, which cost 0\.006 USD in place of 0\.001/,
    );
    assert.equal(metadata.event_type, 'tollgate_expensive_fallback');
    const metrics = (await get(`${gateway.url}/metrics`)).text;
    assert.match(metrics, /tollgate_alerts_total\{kind="expensive_fallback"\} 1\n/);
    assert.match(metrics, /tollgate_alert_webhook_total\{outcome="delivered"\} 1\n/);
    assert.equal(hook.asked.length, 1);
    assert.match(gateway.logs(), /"alert":"expensive_fallback"/);
    assert.doesNotMatch(gateway.logs(), /SECRET/);
  } finally {
    await gateway.stop();
    for (const upstream of [fails, serves, hook]) await upstream.close();
  }
});
