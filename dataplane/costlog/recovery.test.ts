// What happens to the work of processes that died: with real spools, and with real processes where it matters.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { rowKey } from '#core/accounting/recovery.ts';
import type { Settlement } from '#core/admission/demand.ts';
import { epochMillis, nanoUsd } from '#core/units.ts';
import { costRecord, openRow, requestIdAt } from '#test/support/cost-records.ts';
import { type MemoryLedger, memoryLedger } from '#test/support/memory-ledger.ts';
import { until } from '#test/support/until.ts';
import type { Expired } from '../counters/counters.ts';
import { type RecoveryOptions, recovery } from './recovery.ts';
import { openSpool } from './spool.ts';
import { linesOf } from './spool-lines.ts';
import { segmentFiles } from './spool-segments.ts';

const START = 1_790_000_000_000;
const base = mkdtempSync(path.join(tmpdir(), 'tollgate-recovery-'));
after(() => rmSync(base, { recursive: true }));
let roots = 0;

const attempt = (n: number, fields: Partial<CostRecord> = {}): CostRecord =>
  costRecord(START, { requestId: requestIdAt(START, n), ...fields });

/** Counters that remember what they were told; a second settlement of a request changes nothing, as the contract says. */
function counters() {
  const settled = new Map<string, Settlement>();
  const state = { expired: [] as Expired[], copies: [] as CostRecord[] };
  return {
    ...state,
    settled,
    async settle(settlement: Settlement) {
      if (!settled.has(settlement.id)) settled.set(settlement.id, settlement);
    },
    port(): RecoveryOptions['counters'] {
      return {
        expired: async (tenant, _now, max) => this.expired.filter(e => e.tenant === tenant && !settled.has(e.id)).slice(0, max),
        copies: async (tenant, before, max) =>
          this.copies
            .filter(row => row.tenant === tenant && row.at < before)
            .slice(0, max)
            .map(row => JSON.stringify(row)),
        forget: async (_tenant, keys) => {
          const gone = new Set(keys.map(({ requestId, attempt: n }) => rowKey({ requestId, attempt: n })));
          this.copies = this.copies.filter(row => !gone.has(rowKey(row)));
        },
      };
    },
  };
}

function stage(options: Partial<RecoveryOptions> = {}, ledger: MemoryLedger = memoryLedger()) {
  const root = options.root ?? path.join(base, `data-${++roots}`);
  const counted = counters();
  const clock = { now: START + 10_000 };
  const recoverer = (ownName = 'me') =>
    recovery({
      root,
      ownName,
      ledger,
      counters: counted.port(),
      settle: counted.settle,
      countsIn: () => ({ limits: [], budgets: [] }),
      tenants: () => ['acme', 'globex'],
      setAside: () => assert.fail('no row is refused here'),
      log: { info() {}, warn() {} },
      now: () => clock.now,
      ...options,
    });
  return { root, ledger, counted, clock, recoverer, recovery: recoverer() };
}

/** The folder of a process that appended these rows and died: nobody holds it, nothing was taken back. */
async function deadSpool(root: string, name: string, rows: readonly CostRecord[]): Promise<string> {
  const spool = await openSpool({ root, name, segmentBytes: 3000 });
  for (const row of rows) assert.ok(spool.append(JSON.stringify(row), true));
  await spool.close(false);
  return spool.folder;
}

const states = (ledger: MemoryLedger) => ledger.rows().map(({ state }) => state);

