// `npm run bench`: the gateway beside a bare proxy, in turns, in one run; prints tables and writes docs/benchmarks.md.
// usage: npm run bench -- [--rounds=3] [--seconds=3] [--ledger-rows=1000000] [--only=small,start,ledger] [--no-write]; a run with --only is never
// written. The goal of the ledger is for 10,000,000 rows, which take five minutes to make.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cacheStoreTable } from './cache-store.ts';
import { ledgerTable } from './ledger.ts';
import { load } from './load-process.ts';
import { plannerTable } from './planner.ts';
import { residentMiB } from './process-cost.ts';
import { preamble, type Rounds, startTable, table, writeReport } from './report.ts';
import { type Row, rows, type SubjectName, subjects } from './rows.ts';
import { type Server, startBareProxy, startGateway, startMock, startTenantsGateway } from './servers.ts';

const STARTS = 5;
/** What is no load on a server. */
const OTHERS = ['start', 'ledger', 'planner', 'cache-store'];
const PAGE = join(import.meta.dirname, '../../docs/benchmarks.md');

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    'ledger-rows': { type: 'string', default: '1000000' },
    only: { type: 'string' },
    'no-write': { type: 'boolean', default: false },
  },
});
const [rounds, seconds] = [Number(options.rounds), Number(options.seconds)];
const names = options.only?.split(',') ?? [...Object.keys(rows), ...OTHERS];
const unknown = names.filter(name => !OTHERS.includes(name) && !rows[name]);
if (unknown.length > 0) throw new Error(`no such row: ${unknown}. There are: ${[...Object.keys(rows), ...OTHERS]}`);

/** What V8 compiles meanwhile, on threads of its own, is no cost of a request. */
const WARM_UP_SECONDS = 5;

type Servers = { readonly bare: Server; readonly gateway: Server; readonly tenants: Server | undefined };

process.setMaxListeners(50);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const mock = await startMock();
const tables: string[] = [];
const show = (text: string) => {
  tables.push(text);
  console.log(`\n${text}`);
};
console.log(preamble(new Date(), rounds, seconds));
if (names.includes('planner')) show(plannerTable());
if (names.includes('cache-store')) show(await cacheStoreTable());
if (names.includes('ledger')) show(await ledgerTable(Number(options['ledger-rows'])));
if (names.includes('start')) show(await coldStarts());
const wantsTenants = names.some(name => rows[name]?.pair.includes('tenants'));
const servers: Servers = {
  bare: await startBareProxy(mock.port),
  gateway: await startGateway(mock.port),
  tenants: wantsTenants ? await startTenantsGateway(mock.port) : undefined,
};
for (const name of names) {
  const row = rows[name];
  if (!row) continue;
  if (row.pair.every(subject => servers[subjects[subject].server])) show(table(row, await measure(row, servers)));
  else console.log(`\nleft out: ${row.title} (needs redis-server and postgres)`);
}
await Promise.all([mock, ...Object.values(servers)].map(server => server?.stop()));
if (!options.only && !options['no-write']) writeReport(PAGE, [preamble(new Date(), rounds, seconds), ...tables].join('\n\n'));

async function measure(row: Row, servers: Servers): Promise<Rounds> {
  const results: Rounds = [[], []];
  const once = (name: SubjectName, duration: number) => load(servers[subjects[name].server]!, row, name, duration);
  for (const name of row.pair) await once(name, Math.min(WARM_UP_SECONDS, 2 * seconds));
  for (let round = 0; round < rounds; round++) {
    for (const i of [0, 1] as const) results[i].push(await once(row.pair[i], seconds));
  }
  return results;
}

async function coldStarts(): Promise<string> {
  const times: number[] = [];
  const residents: (number | null)[] = [];
  for (let i = 0; i < STARTS; i++) {
    const gateway = await startGateway(mock.port);
    await sleep(1000);
    times.push(gateway.readyMs);
    residents.push(residentMiB(gateway.pid) ?? null);
    await gateway.stop();
  }
  return startTable(times, residents);
}
