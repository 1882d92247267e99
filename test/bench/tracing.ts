// What tracing costs: CPU of the gateway for each request without it, with every request sampled, and with one of twenty, in turns within one
// run (`node test/bench/tracing.ts`). A receiver takes the spans and throws them away.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { load } from './load-process.ts';
import { markdown, median } from './report.ts';
import { rows } from './rows.ts';
import { startGateway, startMock } from './servers.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '6' } },
});
const receiver = createServer((req, res) => req.resume().on('end', () => res.end()));
await new Promise<void>(resolve => receiver.listen(0, '127.0.0.1', resolve));
const OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
const mock = await startMock();
const environments = {
  off: {},
  'one of 20': { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.05' },
  all: { OTEL_EXPORTER_OTLP_ENDPOINT },
};
const gateways = await Promise.all(
  Object.entries(environments).map(async ([name, env]) => [name, await startGateway(mock.port, { env })] as const),
);
const table: string[][] = [['CPU µs a request, or a chunk of a stream', ...Object.keys(environments), 'one of 20', 'all']];
for (const name of ['small', 'stream', 'streams']) {
  const costs = new Map<string, (number | null)[]>();
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [subject, gateway] of gateways) {
      const { cpuMicrosPerRequest, cpuMicrosPerChunk } = await load(gateway, rows[name]!, 'gateway', Number(values.seconds));
      costs.set(subject, [...(costs.get(subject) ?? []), name === 'small' ? cpuMicrosPerRequest : cpuMicrosPerChunk]);
    }
  const medians = Object.keys(environments).map(subject => median(costs.get(subject)!)!);
  const more = medians.slice(1).map(cost => `+${((cost / medians[0]! - 1) * 100).toFixed(1)} %`);
  table.push([name, ...medians.map(cost => cost.toFixed(1)), ...more]);
}
console.log(markdown(table));
for (const [, gateway] of gateways) await gateway.stop();
await mock.stop();
receiver.close();