describe('the spool of a dead process', () => {
  const rows = [openRow(attempt(1)), openRow(attempt(2)), attempt(1), openRow(attempt(3)), attempt(2)];

  test('is brought to the ledger, what stayed open is settled at its reservation, and the folder goes', async () => {
    const { root, ledger, counted, recovery } = stage();
    const folder = await deadSpool(root, 'dead', rows);
    await recovery.adopt();
    assert.deepEqual(states(ledger).toSorted(), ['recovered', 'settled', 'settled']);
    const lost = ledger.rows().find(({ state }) => state === 'recovered');
    assert.deepEqual([lost?.requestId, lost?.cost, lost?.failure], [requestIdAt(START, 3), 2_000_000, 'gateway_died']);
    assert.deepEqual(
      [...counted.settled.values()].map(({ id, cost }) => [id, cost]),
      [[requestIdAt(START, 3), 2_000_000]],
    );
    assert.equal(existsSync(folder), false);
    assert.deepEqual([recovery.stats().adopted, recovery.stats().recovered], [1, 1]);
  });

  test('settles a request with all its attempts, of which only the last was open', async () => {
    const { root, counted, recovery } = stage();
    await deadSpool(root, 'dead', [attempt(1, { cost: nanoUsd(7) }), openRow(attempt(1, { attempt: 1 }))]);
    await recovery.adopt();
    assert.deepEqual(
      [...counted.settled.values()].map(({ cost }) => cost),
      [2_000_007],
    );
  });

  test('changes nothing when it is replayed three times', async () => {
    const { root, ledger, counted, recovery } = stage();
    const folder = await deadSpool(root, 'dead', rows);
    const kept = path.join(base, 'kept');
    cpSync(folder, kept, { recursive: true });
    await recovery.adopt();
    const [first, settled] = [ledger.rows(), [...counted.settled.values()]];
    for (let i = 0; i < 3; i++) {
      cpSync(kept, folder, { recursive: true });
      // A settlement is remembered for two minutes only; a replay may come later.
      counted.settled.clear();
      await recovery.adopt();
      assert.deepEqual(ledger.rows(), first);
      assert.deepEqual([...counted.settled.values()], []);
    }
    assert.equal(settled.length, 1);
  });

  test('is read up to a last line that was torn at any byte', async () => {
    const { root, ledger, recovery } = stage();
    const whole = await deadSpool(base, 'whole', [openRow(attempt(2))]);
    const line = readFileSync(segmentFiles(whole)[0]!);
    for (let cut = 1; cut < line.length; cut += 17) {
      const folder = await deadSpool(root, `dead-${cut}`, [openRow(attempt(1)), attempt(1)]);
      appendFileSync(segmentFiles(folder).at(-1)!, line.subarray(0, cut));
      await recovery.adopt();
      assert.equal(existsSync(folder), false);
    }
    assert.deepEqual(states(ledger), ['settled']);
    assert.equal(recovery.stats().garbled, recovery.stats().adopted);
  });

  test('stays whole while the ledger is away, wherever it fails on the way', async () => {
    const { root, ledger, counted, recovery } = stage();
    const folder = await deadSpool(root, 'dead', rows);
    const size = segmentFiles(folder).length;
    for (let allowed = 0; existsSync(folder); allowed++) {
      let calls = 0;
      ledger.refuses = () => {
        ledger.isAway = ++calls > allowed;
        return ledger.isAway;
      };
      ledger.isAway = false;
      await recovery.adopt();
      if (existsSync(folder)) assert.equal(segmentFiles(folder).length, size);
      assert.ok(allowed < 50);
    }
    assert.deepEqual(states(ledger).toSorted(), ['recovered', 'settled', 'settled']);
    assert.ok(counted.settled.size <= 1);
  });

  test('is adopted once when several want it at the same moment', async () => {
    const { root, ledger, counted, recoverer } = stage();
    ledger.slowMs = 2;
    for (let i = 0; i < 5; i++) await deadSpool(root, `dead-${i}`, [openRow(attempt(i))]);
    const all = Array.from({ length: 4 }, (_, i) => recoverer(`me-${i}`));
    await Promise.all(all.map(one => one.adopt()));
    await Promise.all(all.map(one => one.adopt()));
    assert.equal(
      all.reduce((sum, one) => sum + one.stats().adopted, 0),
      5,
    );
    assert.equal(ledger.writes.flat().length, 5);
    assert.equal(counted.settled.size, 5);
  });

  test('is left alone while its process lives, and complete when that is killed', async () => {
    const { root, ledger, recovery } = stage();
    const child = spawn(process.execPath, [path.join('test', 'support', 'spool-child.ts'), root, 'other'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      said += text;
    });
    await until('the first rows', () => said.length > 0);
    await recovery.adopt();
    assert.deepEqual([ledger.rows().length, recovery.stats().adopted], [0, 0]);
    child.kill('SIGKILL');
    await once(child, 'close');
    const promised = said.split('\n').slice(0, -1).length;
    await recovery.adopt();
    assert.equal(recovery.stats().adopted, 1);
    assert.ok(ledger.rows().length >= promised, `${ledger.rows().length} of ${promised}`);
    assert.ok(ledger.rows().every(({ state }) => state !== 'open'));
  });

  test('holds nothing of the process that looks for it', async () => {
    const { root, ledger, recoverer } = stage();
    const own = await openSpool({ root, name: 'own' });
    own.append(JSON.stringify(attempt(1)), true);
    await recoverer('own').adopt();
    assert.equal(ledger.rows().length, 0);
    assert.equal(linesOf(readFileSync(segmentFiles(own.folder)[0]!)).rows.length, 1);
    await own.close(true);
  });
});

