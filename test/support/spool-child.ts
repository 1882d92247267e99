// A process that appends to a spool until it is killed, and says on standard output which rows it may rely on.
//   node spool-child.ts ROOT NAME
import { writeSync } from 'node:fs';
import { openSpool } from '#dataplane/costlog/spool.ts';
import { costRecord, openRow, requestIdAt } from './cost-records.ts';

const [root, name] = process.argv.slice(2) as [string, string];
const spool = await openSpool({ root, name, segmentBytes: 64 * 1024 });
const START = 1_790_000_000_000;

for (let n = 0; ; n++) {
  const row = costRecord(START + n, { requestId: requestIdAt(START, n), userId: 'é'.repeat(n % 50) });
  if (spool.append(JSON.stringify(openRow(row)), true)) writeSync(1, `${n}\n`);
  if (n % 3 !== 0) spool.append(JSON.stringify(row), false);
  if (n % 7 === 0) await new Promise(setImmediate);
}
