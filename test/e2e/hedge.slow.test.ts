// What hedging is for: a provider of which one request in twenty takes long to its first token. The 99th percentile falls by at least
// 60 %, for at most 5 % more calls; and the route finds out by itself what is slow.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { chat, chatPath } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { attemptsByPurpose } from '#test/support/ledger-rows.ts';
import { patient, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { openStream } from '#test/support/streaming.ts';
import { until } from '#test/support/until.ts';

const REQUESTS = 600;
const MAX_PERCENT = 5;
const AT_ONCE = 6;
const SLOW_MS = 2_000;
/** One in so many is slow. */
const TAIL = 20;

let primary: Simulator;
let spare: Simulator;
before(async () => {
  const settings = { latency: 20, jitter: 0.2 };
  [primary, spare] = [await startSimulator({ settings }), await startSimulator({ settings })];
});
after(() => Promise.all([primary?.close(), spare?.close()]));

const two = ['primary', 'spare'].map(name => ({ name, providerRef: { name }, model: 'm' }));
const yaml = (hedge: Record<string, unknown> | undefined) =>
  yamlOf(
    providerSecret,
    tenantKey(),
    provider('primary', 'OpenAI', primary.origin, [{ name: 'm', upstreamName: 'gpt-4o' }], patient),
    provider('spare', 'OpenAI', spare.origin, [{ name: 'm', upstreamName: 'gpt-4o' }], patient),
    route('tail', 'tail', two, { retries: { attempts: 0 }, ...(hedge && { hedge }) }),
  );

type Measured = { readonly p50: number; readonly p99: number; readonly calls: number };

/** Of each twenty requests one is slow, whichever comes just then. */
async function measure(hedge: Record<string, unknown> | undefined): Promise<Measured> {
  const gateway = await startGateway({ yaml: yaml(hedge), env: { LOG_LEVEL: 'warn' } });
  try {
    const times: number[] = [];
    let next = 0;
    const worker = async () => {
      for (let request = next++; request < REQUESTS; request = next++) {
        if (request % TAIL === TAIL - 1) primary.addFault({ match: { times: 1 }, fault: `slow-first-token;ms=${SLOW_MS}` });
        times.push(await firstTokenOf(gateway));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const calls = await callsOf(gateway);
    times.sort((a, b) => a - b);
    const at = (part: number) => times[Math.ceil(times.length * part) - 1]!;
    return { p50: at(0.5), p99: at(0.99), calls };
  } finally {
    await gateway.stop();
    primary.reset();
  }
}

async function firstTokenOf({ url }: Gateway): Promise<number> {
  const startedAt = performance.now();
  const stream = await openStream(url + chatPath, chat('tail', { stream: true, max_tokens: 8 }));
  await stream.waitFor(/"content":"[^"]/);
  const after = performance.now() - startedAt;
  await stream.ended;
  return after;
}

/** Rows come a moment after the answers. */
async function callsOf(gateway: Gateway): Promise<number> {
  const { first = 0, hedge = 0 } = await until('all rows', () => {
    const attempts = attemptsByPurpose(gateway);
    return (attempts.first ?? 0) === REQUESTS && attempts;
  });
  return first + hedge;
}

test('hedging takes the tail away, at a fixed time and at the percentile of the route itself', async () => {
  const plain = await measure(undefined);
  assert.ok(plain.p99 >= SLOW_MS, `${plain.p99} ms: there is a tail`);
  assert.equal(plain.calls, REQUESTS);
  for (const after of ['300ms', 'P95']) {
    const hedged = await measure({ after, maxPercent: MAX_PERCENT });
    const fall = 1 - hedged.p99 / plain.p99;
    const more = hedged.calls - REQUESTS;
    console.log(
      `hedged after ${after}: p99 first token ${plain.p99.toFixed(0)} -> ${hedged.p99.toFixed(0)} ms (-${(fall * 100).toFixed(0)} %), p50 ${plain.p50.toFixed(0)} -> ${hedged.p50.toFixed(0)} ms, ${more} calls more than ${REQUESTS}`,
    );
    assert.ok(fall >= 0.6, `${after}: p99 falls by ${fall}`);
    assert.ok(more > 0 && more * 100 <= REQUESTS * MAX_PERCENT, `${after}: ${more} calls more than ${REQUESTS}`);
  }
});
