// What tracing adds to a request, in this process alone: a request with an admission and one attempt, noted, made into three spans, encoded and
// sent (`node test/bench/tracing-cost.ts`). test/bench/tracing.ts measures whole gateways, for which a machine has to be quiet.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Admitter } from '#dataplane/admission/admission.ts';
import type { Exchange } from '#dataplane/exchange.ts';
import { openTracing } from '#dataplane/tracing/open.ts';
import type { Trip } from '#dataplane/trip.ts';
import { costRecord } from '#test/support/cost-records.ts';

const REQUESTS = 4_000;
const ROUNDS = 9;

// A process of its own, whose cost is not the gateway's.
const RECEIVER =
  "const s=require('node:http').createServer((q,r)=>q.resume().on('end',()=>r.end())).listen(0,'127.0.0.1',()=>console.log(s.address().port))";
const receiver = spawn(process.execPath, ['-e', RECEIVER], { stdio: ['ignore', 'pipe', 'inherit'] });
const [port] = (await once(receiver.stdout, 'data')) as [Buffer];
process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${String(port).trim()}`;

const row = costRecord(Date.now());
const entry = { id: row.keyId, namespace: 'apps', name: 'chat', tenant: row.tenant };
const frontend = { dialect: 'openai-chat', operation: 'Chat' };
const exchange = (id: number) =>
  ({
    id: `${id}`,
    path: '/v1/chat/completions',
    headers: {},
    startedAt: performance.now(),
    frontend,
    client: { status: 200 },
  }) as unknown as Exchange;
const trip = (of: Exchange) =>
  ({
    exchange: of,
    call: { key: { entry }, envelope: { model: 'gpt-4o', stream: true }, plan: { route: { id: row.route } } },
    candidate: { provider: { id: row.provider }, model: { name: row.model } },
    attempts: 1,
    fallbacks: 0,
    firstTokenMs: 120,
  }) as unknown as Trip;
const admitter = { reserve: async () => ({ kind: 'granted' }) } as unknown as Admitter;

/** Microseconds of CPU a request. */
async function costOf(ratio: number | undefined): Promise<number> {
  const tracing =
    ratio === undefined ? undefined : openTracing({ sampler: 'traceidratio', ratio, batch: {} }, () => ({ providers: {} }));
  const traces = tracing?.traces;
  const { reserve } = traces?.admitter(admitter) ?? admitter;
  const startedAt = process.cpuUsage();
  for (let i = 0; i < REQUESTS; i++) {
    const one = exchange(i);
    const serve = async () => {
      await reserve({ id: one.id } as never, {} as never, {} as never);
      traces?.outgoing(one.id, 0, {});
      traces?.served(trip(one));
      traces?.attempted({ ...row, requestId: one.id });
    };
    await (traces ? traces.around(one, serve) : serve());
    // Exports take their turn, as they do between requests.
    if (i % 100 === 0) await sleep(0);
  }
  await tracing?.close();
  const { user, system } = process.cpuUsage(startedAt);
  return (user + system) / REQUESTS;
}

const subjects = { off: undefined, 'none sampled': 0, 'one of 20': 0.05, all: 1 } as const;
const costs = new Map<string, number[]>();
for (let round = 0; round < ROUNDS; round++)
  for (const [name, ratio] of Object.entries(subjects)) costs.set(name, [...(costs.get(name) ?? []), await costOf(ratio)]);
const best = (name: string) => costs.get(name)!.sort((a, b) => a - b)[ROUNDS >> 1]!;
for (const name of Object.keys(subjects)) console.log(`${name}: +${(best(name) - best('off')).toFixed(2)} µs of CPU a request`);
receiver.kill();
