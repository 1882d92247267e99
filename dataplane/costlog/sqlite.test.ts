// The contract of the ledger over SQLite, and what is special about a file.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { epochMillis } from '#core/units.ts';
import { costRecord } from '#test/support/cost-records.ts';
import { ledgerContract } from '#test/support/ledger-contract.ts';
import { sqliteLedger } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'tollgate-ledger-'));
let files = 0;
const newFile = () => join(folder, String(files++), 'ledger.db');
after(() => rmSync(folder, { recursive: true, force: true }));

ledgerContract('SQLite', false, async () => {
  const file = newFile();
  return {
    open: retention => sqliteLedger({ file, ...retention }),
    query: async text => {
      const database = new DatabaseSync(file, { timeout: 5000 });
      const rows = database.prepare(text).all();
      database.close();
      return rows;
    },
  };
});

test('SQLite: a long report blocks neither the event loop nor a write', async () => {
  const file = newFile();
  const ledger = sqliteLedger({ file });
  try {
    await ledger.migrate();
    const database = new DatabaseSync(file, { timeout: 5000 });
    database.exec(manyRows(60_000));
    database.close();
    const query = { from: epochMillis(0), to: epochMillis(Date.UTC(2027)), filter: {}, timeZone: 'UTC' } as const;
    let reported = 0;
    const reports = [1, 2].map(() => ledger.figures({ ...query, groupBy: ['user', 'day'] }).then(() => reported++));
    let worst = 0;
    const startedAt = performance.now();
    for (let last = performance.now(), writes = 0; reported < 2; writes++) {
      await ledger.write([costRecord(Date.UTC(2026, 10, 1) + writes)]);
      await new Promise(resolve => setImmediate(resolve));
      worst = Math.max(worst, performance.now() - last);
      last = performance.now();
      if (writes === 0) assert.equal(reported, 0, 'the first write did not wait for the reports');
    }
    const took = performance.now() - startedAt;
    await Promise.all(reports);
    assert.ok(worst < took / 3, `a write and a turn of the event loop took ${worst} of ${took} ms`);
  } finally {
    await ledger.close();
  }
});

test('SQLite: a folder that cannot be used rejects, and does not end the process', async () => {
  const ledger = sqliteLedger({ file: folder });
  await assert.rejects(ledger.migrate(), /unable to open/);
  await assert.rejects(ledger.write([costRecord(0)]), /unable to open/);
  await ledger.close();
});

/** Synthetic rows by SQL alone: a thousand users over a month. */
const manyRows = (count: number): string => `
  with recursive n(i) as (select 0 union all select i + 1 from n where i < ${count - 1})
  insert into attempts (request_id, attempt, at, state, tenant, key_id, key_name, user_id, operation, model_requested, model, upstream_model,
    provider, endpoint, dialect, cost_nano_usd)
  select printf('%08x-%04x-7000-8000-%012x', (1790000000000 + i * 40000) / 65536, (1790000000000 + i * 40000) % 65536, i), 0,
    1790000000000 + i * 40000, 'settled', 't', 'k', 'n/k', 'u' || (i % 1000), 'Chat', 'm', 'm', 'm', 'p', 'e', 'openai-chat', i from n`;
