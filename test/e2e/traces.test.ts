// Traces from outside: a real gateway and a receiver of OTLP.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chat, chatPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { type ReceivedSpan, type Receiver, startReceiver } from '#test/support/otlp.ts';
import { clientKey, provider, providerKey, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { json, startUpstream, type Upstream } from '#test/support/upstream.ts';

const answered = json(200, {
  id: 'chatcmpl-7',
  object: 'chat.completion',
  created: 1,
  model: 'm-2026-01-01',
  choices: [{ index: 0, message: { role: 'assistant', content: 'The secret answer.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1000, completion_tokens: 20, total_tokens: 1020 },
});

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

describe('with a receiver', () => {
  let receiver: Receiver;
  let gateway: Gateway;
  let fails: Upstream;
  let serves: Upstream;

  before(async () => {
    [receiver, fails, serves] = await Promise.all([
      startReceiver(),
      startUpstream(json(503, { error: { message: 'away' } })),
      startUpstream(answered),
    ]);
    gateway = await startGateway({
      yaml: yamlOf(
        providerSecret,
        provider('fails', 'OpenAI', fails.url, ['m']),
        provider('serves', 'OpenAI', serves.url, ['m']),
        route('m', 'm', ['fails', 'serves'], { retries: { attempts: 0 }, cache: { mode: 'Exact', onlyDeterministic: false } }),
        tenantKey(),
      ),
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic cGs6c2s=',
        OTEL_BSP_SCHEDULE_DELAY: '50',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      },
    });
  });
  after(async () => {
    await gateway?.stop();
    for (const one of [receiver, fails, serves]) await one?.close();
  });

  /** Spans of a trace, once its request is there. */
  async function traced(traceId: string): Promise<readonly ReceivedSpan[]> {
    const own = () => receiver.spans.filter(span => span.traceId === traceId);
    await until('the trace is there', async () => own().some(({ kind }) => kind === 2), 5_000);
    return own();
  }

  test('a request, its admission, its visit to the cache and each of its attempts are spans of the trace it came in, and upstreams are told of it', async () => {
    const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01`, tracestate: 'vendor=1' };
    const answer = await post(gateway.url + chatPath, chat('m', { user: 'jane.doe@example.com' }), { headers });
    assert.equal(answer.status, 200, answer.text);
    const spans = await traced(TRACE);
    const request = spans.find(({ kind }) => kind === 2)!;
    assert.equal(request.name, 'POST /v1/chat/completions');
    assert.equal(request.parentSpanId, '00f067aa0ba902b7');
    assert.equal(request.status, 0);
    assert.equal(request.attributes['tollgate.route'], 'default/m');
    assert.equal(request.attributes['tollgate.tenant'], 'acme');
    assert.equal(request.attributes['http.response.status_code'], 200);
    assert.equal(request.attributes['tollgate.request_id'], answer.headers.get('x-request-id'));
    assert.equal(request.resource['service.name'], 'tollgate');
    assert.equal(request.resource['deployment.environment.name'], 'test');
    const others = spans.filter(span => span !== request);
    assert.ok(others.every(({ parentSpanId }) => parentSpanId === request.spanId));
    assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length);
    const [failed, served] = others.filter(({ kind }) => kind === 3).toSorted((a, b) => Number(a.start - b.start));
    assert.equal(failed!.status, 2);
    assert.equal(failed!.attributes['error.type'], 'upstream_overloaded');
    assert.equal(served!.name, 'chat m');
    assert.deepEqual(Object.fromEntries(Object.entries(served!.attributes).filter(([name]) => name.startsWith('gen_ai.'))), {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'm',
      'gen_ai.response.model': 'm-2026-01-01',
      'gen_ai.response.id': 'chatcmpl-7',
      'gen_ai.usage.input_tokens': 1000,
      'gen_ai.usage.output_tokens': 20,
      'gen_ai.usage.cost': 0.00104,
    });
    assert.deepEqual(
      others
        .filter(({ kind }) => kind === 1)
        .map(({ name }) => name)
        .sort(),
      ['admission', 'admission', 'cache'],
    );
    for (const { start, end } of spans)
      assert.ok(start <= end && start >= request.start - 2_000_000n && end <= request.end + 2_000_000n);
    const told = serves.asked.at(-1)!.headers;
    assert.equal(told.traceparent, `00-${TRACE}-${served!.spanId}-01`);
    assert.equal(told.tracestate, 'vendor=1');
    assert.equal(receiver.calls[0]!.path, '/v1/traces');
    assert.equal(receiver.calls[0]!.headers.authorization, 'Basic cGs6c2s=');
  });

  test('a parent that is not sampled keeps its request out, and upstreams are told that', async () => {
    const traceId = 'ffffffff77b34da6a3ce929d0e0e4736';
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-00` };
    assert.equal((await post(gateway.url + chatPath, chat('m', { seed: 1 }), { headers })).status, 200);
    assert.match(String(serves.asked.at(-1)!.headers.traceparent), new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
    assert.notEqual(serves.asked.at(-1)!.headers.traceparent, headers.traceparent);
    // One that is sampled, after it, has come: the other would have.
    const later = 'eeeeeeee77b34da6a3ce929d0e0e4736';
    await post(gateway.url + chatPath, chat('m', { seed: 2 }), { headers: { traceparent: `00-${later}-00f067aa0ba902b7-01` } });
    await traced(later);
    assert.ok(receiver.spans.every(span => span.traceId !== traceId));
  });

  test('a refusal is a trace of its own, with its reason', async () => {
    const answer = await post(gateway.url + chatPath, chat('unheard-of'));
    assert.equal(answer.status, 404);
    const id = answer.headers.get('x-request-id');
    const found = () => receiver.spans.find(({ attributes }) => attributes['tollgate.request_id'] === id);
    await until('the trace is there', async () => found() !== undefined, 5_000);
    assert.equal(found()!.attributes['error.type'], 'model_not_found');
    assert.equal(found()!.parentSpanId, '');
  });

  test('no prompt, answer, key or name of an end user is in what was sent', () => {
    const text = receiver.text();
    assert.ok(text.includes('chatcmpl-7'));
    for (const secret of ['The secret answer', 'Say hello', clientKey, providerKey, 'jane.doe'])
      assert.ok(!text.includes(secret), secret);
  });
});
