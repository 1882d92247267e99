// The way from the spool to the ledger: order, bounds, ledgers that are away, rows that no ledger takes.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { rowKey } from '#core/accounting/recovery.ts';
import { millis } from '#core/units.ts';
import { costRecord, openRow, requestIdAt } from '#test/support/cost-records.ts';
import { type MemoryLedger, memoryLedger } from '#test/support/memory-ledger.ts';
import { until } from '#test/support/until.ts';
import { openSpool, type SpoolOptions } from './spool.ts';
import { linesOf } from './spool-lines.ts';
import { segmentFiles } from './spool-segments.ts';
import { ledgerWriter } from './writer.ts';
import { rejectedFile } from './writer-delivery.ts';

const root = mkdtempSync(path.join(tmpdir(), 'tollgate-writer-'));
after(() => rmSync(root, { recursive: true }));
let folders = 0;

const START = 1_790_000_000_000;
const rowNumber = (n: number, fields: Partial<CostRecord> = {}): CostRecord =>
  costRecord(START, { requestId: requestIdAt(START, n), ...fields });
const numberOf = ({ requestId }: CostRecord): number => Number.parseInt(requestId.slice(-12), 16);
const inOrder = (rows: readonly CostRecord[]): number[] => rows.map(numberOf);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

async function stage(ledger: MemoryLedger = memoryLedger(), options: Partial<SpoolOptions> = {}) {
  const spool = await openSpool({ root, name: `pod-${++folders}`, ...options });
  const written: CostRecord[] = [];
  const said: string[] = [];
  const say = (_: unknown, text?: string) => {
    said.push(text ?? '');
  };
  const writer = ledgerWriter({
    spool,
    ledger,
    setAside: rejectedFile(root, () => START),
    onWritten: rows => written.push(...rows),
    log: { info: say, warn: say, error: say } as never,
    now: () => START + 5000,
  });
  const put = (row: CostRecord, durable = row.state === 'open') => writer.record(row, JSON.stringify(row), durable);
  return { spool, ledger, writer, written, said, put };
}

describe('the writer', () => {
  test('brings rows to the ledger in order, and then has nothing waiting', async () => {
    const { ledger, writer, written, put } = await stage();
    for (const n of upTo(2500)) assert.equal(put(rowNumber(n)), true);
    assert.equal(writer.stats().waitingRows, 2500);
    assert.equal(await writer.flushed(millis(5000)), true);
    assert.deepEqual(inOrder(ledger.rows()), upTo(2500));
    assert.deepEqual(inOrder(written), upTo(2500));
    assert.ok(ledger.writes.every(rows => rows.length <= 1000));
    const { waitingRows, waitingBytes, oldestAge, written: count } = writer.stats();
    assert.deepEqual([waitingRows, waitingBytes, oldestAge, count], [0, 0, 0, 2500]);
    await writer.close(millis(1000));
  });

  test('brings a few rows within half a second without being asked', async () => {
    const { ledger, writer, put } = await stage();
    put(rowNumber(1));
    await delay(500);
    assert.equal(ledger.rows().length, 1);
    await writer.close(millis(1000));
  });

  test('does not bother the ledger with an open row that is settled by then', async () => {
    const { ledger, writer, put } = await stage();
    for (const n of upTo(10)) put(openRow(rowNumber(n)));
    for (const n of upTo(8)) put(rowNumber(n));
    await writer.flushed(millis(1000));
    assert.deepEqual(ledger.writes.flat().length, 10);
    assert.deepEqual(
      ledger
        .rows()
        .filter(({ state }) => state === 'open')
        .map(numberOf),
      [8, 9],
    );
    for (const n of [8, 9]) put(rowNumber(n));
    await writer.close(millis(1000));
    assert.ok(ledger.rows().every(({ state }) => state === 'settled'));
  });

  test('does not tell of an open row whose settled state came while it was written: its copy is the only one elsewhere', async () => {
    const { ledger, writer, written, put } = await stage();
    ledger.slowMs = 50;
    put(openRow(rowNumber(1)));
    const flushed = writer.flushed(millis(1000));
    await delay(20);
    put(rowNumber(1));
    await flushed;
    assert.deepEqual(written, []);
    await writer.close(millis(1000));
    assert.deepEqual(
      written.map(({ state }) => state),
      ['settled'],
    );
  });

  test('deletes segments as the ledger takes them, and carries rows that are still open along', async () => {
    const { spool, writer, put } = await stage(memoryLedger(), { segmentBytes: 20_000 });
    put(openRow(rowNumber(0)));
    for (const n of upTo(500)) {
      put(rowNumber(n + 1));
      if (n % 50 === 0) await writer.flushed(millis(1000));
    }
    await writer.flushed(millis(1000));
    assert.ok(segmentFiles(spool.folder).length <= 2);
    const left = segmentFiles(spool.folder).flatMap(file => linesOf(readFileSync(file)).rows.map(({ json }) => JSON.parse(json)));
    assert.ok(
      left.some(row => row.state === 'open' && numberOf(row) === 0),
      'whoever comes after a crash finds it',
    );
    await writer.close(millis(1000));
    assert.ok(segmentFiles(spool.folder).length > 0, 'an open row at the end is left for the next process');
  });

  test('says within the time it is given that the ledger has not everything', async () => {
    const { ledger, writer, put } = await stage();
    ledger.isAway = true;
    put(rowNumber(1));
    const before = performance.now();
    assert.equal(await writer.flushed(millis(100)), false);
    assert.ok(performance.now() - before < 1000);
    const { waitingRows, oldestAge, isAway, lastError } = writer.stats();
    assert.deepEqual([waitingRows, oldestAge > 0, isAway], [1, true, true]);
    assert.match(lastError ?? '', /away/);
    ledger.isAway = false;
    assert.equal(await writer.flushed(millis(1000)), true);
    await writer.close(millis(1000));
  });
});

