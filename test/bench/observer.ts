// What a request costs its observers: metrics alone, of one request with one attempt, streamed (`node test/bench/observer.ts`). And how long a
// page of the metrics takes, with as many series as there can be.
import { performance } from 'node:perf_hooks';
import { createMetrics } from '#dataplane/metrics.ts';
import { observer } from '#dataplane/observe.ts';
import type { Trip } from '#dataplane/trip.ts';
import { costRecord } from '#test/support/cost-records.ts';

const ROUNDS = 7;
const REQUESTS = 200_000;

const row = costRecord(0, { fallbackPosition: 0, purpose: 'first', failure: undefined });
const entry = { id: row.keyId, namespace: 'apps', name: 'chat', tenant: row.tenant, alias: 'chat' };
const trip = {
  exchange: { startedAt: 0, frontend: { dialect: 'openai-chat', operation: 'Chat' }, client: { status: 200 } },
  call: { key: { entry }, plan: { route: { id: row.route } } },
  candidate: { provider: { id: row.provider }, model: { name: row.model } },
  firstTokenMs: 120,
  upstreamMs: 800,
  fallbacks: 0,
  hold: { limits: [] },
} as unknown as Trip;

const metrics = createMetrics();
const watch = observer(metrics, { isLevelEnabled: () => false } as never, () => 812);
const times: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const startedAt = process.cpuUsage();
  for (let i = 0; i < REQUESTS; i++) {
    watch.attempted(row);
    watch.served(trip);
  }
  const { user, system } = process.cpuUsage(startedAt);
  times.push((user + system) / REQUESTS);
}
console.log(`observers: ${times.sort((a, b) => a - b)[ROUNDS >> 1]!.toFixed(3)} µs of CPU a request (median of ${ROUNDS})`);
const began = performance.now();
for (let i = 0; i < 50; i++) await metrics.registry.metrics();
console.log(`registry: ${((performance.now() - began) / 50).toFixed(2)} ms a page`);
