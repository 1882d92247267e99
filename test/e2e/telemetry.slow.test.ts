// What is told to others about bugs, and that nothing is where nobody asked for it: a real gateway, and a receiver of Sentry's events.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatPath, post } from '#test/support/client.ts';
import { startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { json, startUpstream } from '#test/support/upstream.ts';

const answered = json(200, {
  id: 'chatcmpl-7',
  object: 'chat.completion',
  created: 1,
  model: 'm-2026-01-01',
  choices: [{ index: 0, message: { role: 'assistant', content: 'The secret answer.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1000, completion_tokens: 20, total_tokens: 1020 },
});

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

/** prom-client loads the names of OpenTelemetry's types, which is no tracing. */
const noteLoads = `import{registerHooks}from'node:module';registerHooks({resolve(name,context,next){if(/@opentelemetry.(?!api$)|@sentry/.test(name))console.error('LOADS '+name);return next(name,context)}})`;

test('without an endpoint and a DSN neither library is loaded, and the context of a client stays with it', async () => {
  const upstream = await startUpstream(answered);
  const gateway = await startGateway({
    yaml: yamlOf(providerSecret, provider('p', 'OpenAI', upstream.url, ['m']), route('m', 'm', ['p']), tenantKey()),
    nodeArguments: ['--import', `data:text/javascript,${encodeURIComponent(noteLoads)}`],
  });
  try {
    const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
    assert.equal((await post(gateway.url + chatPath, chat('m'), { headers })).status, 200);
    assert.equal(upstream.asked[0]!.headers.traceparent, undefined);
    assert.doesNotMatch(gateway.logs(), /LOADS/);
  } finally {
    await gateway.stop();
    await upstream.close();
  }
});

/** A bug for whoever presents this key. */
const bug = `import crypto from'node:crypto';import{syncBuiltinESMExports}from'node:module';const{hash}=crypto;crypto.hash=(...all)=>{if(all[1]==='sk-bug')throw new TypeError('broke on "Say hello."');return hash(...all)};syncBuiltinESMExports()`;

test('a bug is told to Sentry with its place and the id of the request, and nothing of the request', async () => {
  const sentry = await startUpstream(json(200, { id: 'x' }));
  const upstream = await startUpstream(json(500, { error: { message: 'no bug of ours' } }));
  const gateway = await startGateway({
    yaml: yamlOf(providerSecret, provider('p', 'OpenAI', upstream.url, ['m']), route('m', 'm', ['p']), tenantKey()),
    env: { SENTRY_DSN: `http://public@127.0.0.1:${sentry.port}/42`, SENTRY_ENVIRONMENT: 'test' },
    nodeArguments: ['--import', `data:text/javascript,${encodeURIComponent(bug)}`],
  });
  try {
    assert.equal((await post(gateway.url + chatPath, chat('m'))).status, 502);
    const answer = await post(gateway.url + chatPath, chat('m'), { key: 'sk-bug' });
    assert.equal(answer.status, 500);
    await until('Sentry is told', async () => sentry.asked.length > 0, 5_000);
    const { path, body } = sentry.asked[0]!;
    assert.match(path, /^\/api\/42\/envelope\//);
    const event = JSON.parse(body.toString().trim().split('\n').at(-1)!);
    assert.equal(event.environment, 'test');
    assert.equal(event.tags.request_id, answer.headers.get('x-request-id'));
    const [error] = event.exception.values;
    assert.deepEqual([error.type, error.value], ['TypeError', 'broke on "…"']);
    assert.ok(error.stacktrace.frames.some((frame: { filename: string }) => frame.filename.endsWith('platform/digest.ts')));
    assert.doesNotMatch(body.toString(), /Say hello|sk-bug|authorization/i);
    assert.equal(sentry.asked.length, 1);
  } finally {
    await gateway.stop();
    for (const one of [sentry, upstream]) await one.close();
  }
});
