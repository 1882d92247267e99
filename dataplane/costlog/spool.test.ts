// The spool on real files: what it promises about crashes, full disks, and who owns a folder.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { until } from '#test/support/until.ts';
import { lockFileOf, openSpool, type Spool } from './spool.ts';
import { linesOf, maxLineBytes, putLine } from './spool-lines.ts';
import { tryLock } from './spool-lock.ts';
import { type Disk, realDisk, segmentFiles } from './spool-segments.ts';

const root = mkdtempSync(path.join(tmpdir(), 'tollgate-spool-'));
after(() => rmSync(root, { recursive: true }));
let folders = 0;
const newName = () => `pod-${++folders}`;

const rowsIn = (folder: string): string[] =>
  segmentFiles(folder).flatMap(file => linesOf(readFileSync(file)).rows.map(({ json }) => json));

async function rowsFrom(spool: Spool, from = 0): Promise<string[]> {
  const found: string[] = [];
  for (let at = from; at < spool.end(); ) {
    const { rows, next } = await spool.read(at, 1);
    found.push(...rows.map(({ json }) => json));
    at = next;
  }
  return found;
}

function blockOf(...rows: readonly string[]): Buffer {
  const block = Buffer.alloc(rows.reduce((sum, row) => sum + maxLineBytes(row), 0));
  return block.subarray(
    0,
    rows.reduce((at, row) => at + putLine(row, block, at), 0),
  );
}

describe('a line', () => {
  test('comes back as it was written, whatever it says', () => {
    fc.assert(
      fc.property(fc.array(fc.json(), { maxLength: 5 }), rows => {
        const { rows: read, bytes, garbled } = linesOf(blockOf(...rows));
        assert.deepEqual(
          read.map(({ json }) => Buffer.from(json)),
          rows.map(row => Buffer.from(row)),
        );
        assert.deepEqual([bytes, garbled], [blockOf(...rows).length, 0]);
      }),
    );
  });

  test('is JSON itself, so that people can read the file', () => {
    assert.deepEqual(JSON.parse(blockOf('{"a":"é"}').toString())[1], { a: 'é' });
  });

  const first = '{"n":1,"user":"ä"}';
  const last = '{"n":2,"state":"open"}';

  test('that was torn at any byte is not taken for a row, and those before it are read', () => {
    const block = blockOf(first, last);
    for (let length = blockOf(first).length; length < block.length; length++) {
      const { rows, bytes } = linesOf(block.subarray(0, length));
      assert.deepEqual([rows.map(({ json }) => json), bytes], [[first], blockOf(first).length], `cut at ${length}`);
    }
  });

  test('with any byte changed is noticed and never misread', () => {
    const block = blockOf(first, last, first);
    for (let at = 0; at < block.length; at++)
      for (const change of [0x01, 0x20, 0x80]) {
        const garbled = Buffer.from(block);
        garbled[at]! ^= change;
        const lines = linesOf(garbled);
        assert.ok(lines.garbled > 0 || lines.bytes < block.length, `byte ${at} ^ ${change}`);
        for (const { json } of lines.rows) assert.ok([first, last].includes(json), json);
      }
  });
});

