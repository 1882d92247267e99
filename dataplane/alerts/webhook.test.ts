import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert } from '#core/admission/alerts.ts';
import { webhookComplaint } from '#core/compile/index.ts';
import { millis } from '#core/units.ts';
import { createHttpClient } from '#platform/http-client.ts';
import { until } from '#test/support/until.ts';
import { createAlerts } from './alerts.ts';
import { messageOf, Webhook, type WebhookOutcome } from './webhook.ts';

const alert = (more: Partial<Alert> = {}): Alert => ({
  kind: 'budget_exhausted',
  text: 'Budget <!channel> & co is exhausted.',
  fields: { tenant: 'acme', spent_usd: '10' },
  key: 'k',
  quietFor: millis(60_000),
  ...more,
});

const http = createHttpClient({ isForbidden: () => false });
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});
after(() => http.close());

/** A webhook, and a server that answers its requests one after another as `answers` says; the last goes on. */
async function stage(...answers: ((response: ServerResponse, request: IncomingMessage) => void)[]) {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', chunk => {
      body += chunk;
    });
    request.on('end', () => {
      bodies.push(body);
      answers[Math.min(bodies.length, answers.length) - 1]!(response, request);
    });
  }).listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const outcomes: WebhookOutcome[] = [];
  const logged: string[] = [];
  const webhook = new Webhook({
    url: `http://127.0.0.1:${port}/services/SECRET?token=SECRET`,
    http,
    log: { warn: (fields, message) => logged.push(JSON.stringify(fields) + message) },
    count: outcome => outcomes.push(outcome),
    timeoutMs: 100,
    backoffMs: 5,
  });
  closers.push(() => {
    webhook.close();
    server.closeAllConnections();
    server.close();
  });
  return { webhook, bodies, outcomes, logged };
}

const answer =
  (status: number, headers = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(status, headers).end('ok');
const count = (n: number, list: readonly unknown[]) => until(`${n} of them`, async () => list.length >= n, 3_000);

describe('the webhook', () => {
  test('takes a message as Slack does: escaped text, and the event in its metadata', async () => {
    const { webhook, bodies, outcomes } = await stage(answer(200));
    webhook.deliver(alert());
    await count(1, outcomes);
    assert.deepEqual(outcomes, ['delivered']);
    assert.deepEqual(JSON.parse(bodies[0]!), {
      text: 'Budget &lt;!channel&gt; &amp; co is exhausted.',
      metadata: { event_type: 'tollgate_budget_exhausted', event_payload: { tenant: 'acme', spent_usd: '10' } },
    });
    assert.equal(messageOf(alert({ text: 'x'.repeat(9_000) })).text.length, 3_000);
  });

  test('is tried again when it fails, is busy, or does not answer in time', async () => {
    const { webhook, bodies, outcomes } = await stage(answer(500), answer(429, { 'retry-after': '0.01' }), () => {}, answer(204));
    webhook.deliver(alert());
    await count(1, outcomes);
    assert.deepEqual([outcomes, bodies.length], [['delivered'], 4]);
  });

  test('is given up after four tries, at once where it refuses, and the next message goes on', async () => {
    const { webhook, bodies, outcomes, logged } = await stage(
      ...[answer(503), answer(503), answer(503), answer(503), answer(404), answer(200)],
    );
    for (const text of ['a', 'b', 'c']) webhook.deliver(alert({ text }));
    await count(3, outcomes);
    assert.deepEqual(outcomes, ['failed', 'failed', 'delivered']);
    assert.deepEqual(
      bodies.map(body => JSON.parse(body).text),
      ['a', 'a', 'a', 'a', 'b', 'c'],
    );
    assert.match(logged[1]!, /"reason":"status 404","tries":1/);
    assert.ok(!logged.join().includes('SECRET'), 'the URL is a secret');
  });

  test('does not follow a redirect', async () => {
    const { webhook, bodies, outcomes } = await stage(answer(302, { location: '/elsewhere' }));
    webhook.deliver(alert());
    await count(1, outcomes);
    assert.deepEqual([outcomes, bodies.length], [['failed'], 1]);
  });

  test('has a bounded queue, of which the oldest go first', async () => {
    const { webhook, outcomes } = await stage(() => {});
    for (let i = 0; i < 104; i++) webhook.deliver(alert());
    assert.deepEqual(outcomes, ['dropped', 'dropped', 'dropped']);
  });

  test('must be https where upstreams must, and is never repeated in the complaint', () => {
    const cluster = { standalone: false, allowHttpUpstreams: false, allowUpstreamCidrs: [] };
    assert.equal(webhookComplaint('https://hooks.slack.com/services/SECRET', cluster), undefined);
    assert.equal(webhookComplaint('http://hooks.slack.com/SECRET', cluster), 'must begin with https://');
    assert.match(webhookComplaint('https://169.254.169.254/', cluster)!, /not allowed/);
    assert.equal(webhookComplaint('http://127.0.0.1:9/', { ...cluster, standalone: true }), undefined);
    assert.match(webhookComplaint('SECRET', cluster)!, /^must be an http or https URL$/);
  });
});

describe('warnings', () => {
  const recorder = () => {
    const told: string[] = [];
    const lines: object[] = [];
    let now = 0;
    const options = {
      log: { warn: (fields: object) => void lines.push(fields) },
      count: () => {},
      webhook: { deliver: (one: Alert) => void told.push(one.key), close() {} },
      now: () => now,
    };
    return { told, lines, options, pass: (ms: number) => (now += ms) };
  };

  test('are told once for their key until it is news again', () => {
    const { told, lines, options, pass } = recorder();
    const alerts = createAlerts(options);
    alerts.emit(alert());
    alerts.emit(alert());
    alerts.emit(alert({ key: 'other' }));
    pass(59_999);
    alerts.emit(alert());
    assert.deepEqual(told, ['k', 'other']);
    pass(1);
    alerts.emit(alert());
    assert.deepEqual(told, ['k', 'other', 'k']);
    assert.deepEqual(lines[0], { alert: 'budget_exhausted', tenant: 'acme', spent_usd: '10' });
  });

  test('are told by the process that claims them first, and by each where nobody can say', async () => {
    const { told, options } = recorder();
    const claimed = new Set<string>();
    const isFirst = async (key: string) => !claimed.has(key) && !!claimed.add(key);
    const processes = [createAlerts({ ...options, isFirst }), createAlerts({ ...options, isFirst })];
    for (const process of processes) process.emit(alert());
    const unsure = createAlerts({ ...options, isFirst: () => Promise.reject(new Error('away')) });
    unsure.emit(alert({ key: 'unsure' }));
    await sleep(0);
    assert.deepEqual(told, ['k', 'unsure']);
  });

  test('remember a bounded number of keys', () => {
    const { told, options } = recorder();
    const alerts = createAlerts(options);
    for (let i = 0; i <= 10_000; i++) alerts.emit(alert({ key: String(i) }));
    alerts.emit(alert({ key: '10000' }));
    alerts.emit(alert({ key: '0' }));
    assert.equal(told.length, 10_002);
  });
});