test('a ledger that is away for long costs disk, not memory; then all comes in, in order', async () => {
  const { spool, ledger, writer, said, put } = await stage(memoryLedger(), { segmentBytes: 1_000_000 });
  ledger.isAway = true;
  const warmUp = 5000;
  for (const n of upTo(warmUp)) put(rowNumber(n));
  await delay(20);
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const total = 60_000;
  for (let n = warmUp; n < total; n++) {
    put(rowNumber(n));
    if (n % 500 === 0) await new Promise(setImmediate);
  }
  const [grown, bytes] = [process.memoryUsage().rss - before, spool.stats().bytes];
  assert.ok(bytes > 60_000_000, `${bytes} bytes on the disk`);
  assert.ok(grown < 60 * 1024 * 1024, `${Math.round(grown / 1024 / 1024)} MiB more`);
  assert.equal(writer.stats().waitingRows, total);
  ledger.isAway = false;
  assert.equal(await writer.flushed(millis(20_000)), true);
  assert.deepEqual(inOrder(ledger.rows()), upTo(total));
  assert.deepEqual([writer.stats().waitingRows, writer.stats().rejected, segmentFiles(spool.folder).length], [0, 0, 1]);
  assert.ok(said.length <= 4, 'says once that it is away, and once that it is back');
  for (let n = total; n < total + 10; n++) put(rowNumber(n));
  assert.equal(await writer.flushed(millis(1000)), true, 'and goes on from memory');
  await writer.close(millis(1000));
});

describe('a row that the ledger refuses', () => {
  const bad = new Set([3, 4, 700]);

  test('is set aside after three rounds, holds up no other, and is told', async () => {
    const { ledger, writer, said, written, put } = await stage();
    ledger.refuses = row => bad.has(numberOf(row));
    for (const n of upTo(1000)) put(rowNumber(n));
    await until('the others', () => ledger.rows().length === 997);
    for (let n = 1000; writer.stats().rejected < 3 && n < 1100; n++) {
      put(rowNumber(n));
      await delay(50);
    }
    assert.equal(await writer.flushed(millis(2000)), true);
    assert.deepEqual([writer.stats().rejected, said.filter(text => text.includes('refuses')).length], [3, 3]);
    const file = readFileSync(path.join(root, 'rejected.jsonl'), 'utf8').trim().split('\n');
    assert.deepEqual(
      file.map(line => numberOf(JSON.parse(line).row)).sort((a, b) => a - b),
      [3, 4, 700],
    );
    assert.ok(
      written.some(row => numberOf(row) === 3),
      'no copy of it is needed elsewhere either',
    );
    await writer.close(millis(1000));
  });

  test('is never set aside while the ledger takes nothing at all', async () => {
    const { ledger, writer, put } = await stage();
    ledger.isAway = true;
    for (const n of upTo(20)) put(rowNumber(n));
    for (let i = 0; i < 10; i++) await writer.flushed(millis(30));
    assert.equal(writer.stats().rejected, 0);
    ledger.isAway = false;
    assert.equal(await writer.flushed(millis(1000)), true);
    assert.equal(new Set(ledger.rows().map(rowKey)).size, 20);
    await writer.close(millis(1000));
  });

  test('is told from those that fail while the ledger goes away in the middle of a round', async () => {
    const { ledger, writer, put } = await stage();
    ledger.refuses = row => numberOf(row) === 5;
    const goingAway = setInterval(() => {
      ledger.isAway = !ledger.isAway;
    }, 15);
    ledger.slowMs = 1;
    for (const n of upTo(400)) {
      put(rowNumber(n));
      await delay(1);
    }
    await delay(300);
    clearInterval(goingAway);
    ledger.isAway = false;
    for (let n = 400; !(await writer.flushed(millis(100))) && n < 500; n++) put(rowNumber(n));
    assert.equal(writer.stats().rejected, 1);
    assert.equal(
      ledger.rows().some(row => numberOf(row) === 5),
      false,
    );
    await writer.close(millis(1000));
  });
});