describe('a spool', () => {
  test('gives back what was appended, in order, over any number of segments', async () => {
    const spool = await openSpool({ root, name: newName(), segmentBytes: 1000 });
    const rows = Array.from({ length: 200 }, (_, n) => JSON.stringify({ n, text: 'x'.repeat(n) }));
    for (const [n, row] of rows.entries()) assert.equal(spool.append(row, n % 2 === 0), true);
    assert.deepEqual(await rowsFrom(spool), rows, 'also those that are still in memory');
    await spool.sync();
    assert.deepEqual(await rowsFrom(spool), rows);
    assert.deepEqual(rowsIn(spool.folder), rows);
    await spool.close(true);
  });

  test('deletes a segment when all of it is acknowledged, and not before; the one that is written stays', async () => {
    const spool = await openSpool({ root, name: newName(), segmentBytes: 500 });
    for (let n = 0; n < 50; n++) spool.append(JSON.stringify({ n, text: 'x'.repeat(100) }), true);
    const before = segmentFiles(spool.folder).length;
    const [end] = spool.endsBefore(spool.end());
    await spool.acknowledge(end! - 1);
    assert.equal(segmentFiles(spool.folder).length, before);
    await spool.acknowledge(end!);
    assert.equal(segmentFiles(spool.folder).length, before - 1);
    await spool.acknowledge(spool.end());
    assert.equal(segmentFiles(spool.folder).length, 1);
    const end50 = spool.end();
    spool.append('{"n":50}', true);
    assert.deepEqual(await rowsFrom(spool, end50), ['{"n":50}']);
    await spool.close(true);
  });

  test('goes when it closes empty, and stays for the next process otherwise', async () => {
    const [empty, full] = [await openSpool({ root, name: newName() }), await openSpool({ root, name: newName() })];
    full.append('{}', false);
    await empty.close(true);
    await full.close(false);
    const left = readdirSync(root);
    assert.equal(left.includes(path.basename(empty.folder)), false);
    assert.deepEqual(readdirSync(full.folder), ['000001.jsonl']);
    assert.equal(full.append('{}', true), false, 'a closed spool takes nothing');
  });

  test('refuses an intent that need not be durable as it does any other, and keeps its reserve', async () => {
    const spool = await openSpool({ root, name: newName(), maxBytes: 20_000, reserveBytes: 5_000 });
    const row = JSON.stringify({ text: 'x'.repeat(90) });
    while (spool.append(row, false, false));
    assert.ok(spool.end() < 15_200);
    assert.equal(spool.append(row, true), false);
    assert.equal(spool.append(row, false), true);
    await spool.close(true);
  });

  test('hands an intent to the kernel at once, and a completion by the end of the turn', async () => {
    const spool = await openSpool({ root, name: newName() });
    spool.append('{"n":1}', false);
    assert.deepEqual(rowsIn(spool.folder), []);
    spool.append('{"n":2}', true);
    assert.deepEqual(rowsIn(spool.folder), ['{"n":1}', '{"n":2}']);
    spool.append('{"n":3}', false);
    await new Promise(setImmediate);
    assert.equal(rowsIn(spool.folder).length, 3);
    await spool.close(true);
  });

  test('is on the disk soon, one flush at a time', async () => {
    const waits: number[] = [];
    const waiting: number[] = [];
    let [inFlight, most] = [0, 0];
    const disk: Disk = {
      ...realDisk,
      writeSync: (...args) => {
        waiting.push(performance.now());
        return realDisk.writeSync(...args);
      },
      syncData: async fd => {
        const covered = waiting.splice(0);
        most = Math.max(most, ++inFlight);
        await delay(20);
        await realDisk.syncData(fd);
        inFlight--;
        waits.push(...covered.map(at => performance.now() - at));
      },
    };
    const spool = await openSpool({ root, name: newName(), disk });
    for (let n = 0; n < 60; n++) {
      spool.append('{}', n % 2 === 0);
      await delay(10);
    }
    await delay(150);
    assert.deepEqual([waiting.length, most], [0, 1]);
    assert.equal(waits.length >= 40, true);
    // 100 ms where the machine has nothing else to do.
    assert.ok(Math.max(...waits) <= 2000, `${Math.max(...waits)} ms`);
    await spool.close(true);
  });
});

