// What a change does to the CPU of a request, on a machine that has other work to do: the bare proxy, another version of the gateway and this
// one get the same requests at the same rate at the same time, so that what disturbs one disturbs all. Read the ratios, medians of
// those of each round: at a rate each request costs more than under full load, as sockets and threads are woken for each.
// usage: node test/bench/side-by-side.ts --other=FOLDER [--row=small] [--rate=900] [--seconds=5] [--rounds=4]; FOLDER: a checkout with its node_modules
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { load } from './load-process.ts';
import { markdown, median } from './report.ts';
import { type Row, rows, type SubjectName } from './rows.ts';
import { type Server, startBareProxy, startMock } from './servers.ts';

const { values: options } = parseArgs({
  options: {
    other: { type: 'string' },
    row: { type: 'string', default: 'small' },
    rate: { type: 'string', default: '900' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '4' },
  },
});
const WARM_UP_SECONDS = 5;
const known = rows[options.row];
if (!known) throw new Error(`no such row: ${options.row}. There are: ${Object.keys(rows)}`);
if (!options.other) throw new Error('--other=FOLDER is missing: a checkout of another version');
const row: Row = { ...known, load: [...known.load, `--rate=${options.rate}`] };
const gateway = row.pair[1];

type Subject = { readonly title: string; readonly name: SubjectName; readonly server: Server; readonly cpu: number[] };

const mock = await startMock();
const subjects: readonly Subject[] = [
  { title: 'bare proxy', name: 'bare', server: await startBareProxy(mock.port), cpu: [] },
  { title: 'the other version', name: gateway, server: await gatewayIn(join(options.other, 'test/bench')), cpu: [] },
  { title: 'this version', name: gateway, server: await gatewayIn(import.meta.dirname), cpu: [] },
];
await Promise.all(subjects.map(({ server, name }) => load(server, row, name, WARM_UP_SECONDS)));
for (let round = 0; round < Number(options.rounds); round++) await measure();
console.log(
  markdown([
    ['CPU µs/request', 'median', 'times the bare proxy', 'times the other version', 'rounds'],
    ...subjects.map(({ title, cpu }) => [
      title,
      median(cpu)!.toFixed(0),
      ...[subjects[0]!, subjects[1]!].map(base => median(cpu.map((each, i) => each / base.cpu[i]!))!.toFixed(2)),
      cpu.map(each => each.toFixed(0)).join(' '),
    ]),
  ]),
);
await Promise.all([mock, ...subjects.map(({ server }) => server)].map(server => server.stop()));

async function measure(): Promise<void> {
  const results = await Promise.all(subjects.map(({ server, name }) => load(server, row, name, Number(options.seconds))));
  for (const [i, { cpuMicrosPerRequest, errors }] of results.entries()) {
    if (errors > 0 || cpuMicrosPerRequest === null) throw new Error(`${errors} errors with ${subjects[i]!.title}`);
    subjects[i]!.cpu.push(cpuMicrosPerRequest);
  }
}

/** As that version starts itself. */
async function gatewayIn(bench: string): Promise<Server> {
  const { startGateway, startTenantsGateway } = (await import(join(bench, 'servers.ts'))) as typeof import('./servers.ts');
  const server = gateway === 'tenants' ? await startTenantsGateway(mock.port) : await startGateway(mock.port);
  if (!server) throw new Error('this row needs redis-server and postgres');
  return server;
}