describe('a tick', () => {
  const lease = (n: number): Expired => ({
    tenant: 'acme',
    id: requestIdAt(START, n),
    limits: [],
    budgets: [],
    cost: nanoUsd(2_000_000),
  });
  const ended = { leaseUntil: epochMillis(START + 1) };

  test('ends a reservation at the cost of its rows, of which those that are open cost what was held', async () => {
    const { ledger, counted, recovery } = stage();
    await ledger.write([
      attempt(1, { cost: nanoUsd(5) }),
      openRow(attempt(1, { attempt: 1, ...ended })),
      attempt(2, { cost: nanoUsd(9) }),
    ]);
    counted.expired.push(lease(1), lease(2));
    await recovery.tick();
    assert.deepEqual(
      [...counted.settled.values()].map(({ cost }) => cost),
      [2_000_005, 9],
    );
    assert.deepEqual(states(ledger), ['settled', 'recovered', 'settled']);
  });

  test('ends a reservation without any row at nothing', async () => {
    const { counted, recovery } = stage();
    counted.expired.push(lease(1));
    await recovery.tick();
    assert.deepEqual(
      [...counted.settled.values()].map(({ cost, tokens }) => [cost, tokens]),
      [[0, 0]],
    );
  });

  test('leaves a request alone whose row says that its process may still come', async () => {
    const { ledger, counted, recovery } = stage();
    await ledger.write([openRow(attempt(1))]);
    counted.expired.push(lease(1));
    await recovery.tick();
    assert.deepEqual([counted.settled.size, states(ledger)], [0, ['open']]);
  });

  test('settles overdue rows that no reservation leads to, never before their lease ends', async () => {
    const { ledger, counted, clock, recovery } = stage();
    await ledger.write([openRow(attempt(1)), openRow(attempt(2, ended))]);
    await recovery.tick();
    assert.deepEqual(states(ledger), ['open', 'recovered']);
    clock.now = START + 600_000;
    await recovery.tick();
    assert.deepEqual([states(ledger), counted.settled.size], [['recovered', 'recovered'], 2]);
  });

  test('brings copies of rows that their process did not, before it ends what they belong to', async () => {
    const { ledger, counted, clock, recovery } = stage();
    clock.now = START + 61_000;
    const copies = Array.from({ length: 700 }, (_, n) => attempt(n, { cost: nanoUsd(3) }));
    counted.copies.push(...copies, attempt(900, { at: epochMillis(clock.now - 1000) }));
    counted.expired.push(lease(699));
    await recovery.tick();
    assert.deepEqual(
      [ledger.rows().length, counted.settled.size],
      [500, 0],
      'a bounded amount; the end of the request waits for its rows',
    );
    await recovery.tick();
    assert.deepEqual([ledger.rows().length, counted.copies.length], [700, 1]);
    assert.deepEqual(
      [...counted.settled.values()].map(({ cost }) => cost),
      [3],
    );
  });

  test('forgets and settles nothing while the ledger is away', async () => {
    const { ledger, counted, clock, recovery } = stage();
    clock.now = START + 61_000;
    counted.copies.push(attempt(1));
    counted.expired.push(lease(2));
    ledger.isAway = true;
    await recovery.tick();
    assert.deepEqual([counted.copies.length, counted.settled.size], [1, 0]);
    assert.match(recovery.stats().lastError ?? '', /away/);
  });

  test('counts a request that the settled row reached first at its real cost', async () => {
    const { ledger, counted, recovery } = stage();
    await ledger.write([openRow(attempt(1, ended))]);
    counted.expired.push(lease(1));
    const rowsOf = ledger.rowsOf;
    ledger.rowsOf = async ids => {
      const rows = await rowsOf(ids);
      await ledger.write([attempt(1, { cost: nanoUsd(11) })]);
      return rows;
    };
    await recovery.tick();
    assert.deepEqual(
      [...counted.settled.values()].map(({ cost }) => cost),
      [11],
    );
  });
});