describe('a spool without room', () => {
  const row = JSON.stringify({ text: 'x'.repeat(990) });

  test('refuses intents at its bound, and still takes the completions of those it took', async () => {
    let told = 0;
    const options = { root, name: newName(), maxBytes: 200_000, reserveBytes: 50_000, segmentBytes: 20_000 };
    const spool = await openSpool({ ...options, onPressure: () => told++ });
    let intents = 0;
    while (spool.append(row, true)) if (++intents === 110) assert.equal(told, 0);
    assert.deepEqual([told, intents >= 145 && intents <= 150, spool.fill()], [1, true, 1]);
    let completions = 0;
    while (spool.append(row, false)) completions++;
    assert.ok(completions >= 45, `${completions}`);
    await spool.acknowledge(spool.end());
    assert.equal(spool.append(row, true), true, 'room comes back with what the ledger has');
    await spool.close(true);
  });

  test('counts as full when the disk is: intents are refused, completions are all kept, and it goes on when there is room', async t => {
    const folder = path.join(root, 'tiny');
    mkdirSync(folder);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]).status !== 0)
      return t.skip('mounting a small file system needs root');
    try {
      let told = 0;
      const spool = await openSpool({
        root: folder,
        name: 'p',
        reserveBytes: 500_000,
        segmentBytes: 100_000,
        onPressure: () => told++,
      });
      const kept: string[] = [];
      const put = (n: number, durable: boolean) => {
        const json = JSON.stringify({ n, durable, text: 'x'.repeat(990) });
        const isTaken = spool.append(json, durable);
        if (isTaken) kept.push(json);
        return isTaken;
      };
      let n = 0;
      while (put(n, true)) n++;
      assert.ok(n > 1000, `${n} intents`);
      assert.ok(told <= 1);
      for (let i = 0; i < 900; i++) assert.equal(put(i, false), true, `completion ${i}`);
      await delay(120);
      assert.deepEqual([put(n, true), spool.fill()], [false, 1]);
      assert.match(spool.stats().lastError ?? '', /ENOSPC/);
      assert.deepEqual(await rowsFrom(spool), kept, 'also what only the memory has room for');
      assert.deepEqual(rowsIn(spool.folder), kept.slice(0, rowsIn(spool.folder).length), 'no torn line in between');
      const [done] = spool.endsBefore(1_300_000).slice(-1);
      await spool.acknowledge(done!);
      await until('intents are taken again', () => put(n, true), 3000);
      await spool.sync();
      assert.deepEqual(rowsIn(spool.folder), kept.slice(kept.length - rowsIn(spool.folder).length));
      await spool.close(false);
    } finally {
      spawnSync('umount', ['-l', folder]);
    }
  });

  test('goes on after a full disk also where all of it was one segment, and loses nothing of what came meanwhile', async t => {
    const folder = path.join(root, 'one-segment');
    mkdirSync(folder);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status !== 0)
      return t.skip('mounting a small file system needs root');
    try {
      const spool = await openSpool({ root: folder, name: 'p', reserveBytes: 500_000 });
      const row = JSON.stringify({ text: 'x'.repeat(990) });
      while (spool.append(row, false, false)) await new Promise(setImmediate);
      const point = spool.end();
      assert.ok(spool.append('{"late":1}', false));
      await spool.sync();
      assert.equal(spool.endsBefore(point).length, 0, 'it holds a row that is not in the ledger yet');
      await spool.acknowledge(spool.endsBefore(spool.end()).at(-1)!);
      assert.deepEqual(segmentFiles(spool.folder), []);
      const from = spool.end();
      assert.ok(from > point, 'the stream goes on where it was');
      await until('intents are taken again', () => spool.append('{"next":1}', true), 3000);
      assert.deepEqual(await rowsFrom(spool, from), ['{"next":1}']);
      await spool.close(false);
    } finally {
      spawnSync('umount', ['-l', folder]);
    }
  });

  test('refuses a row that is larger than any row is', async () => {
    const spool = await openSpool({ root, name: newName() });
    assert.equal(spool.append('x'.repeat(200_000), true), false);
    assert.equal(spool.append('{}', true), true);
    await spool.close(true);
  });
});

describe('the lock of a spool', () => {
  test('is one holder’s, also within a process, until it is released', () => {
    const file = path.join(root, 'a.lock');
    const held = tryLock(file);
    assert.ok(held);
    assert.equal(tryLock(file), undefined);
    held.release();
    const again = tryLock(file);
    assert.ok(again);
    again.release();
  });

  test('keeps a second spool of the same name from opening', async () => {
    const name = newName();
    const spool = await openSpool({ root, name });
    await assert.rejects(openSpool({ root, name }), /another process/);
    await spool.close(true);
  });
});

const SEED = 20261121;
test(`kill -9 at any moment loses no row whose append returned (seed ${SEED})`, async () => {
  const moments = fc.sample(fc.integer({ min: 0, max: 60 }), { seed: SEED, numRuns: 6 });
  for (const moment of moments) {
    const name = newName();
    const child = spawn(process.execPath, [path.join('test', 'support', 'spool-child.ts'), root, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      said += text;
    });
    const folder = path.join(root, name);
    await until('the first rows', () => said.length > 0);
    assert.equal(tryLock(lockFileOf(folder)), undefined, 'a live process holds its folder');
    await delay(moment);
    child.kill('SIGKILL');
    await Promise.all([once(child, 'close')]);
    const promised = said.split('\n').slice(0, -1).length;
    const intents = rowsIn(folder).filter(json => JSON.parse(json).state === 'open');
    assert.ok(intents.length >= promised, `${intents.length} of ${promised} rows, killed after ${moment} ms`);
    for (const [n, json] of intents.entries()) assert.equal(Number.parseInt(JSON.parse(json).requestId.slice(-12), 16), n);
    const lock = tryLock(lockFileOf(folder));
    assert.ok(lock, 'the kernel let go of the lock');
    lock.release();
  }
});
