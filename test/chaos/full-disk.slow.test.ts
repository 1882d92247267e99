// The disk is full: requests are refused before a row would be lost, and taken again once there is room. docs/invariants.md, 12.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSimulator } from '#simulator/index.ts';
import { ask, billOf, chaosYaml, differences, type Outcome, rowsInSqlite, total, withPods } from '#test/support/chaos.ts';
import { metricsOf, withoutStores } from '#test/support/fleet.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { until } from '#test/support/until.ts';

/** A file system of that size in a new folder; undefined where this process may not make one. */
function tinyDisk(mebibytes: number): { readonly folder: string; remove(): void } | undefined {
  const folder = mkdtempSync(path.join(tmpdir(), 'tollgate-disk-'));
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder]).status === 0;
  const remove = () => {
    // Lazily: whoever still has a file open there is about to end.
    if (isMounted) spawnSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  };
  if (isMounted) return { folder, remove };
  remove();
  return undefined;
}

const withoutDisks = (() => {
  const disk = tinyDisk(1);
  disk?.remove();
  return disk ? false : 'only root on Linux may mount a tiny disk';
})();

type Traffic = { readonly outcomes: Outcome[]; stop(): Promise<void> };

/** Ten clients, one request after the other. */
function clients(gateway: Gateway, name: string): Traffic {
  const outcomes: Outcome[] = [];
  let isOver = false;
  const client = async (number: number) => {
    for (let i = 0; !isOver && gateway.isAlive(); i++) {
      const outcome = await ask(gateway.url, { user: `${name}-${number}-${i}`, tokens: 10, stream: i % 2 === 0 });
      outcomes.push(outcome);
      if (outcome.status === 503) await sleep(50);
    }
  };
  const all = Array.from({ length: 10 }, (_, number) => client(number));
  return {
    outcomes,
    async stop() {
      isOver = true;
      await Promise.all(all);
    },
  };
}

/** Answered whole, or refused for the one reason there is. */
function onlyRefusals(outcomes: readonly Outcome[]): void {
  const strange = outcomes.filter(o => !o.isWhole && !(o.status === 503 && o.code === 'store_unavailable'));
  assert.deepEqual(strange, []);
}

const isRefusing = ({ outcomes }: Traffic) => outcomes.slice(-20).filter(({ status }) => status === 503).length > 15;
const isServing = ({ outcomes }: Traffic) => outcomes.slice(-20).every(({ status }) => status === 200);

test(
  'Postgres away until the spool is full: requests are refused, no row is dropped, and all goes on when it is back',
  {
    skip: withoutStores || withoutDisks,
  },
  () =>
    withPods({ count: 0 }, async pods => {
      const disk = tinyDisk(9)!;
      try {
        const gateway = await pods.start({ TOLLGATE_DATA: disk.folder });
        assert.equal((await ask(gateway.url, { user: 'first' })).status, 200);
        await pods.postgres.kill();
        const traffic = clients(gateway, 'full');
        await until('requests are refused', () => isRefusing(traffic), 60_000);
        assert.equal((await metricsOf(gateway))('tollgate_spool_fill_ratio'), 1);
        assert.match(gateway.logs(), /the spool is nearly full/);
        await pods.postgres.start();
        await until('requests are served again', () => isServing(traffic), 30_000);
        await traffic.stop();
        console.log(`${traffic.outcomes.length} requests, ${traffic.outcomes.filter(o => o.status === 503).length} refused`);
        onlyRefusals(traffic.outcomes);
        const [bill, rows] = [await pods.bill.all(), await pods.settledRows()];
        assert.deepEqual(differences(bill, rows), []);
        assert.deepEqual([rows.length, total(rows)], [bill.length, total(bill)]);
      } finally {
        disk.remove();
      }
    }),
);

test('a disk filled by somebody else, with SQLite on it: requests are refused, no row is lost, and all goes on with room', {
  skip: withoutDisks,
}, async () => {
  const [disk, simulator] = [tinyDisk(24)!, await startSimulator()];
  const bill = billOf(simulator);
  const gateway = await startGateway({ yaml: chaosYaml(simulator.origin), env: { TOLLGATE_DATA: disk.folder } });
  try {
    const traffic = clients(gateway, 'full');
    await until('requests are served', () => traffic.outcomes.length >= 20 && isServing(traffic));
    const filler = path.join(disk.folder, 'filler');
    fill(disk.folder, filler);
    await until('requests are refused', () => isRefusing(traffic), 30_000);
    rmSync(filler);
    await until('requests are served again', () => isServing(traffic), 30_000);
    await traffic.stop();
    console.log(`${traffic.outcomes.length} requests, ${traffic.outcomes.filter(o => o.status === 503).length} refused`);
    onlyRefusals(traffic.outcomes);
    const billed = await bill.all();
    const rows = await until('all rows are in the ledger', async () => {
      if ((await metricsOf(gateway))('tollgate_spool_rows_waiting') !== 0) return undefined;
      const found = rowsInSqlite(path.join(disk.folder, 'ledger.db'));
      return found.every(({ state }) => state === 'settled') && found;
    });
    assert.deepEqual(differences(billed, rows), []);
    assert.deepEqual([rows.length, total(rows)], [billed.length, total(billed)]);
  } finally {
    bill.close();
    await gateway.kill();
    await simulator.close();
    disk.remove();
  }
});

/** All the room there is goes into one file. */
function fill(folder: string, file: string): void {
  const { bavail, bsize } = statfsSync(folder);
  try {
    writeFileSync(file, Buffer.alloc(bavail * bsize));
  } catch (error) {
    // Others write too.
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
