// The contract of the ledger over Postgres, and what is special about a server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { epochMillis } from '#core/units.ts';
import { costRecord, openRow } from '#test/support/cost-records.ts';
import { ledgerContract } from '#test/support/ledger-contract.ts';
import { type PostgresServer, run, startPostgres, withoutPostgres } from '#test/support/postgres.ts';
import { until } from '#test/support/until.ts';
import { postgresLedger } from './postgres.ts';

const skip = withoutPostgres;
let server: PostgresServer;
before(async () => {
  if (!skip) server = await startPostgres();
});
after(() => server?.stop());

ledgerContract('Postgres', skip, async () => {
  const url = await server.database();
  return { open: retention => postgresLedger({ url, ...retention }), query: async text => (await run(url, text)).rows };
});

test('Postgres: rows are in the partition of the month of their admission, whenever that was made', { skip }, async () => {
  const url = await server.database();
  const ledger = postgresLedger({ url });
  try {
    await ledger.migrate();
    const [october, november] = [Date.UTC(2026, 9, 31, 23, 59, 59, 999), Date.UTC(2026, 10, 1)];
    await ledger.write([costRecord(october), openRow(costRecord(november))]);
    await ledger.maintain(epochMillis(november));
    await ledger.write([costRecord(november), costRecord(Date.UTC(2027, 0, 31)), costRecord(Date.UTC(2040, 0))]);
    await ledger.maintain(epochMillis(november + 1));
    const { rows } = await run(url, 'select tableoid::regclass::text as name, count(*) as n from attempts group by 1 order by 1');
    assert.deepEqual(
      rows.map(row => `${row.name} ${row.n}`),
      ['attempts_2026_10 1', 'attempts_2026_11 1', 'attempts_2027_01 1', 'attempts_default 1'],
    );
    assert.equal((await ledger.rows({ filter: {}, offset: 0, max: 10 })).total, 4);
  } finally {
    await ledger.close();
  }
});

test('Postgres: what a newer version wrote beside this one stays in rows that are moved to their month', { skip }, async () => {
  const url = await server.database();
  const ledger = postgresLedger({ url });
  try {
    await ledger.migrate();
    await run(url, 'alter table attempts add column later text');
    const january = Date.UTC(2027, 0, 31);
    await ledger.write([costRecord(january)]);
    await run(url, "update attempts set later = 'kept'");
    await ledger.maintain(epochMillis(january));
    const { rows } = await run(
      url,
      'select tableoid::regclass::text as name, later, tool_calls is not null as told from attempts',
    );
    assert.deepEqual(rows, [{ name: 'attempts_2027_01', later: 'kept', told: true }]);
  } finally {
    await ledger.close();
  }
});

test('Postgres: away, it rejects at once; back, the same ledger goes on with every row it had', { skip }, async () => {
  const ledger = postgresLedger({ url: await server.database() });
  try {
    await ledger.migrate();
    await ledger.write([costRecord(1)]);
    await server.kill();
    for (const call of [() => ledger.write([costRecord(2)]), () => ledger.rowsOf(['x']), () => ledger.migrate()]) {
      const start = performance.now();
      await assert.rejects(call());
      assert.ok(performance.now() - start < 1000);
    }
    await server.start();
    await ledger.write([costRecord(2)]);
    assert.equal((await ledger.rows({ filter: {}, offset: 0, max: 10 })).total, 2);
  } finally {
    await ledger.close();
  }
});

test('Postgres: standing still, it rejects within the timeout, and repeating the write later counts once', { skip }, async () => {
  const ledger = postgresLedger({ url: await server.database(), timeoutMs: 300 });
  try {
    await ledger.migrate();
    server.pause();
    const start = performance.now();
    await assert.rejects(ledger.write([costRecord(3)]));
    assert.ok(performance.now() - start < 3000);
    server.resume();
    await until('a write succeeds', () => ledger.write([costRecord(3)]).then(() => true));
    assert.equal((await ledger.rows({ filter: {}, offset: 0, max: 10 })).total, 1);
  } finally {
    server.resume();
    await ledger.close();
  }
});
